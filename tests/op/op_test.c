// SPDX-License-Identifier: MIT
#include <float.h>

#include "op_test.h"

#define PATTERN 0xa5 /* what memory has between the elements of a view */

struct op_fixture fx;

static unsigned int points, failures;
static uint32_t rnd_state = 0x2545f491;
static uint64_t digest;

/* As FNV-1a, of words, whose upper halves reach the lower ones too. */
static void add_to_digest(uint64_t word)
{
	digest = (digest ^ word) * 0x100000001b3;
	digest ^= digest >> 32;
}

/* A device that gives other bits than another is found by the first point that has another one. */
static void tell_digest(void)
{
	if (getenv("OP_DIGEST"))
		printf("# digest %016llx\n", (unsigned long long)digest);
	digest = 0;
}

bool ok(bool pass, const char *format, ...)
{
	va_list args;

	printf("%sok %u - ", pass ? "" : "not ", ++points);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	tell_digest();
	fflush(stdout);
	failures += !pass;
	return pass;
}

void need(int err, const char *what)
{
	if (!err)
		return;
	printf("Bail out! %s: %s: %s\n", what, npurt_error_name(err), npuop_message(fx.ops));
	exit(1);
}

bool refused(int err, const char *argument, const char *what)
{
	const char *message = npuop_message(fx.ops);
	const bool named = !strncmp(message, argument, strlen(argument));

	if (!ok(err && named, "%s is refused, by naming %s", what, argument))
		printf("# %s: %s\n", npurt_error_name(err), message);
	return err && named;
}

#ifdef OP_SHIM
static void open_device(void)
{
	fx.context = shim_context();
	fx.stream = shim_stream();
}

static void close_device(void)
{
}

const char *npurt_error_name(int error)
{
	static char text[32];

	snprintf(text, sizeof(text), "error %d", error);
	return text;
}
#else
static void open_device(void)
{
	NEED(npurt_device_open(0, NULL, &fx.device));
	NEED(npurt_context_create(fx.device, NULL, &fx.context));
	NEED(npurt_stream_create(fx.context, NULL, &fx.stream));
}

static void close_device(void)
{
	NEED(npurt_stream_destroy(fx.stream));
	NEED(npurt_context_destroy(fx.context));
	NEED(npurt_device_close(fx.device));
}
#endif

void op_begin(void)
{
	open_device();
	NEED(npuop_create(fx.context, fx.stream, NULL, &fx.ops));
}

int op_end(void)
{
	NEED(npuop_destroy(fx.ops));
	close_device();
	printf("1..%u\n", points);
	return failures != 0;
}

void sync_stream(void)
{
	NEED(npurt_stream_synchronize(fx.stream));
}

uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 17;
	rnd_state ^= rnd_state << 5;
	return rnd_state;
}

uint64_t rnd_below(uint64_t n)
{
	return rnd() % n;
}

double rnd_uniform(void)
{
	return (double)(rnd() >> 8) / 8388608.0 - 1;
}

npuop_tensor tensor_new(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape)
{
	npuop_tensor t = npuop_tensor_dense(NULL, 0, dtype, rank, shape);
	const uint64_t bytes = npuop_dtype_bytes(dtype, npuop_tensor_elements(&t));

	NEED(npurt_memory_create(fx.context, bytes ? bytes : 1, NULL, &t.memory));
	return t;
}

void tensor_free(npuop_tensor *tensor)
{
	NEED(npurt_memory_destroy(tensor->memory));
	tensor->memory = NULL;
}

/* @stride: the least one */
static npuop_tensor random_view(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape,
				uint64_t stride, bool repeats)
{
	npuop_tensor t = { .dtype = dtype, .rank = rank }, all;
	uint64_t order[NPUOP_MAX_RANK];

	for (uint32_t i = 0; i < rank; i++)
		order[i] = i;
	for (uint32_t i = rnd_below(3) ? rank : 0; i > 1; i--) {
		const uint64_t j = rnd_below(i), swapped = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swapped;
	}
	for (uint32_t i = rank; i--;) {
		const uint64_t dim = order[i];

		t.shape[dim] = shape[dim];
		t.stride[dim] = repeats && !rnd_below(5) ? 0 : stride;
		stride *= shape[dim] + (rnd_below(3) ? 0 : rnd_below(4));
	}
	t.offset = npuop_dtype_bytes(dtype, rnd_below(9));
	stride += t.offset;
	all = tensor_new(dtype, 1, &stride);
	t.memory = all.memory;
	return t;
}

npuop_tensor tensor_view(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape, bool repeats)
{
	return random_view(dtype, rank, shape, rnd_below(8) ? 1 : 2, repeats);
}

static void randomize(const npuop_tensor *t)
{
	for (uint64_t i = 0; i < npuop_tensor_elements(t); i++)
		tensor_set(t, i, t->dtype <= NPUOP_BF16 ? rnd_uniform() : (double)(int32_t)rnd());
}

npuop_tensor tensor_random(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape)
{
	npuop_tensor t = tensor_new(dtype, rank, shape);

	randomize(&t);
	return t;
}

/* One of @one_in elements becomes one of @values. */
static void put_values(const npuop_tensor *tensor, uint64_t one_in, const double *values,
		       size_t count)
{
	for (uint64_t i = 0; i < npuop_tensor_elements(tensor); i++)
		if (!rnd_below(one_in))
			tensor_set(tensor, i, values[rnd_below(count)]);
}

npuop_tensor tensor_special(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape)
{
	static const double largest[] = { FLT_MAX, 65504, 0x1.fep127 };
	npuop_tensor t = tensor_random(dtype, rank, shape);

	if (dtype <= NPUOP_BF16) {
		const double most = largest[dtype], denormal = dtype == NPUOP_F16 ? 0x1p-16 : 0x1p-130;
		const double values[] = {
			INFINITY, -INFINITY, NAN, NAN, 0, -0.0, denormal, -denormal, most, -most,
		};

		put_values(&t, 8, values, COUNT(values));
	}
	return t;
}

npuop_tensor tensor_any(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape)
{
	npuop_tensor t;

	if (rnd_below(2))
		return tensor_random(dtype, rank, shape);
	t = tensor_view(dtype, rank, shape, false);
	randomize(&t);
	return t;
}

npuop_tensor tensor_rows(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape, bool repeats)
{
	npuop_tensor t;

	for (;;) {
		t = tensor_view(dtype, rank, shape, repeats);
		if (t.stride[rank - 1] == 1)
			break;
		tensor_free(&t);
	}
	randomize(&t);
	return t;
}

/* Where an element is, in elements. */
static uint64_t place(const npuop_tensor *t, uint64_t index)
{
	uint64_t at = 0;

	for (uint32_t i = t->rank; i--; index /= t->shape[i])
		at += index % t->shape[i] * t->stride[i];
	return at;
}

static uint8_t *host(const npuop_tensor *t)
{
	void *pointer;

	NEED(npurt_memory_map(t->memory, &pointer));
	return (uint8_t *)pointer + t->offset;
}

static float from_bf16(uint16_t bits)
{
	const uint32_t wide = (uint32_t)bits << 16;
	float value;

	memcpy(&value, &wide, sizeof(value));
	return value;
}

static uint16_t to_bf16(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	if (value != value)
		return 0x7fc0;
	return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

static double get(const void *at, enum npuop_dtype dtype, uint64_t i)
{
	const uint8_t *nibbles = at;

	switch (dtype) {
	case NPUOP_F32:
		return ((const float *)at)[i];
	case NPUOP_F16:
		return (double)((const _Float16 *)at)[i];
	case NPUOP_BF16:
		return from_bf16(((const uint16_t *)at)[i]);
	case NPUOP_S32:
		return ((const int32_t *)at)[i];
	case NPUOP_S16:
		return ((const int16_t *)at)[i];
	case NPUOP_S8:
		return ((const int8_t *)at)[i];
	case NPUOP_U8:
		return ((const uint8_t *)at)[i];
	default:
		return (int8_t)(nibbles[i / 2] << (i % 2 ? 0 : 4)) >> 4;
	}
}

static void set(void *at, enum npuop_dtype dtype, uint64_t i, double value)
{
	uint8_t *nibbles = at;

	switch (dtype) {
	case NPUOP_F32:
		((float *)at)[i] = (float)value;
		break;
	case NPUOP_F16:
		((_Float16 *)at)[i] = (_Float16)(float)value;
		break;
	case NPUOP_BF16:
		((uint16_t *)at)[i] = to_bf16((float)value);
		break;
	case NPUOP_S32:
		((int32_t *)at)[i] = (int32_t)value;
		break;
	case NPUOP_S16:
		((int16_t *)at)[i] = (int16_t)(int32_t)value;
		break;
	case NPUOP_S8:
	case NPUOP_U8:
		((uint8_t *)at)[i] = (uint8_t)(int32_t)value;
		break;
	default:
		nibbles[i / 2] = (uint8_t)((nibbles[i / 2] & (i % 2 ? 0x0f : 0xf0)) |
					   ((int)value & 15) << (i % 2 ? 4 : 0));
	}
}

static uint64_t element_bytes(const npuop_tensor *t)
{
	return npuop_dtype_bytes(t->dtype, 2) / 2;
}

static uint8_t *element(const npuop_tensor *t, uint64_t index)
{
	return host(t) + place(t, index) * element_bytes(t);
}

npuop_tensor tensor_strided(const npuop_tensor *tensor)
{
	npuop_tensor t;

	for (;;) {
		t = random_view(tensor->dtype, tensor->rank, tensor->shape, 1 + rnd_below(3),
				false);
		if (t.rank && t.stride[t.rank - 1] != 1)
			break;
		tensor_free(&t);
	}
	memset(host(&t) - t.offset, PATTERN, npurt_memory_size(t.memory));
	for (uint64_t i = 0; i < npuop_tensor_elements(&t); i++)
		memcpy(element(&t, i), element(tensor, i), element_bytes(&t));
	return t;
}

bool gaps_kept(const npuop_tensor *strided)
{
	const uint64_t size = npurt_memory_size(strided->memory);
	const uint8_t *all = host(strided) - strided->offset;
	bool *inside = calloc(size, sizeof(*inside)), kept = true;

	for (uint64_t i = 0; i < npuop_tensor_elements(strided); i++)
		memset(inside + (element(strided, i) - all), true, element_bytes(strided));
	for (uint64_t i = 0; i < size; i++)
		kept = kept && (inside[i] || all[i] == PATTERN);
	free(inside);
	return kept;
}

npuop_tensor tensor_again(const npuop_tensor *tensor)
{
	npuop_tensor t = *tensor;

	NEED(npurt_memory_create(fx.context, npurt_memory_size(tensor->memory), NULL, &t.memory));
	memcpy(host(&t) - t.offset, host(tensor) - t.offset, npurt_memory_size(t.memory));
	return t;
}

double tensor_get(const npuop_tensor *tensor, uint64_t index)
{
	const double value = get(host(tensor), tensor->dtype, place(tensor, index));
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	add_to_digest(bits);
	return value;
}

void tensor_set(const npuop_tensor *tensor, uint64_t index, double value)
{
	set(host(tensor), tensor->dtype, place(tensor, index), value);
}

void put_edges(const npuop_tensor *tensor, uint64_t one_in, bool large)
{
	static const double edges[] = { INFINITY, -INFINITY, NAN,      0,	 -0.0,
					0x1p-24,  -0x1p-24,  0x1p-149, 0x1p-126, 65504 };

	put_values(tensor, one_in, edges, COUNT(edges) - !large);
}

double *numbers(uint64_t count)
{
	return calloc(count + 1, sizeof(double));
}

double *tensor_values(const npuop_tensor *tensor)
{
	const uint64_t count = npuop_tensor_elements(tensor);
	double *v = numbers(count);

	for (uint64_t i = 0; i < count; i++)
		v[i] = tensor_get(tensor, i);
	return v;
}

double activated(enum npuop_activation activation, double x)
{
	switch (activation) {
	case NPUOP_ACT_RELU:
		return x > 0 || isnan(x) ? x : 0;
	case NPUOP_ACT_GELU:
		return x * (1 + erf(x * M_SQRT1_2)) / 2;
	case NPUOP_ACT_GELU_TANH:
		return x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
	case NPUOP_ACT_SILU:
		return x / (1 + exp(-x));
	default:
		return x;
	}
}

double round_to(enum npuop_dtype dtype, double value)
{
	uint32_t bits;

	set(&bits, dtype, 0, value);
	return get(&bits, dtype, 0);
}

static bool is_close(double got, double want, double bound)
{
	if (isnan(want) || isinf(want))
		return isnan(want) ? isnan(got) : got == want;
	return fabs(got - want) <= bound;
}

/* A point: is each element within its bound? */
static bool report(const npuop_tensor *tensor, const double *want, const double *bound,
		   const char *format, va_list args)
{
	const uint64_t count = npuop_tensor_elements(tensor);
	char text[256];
	uint64_t i = 0;

	vsnprintf(text, sizeof(text), format, args);
	while (i < count && is_close(tensor_get(tensor, i), want[i], bound[i]))
		i++;
	if (!ok(i == count, "%s", text))
		printf("# element %llu is %.9g, not %.9g\n", (unsigned long long)i,
		       tensor_get(tensor, i), want[i]);
	return i == count;
}

bool close_to(const npuop_tensor *tensor, const double *want, double absolute, double relative,
	      const char *format, ...)
{
	const uint64_t count = npuop_tensor_elements(tensor);
	double *bound = numbers(count);
	va_list args;
	bool close;

	for (uint64_t i = 0; i < count; i++)
		bound[i] = absolute + relative * fabs(want[i]);
	va_start(args, format);
	close = report(tensor, want, bound, format, args);
	va_end(args);
	free(bound);
	return close;
}

bool within(const npuop_tensor *tensor, const double *want, const double *bound, const char *format,
	    ...)
{
	va_list args;
	bool close;

	va_start(args, format);
	close = report(tensor, want, bound, format, args);
	va_end(args);
	return close;
}

bool same_bits(const npuop_tensor *a, const npuop_tensor *b)
{
	const uint64_t size = element_bytes(a);
	uint32_t bits_a = 0, bits_b = 0;

	for (uint64_t i = 0; i < npuop_tensor_elements(a); i++) {
		memcpy(&bits_a, element(a, i), size);
		memcpy(&bits_b, element(b, i), size);
		add_to_digest(bits_a);
		if (bits_a != bits_b)
			return false;
	}
	return true;
}

bool same_memory(const npuop_tensor *a, const npuop_tensor *b)
{
	const uint8_t *bytes = host(a) - a->offset;
	const uint64_t size = npurt_memory_size(a->memory);

	for (uint64_t i = 0; i < size; i++)
		add_to_digest(bytes[i]);
	return !memcmp(bytes, host(b) - b->offset, size);
}

double ulp(enum npuop_dtype dtype, double value)
{
	static const struct {
		int exponent, bits; /* least of normal numbers; behind the first one */
	} types[] = { { -126, 23 }, { -14, 10 }, { -126, 7 } };
	const int exponent = ilogb(value); /* the least int of 0 */

	return ldexp(1, (exponent < types[dtype].exponent ? types[dtype].exponent : exponent) -
				types[dtype].bits);
}
