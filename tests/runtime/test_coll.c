// SPDX-License-Identifier: MIT
/*
 * Collectives of 1 to 8 ranks, on as many NPUs as there are: what they give, and how they
 * fail. In the VM: suite collectives, with eight NPUs.
 */
#include "rt_test.h"

#include <math.h>
#include <pthread.h>

#define MAX_RANKS 8
#define BYTES (1u << 20)
#define SHORT_MS 300

struct rank {
	struct fixture f;
	npurt_memory *dst, *src;
	npurt_communicator *comm;
	uint8_t *in, *out, *want; /* what src has, what dst got, what it should have */
};

static struct rank ranks[MAX_RANKS];
static uint64_t seed = 1;

/* Elements. */

static const unsigned int sizes[] = { 4, 2, 2, 4, 1, 1, 2 };

static uint16_t half_of(double value)
{
	int exponent;
	const double fraction = frexp(fabs(value), &exponent);

	if (value == 0)
		return 0;
	return (uint16_t)((value < 0 ? 0x8000 : 0) | (exponent + 14) << 10 |
			  ((int)ldexp(fraction, 11) & 0x3ff));
}

static double of_half(uint16_t bits)
{
	const double value = ldexp((bits & 0x3ff) | 0x400, ((bits >> 10) & 31) - 25);

	if (!(bits & 0x7fff))
		return 0;
	return bits & 0x8000 ? -value : value;
}

static double get(const void *array, uint64_t i, enum npurt_dtype dtype)
{
	const uint16_t *h = array;
	uint32_t bits;
	float f;

	switch (dtype) {
	case NPURT_F32:
		return ((const float *)array)[i];
	case NPURT_F16:
		return of_half(h[i]);
	case NPURT_BF16:
		bits = (uint32_t)h[i] << 16;
		memcpy(&f, &bits, sizeof(f));
		return f;
	case NPURT_S32:
		return ((const int32_t *)array)[i];
	case NPURT_S16:
		return ((const int16_t *)array)[i];
	case NPURT_S8:
		return ((const int8_t *)array)[i];
	default:
		return ((const uint8_t *)array)[i];
	}
}

/* Integers wrap. */
static void set(void *array, uint64_t i, enum npurt_dtype dtype, double value)
{
	const float f = (float)value;
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	switch (dtype) {
	case NPURT_F32:
		((float *)array)[i] = f;
		break;
	case NPURT_F16:
		((uint16_t *)array)[i] = half_of(value);
		break;
	case NPURT_BF16:
		((uint16_t *)array)[i] = (uint16_t)(bits >> 16);
		break;
	case NPURT_S32:
		((int32_t *)array)[i] = (int32_t)(int64_t)value;
		break;
	case NPURT_S16:
		((int16_t *)array)[i] = (int16_t)(int64_t)value;
		break;
	default:
		((uint8_t *)array)[i] = (uint8_t)(int64_t)value;
		break;
	}
}

static double combine(double a, double b, enum npurt_reduce_op op)
{
	switch (op) {
	case NPURT_REDUCE_ADD:
		return a + b;
	case NPURT_REDUCE_MIN:
		return a < b ? a : b;
	default:
		return a > b ? a : b;
	}
}

/* Ranks. */

static void open_ranks(unsigned int n, const npurt_communicator_attr *attr)
{
	npurt_context *contexts[MAX_RANKS];
	npurt_communicator *comms[MAX_RANKS];
	unsigned int count;

	NEED(npurt_device_count(&count));
	for (unsigned int i = 0; i < n; i++) {
		struct rank *r = &ranks[i];

		NEED(npurt_device_open(i % count, NULL, &r->f.device));
		NEED(npurt_context_create(r->f.device, NULL, &r->f.context));
		NEED(npurt_stream_create(r->f.context, NULL, &r->f.stream));
		r->dst = memory(r->f.context, NPURT_PLACE_HBM, BYTES, "dst");
		r->src = memory(r->f.context, NPURT_PLACE_HBM, BYTES, "src");
		r->in = malloc(BYTES);
		r->out = malloc(BYTES);
		r->want = malloc(BYTES);
		contexts[i] = r->f.context;
	}
	NEED(npurt_communicator_create(contexts, n, attr, comms));
	for (unsigned int i = 0; i < n; i++)
		ranks[i].comm = comms[i];
}

static void close_ranks(unsigned int n)
{
	int err = 0;

	for (unsigned int i = 0; i < n && !err; i++) {
		struct rank *r = &ranks[i];

		free(r->in);
		free(r->out);
		free(r->want);
		err = r->comm ? npurt_communicator_destroy(r->comm) : 0;
		r->comm = NULL;
		/* Failed or not, nothing uses the memory any more. */
		npurt_stream_synchronize(r->f.stream);
		if (!err)
			err = npurt_memory_destroy(r->dst) | npurt_memory_destroy(r->src) |
			      npurt_stream_destroy(r->f.stream);
		if (!err)
			err = npurt_context_destroy(r->f.context) | npurt_device_close(r->f.device);
	}
	ok(!err, "%u ranks can be destroyed at the end", n);
#ifdef FAKE_KMD
	ok(fake_leaks() == 0, "the driver has nothing left of this process");
#endif
}

/* What the operations are tried with. */
struct trial {
	int kind; /* of enum below */
	unsigned int n, root;
	uint64_t count; /* elements of a rank's part */
	enum npurt_dtype dtype;
	enum npurt_reduce_op op;
	bool in_place;
	uint64_t dst_offset, src_offset;
};

enum { ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER, ALL_TO_ALL, BROADCAST, KINDS };

static const char *const names[] = { "all-reduce", "reduce-scatter", "all-gather", "all-to-all",
				     "broadcast" };

static uint64_t part_bytes(const struct trial *t)
{
	return t->count * sizes[t->dtype];
}

/* Bytes of src and dst of a rank. */
static uint64_t src_bytes(const struct trial *t)
{
	return part_bytes(t) * (t->kind == REDUCE_SCATTER || t->kind == ALL_TO_ALL ? t->n : 1);
}

static uint64_t dst_bytes(const struct trial *t)
{
	return part_bytes(t) * (t->kind == ALL_GATHER || t->kind == ALL_TO_ALL ? t->n : 1);
}

static int call(const struct trial *t, unsigned int i)
{
	struct rank *r = &ranks[i];
	const uint64_t own = i * part_bytes(t);
	npurt_memory *dst = r->dst, *src = r->src;
	uint64_t to = t->dst_offset, from = t->src_offset;

	if (t->in_place) {
		src = dst = t->kind == REDUCE_SCATTER ? src : dst;
		from = t->kind == ALL_GATHER ? to + own : to;
		to += t->kind == REDUCE_SCATTER ? own : 0;
	}
	switch (t->kind) {
	case ALL_REDUCE:
		return npurt_all_reduce_async(r->comm, r->f.stream, dst, to, src, from, t->count,
					      t->dtype, t->op);
	case REDUCE_SCATTER:
		return npurt_reduce_scatter_async(r->comm, r->f.stream, dst, to, src, from,
						  t->count, t->dtype, t->op);
	case ALL_GATHER:
		return npurt_all_gather_async(r->comm, r->f.stream, dst, to, src, from,
					      part_bytes(t));
	case ALL_TO_ALL:
		return npurt_all_to_all_async(r->comm, r->f.stream, dst, to, src, from,
					      part_bytes(t));
	default:
		return npurt_broadcast_async(r->comm, r->f.stream, dst, to, i == t->root ? src : NULL,
					     from, part_bytes(t), t->root);
	}
}

static void reduce_reference(const struct trial *t, unsigned int rank)
{
	const uint64_t first = t->kind == REDUCE_SCATTER ? rank * t->count : 0;

	for (uint64_t i = 0; i < t->count; i++) {
		double value = get(ranks[0].in, first + i, t->dtype);

		for (unsigned int r = 1; r < t->n; r++)
			value = combine(value, get(ranks[r].in, first + i, t->dtype), t->op);
		set(ranks[rank].want, i, t->dtype, value);
	}
}

static void reference(const struct trial *t, unsigned int rank)
{
	const uint64_t bytes = part_bytes(t);
	uint8_t *want = ranks[rank].want;

	for (unsigned int r = 0; r < t->n; r++) {
		if (t->kind == ALL_GATHER)
			memcpy(want + r * bytes, ranks[r].in, bytes);
		if (t->kind == ALL_TO_ALL)
			memcpy(want + r * bytes, ranks[r].in + rank * bytes, bytes);
	}
	if (t->kind == BROADCAST)
		memcpy(want, ranks[t->root].in, bytes);
	if (t->kind == ALL_REDUCE || t->kind == REDUCE_SCATTER)
		reduce_reference(t, rank);
}

/* Small numbers, whose sums are exact in every type. */
static void fill_in(const struct trial *t)
{
	for (unsigned int r = 0; r < t->n; r++) {
		for (uint64_t i = 0; i < src_bytes(t) / sizes[t->dtype]; i++)
			set(ranks[r].in, i, t->dtype, rt_random(&seed) % 16);
	}
}

static void upload(const struct trial *t, unsigned int i)
{
	struct rank *r = &ranks[i];
	uint64_t at = t->src_offset;
	npurt_memory *to = r->src;

	if (t->in_place) {
		at = t->dst_offset + (t->kind == ALL_GATHER ? i * part_bytes(t) : 0);
		to = t->kind == REDUCE_SCATTER ? r->src : r->dst;
	}
	NEED(npurt_fill_async(r->f.stream, r->dst, 0, 0xee, 1, BYTES));
	if (src_bytes(t))
		NEED(npurt_upload(r->f.stream, to, at, r->in, src_bytes(t)));
}

static void download(const struct trial *t, unsigned int i)
{
	struct rank *r = &ranks[i];
	const bool there = t->in_place && t->kind == REDUCE_SCATTER;

	if (dst_bytes(t))
		NEED(npurt_download(r->f.stream, r->out, there ? r->src : r->dst,
				    t->dst_offset + (there ? i * part_bytes(t) : 0), dst_bytes(t)));
}

static void say_failure(unsigned int i)
{
	char text[512] = "";

	npurt_communicator_error_message(ranks[i].comm, text, sizeof(text));
	printf("# rank %u: %s\n", i, text);
	npurt_stream_error_message(ranks[i].f.stream, text, sizeof(text));
	printf("# its stream: %s\n", text);
}

static bool try(const struct trial *t)
{
	bool good = true;

	fill_in(t);
	for (unsigned int i = 0; i < t->n; i++)
		upload(t, i);
	for (unsigned int i = 0; i < t->n; i++) {
		if (call(t, i)) {
			say_failure(i);
			good = false;
		}
	}
	for (unsigned int i = 0; i < t->n && good; i++) {
		reference(t, i);
		download(t, i);
		good = memcmp(ranks[i].out, ranks[i].want, dst_bytes(t)) == 0;
	}
	if (!good)
		printf("# %s of %u, %llu elements of type %d, op %d, root %u%s\n", names[t->kind],
		       t->n, (unsigned long long)t->count, t->dtype, t->op, t->root,
		       t->in_place ? ", in place" : "");
	return good;
}

/* Of all lengths: none, few, not divisible by the ranks, several slabs. */
static uint64_t random_count(const struct trial *t)
{
	static const unsigned int most[] = { 2, 40, 3000, 20000, 100000 };
	const unsigned int parts = t->kind == ALL_REDUCE || t->kind == BROADCAST ? 1 : t->n;
	const uint64_t limit = (BYTES - 64) / sizes[t->dtype] / parts;
	const uint64_t count = rt_random(&seed) % most[rt_random(&seed) % COUNT(most)];

	return count < limit ? count : limit;
}

static void test_results(unsigned int n)
{
	/* Small buffers, so that little data go through them often. */
	npurt_communicator_attr attr = { .size = sizeof(attr), .buffer_bytes = 32768 };
	const unsigned int rounds = n == MAX_RANKS ? 8 : 5;

	open_ranks(n, &attr);
	for (int kind = 0; kind < KINDS; kind++) {
		bool good = true;

		for (unsigned int i = 0; i < rounds && good; i++) {
			struct trial t = {
				.kind = kind, .n = n, .root = rt_random(&seed) % n,
				.dtype = rt_random(&seed) % COUNT(sizes), .op = rt_random(&seed) % 3,
				.in_place = rt_random(&seed) % 2,
				.dst_offset = 4 * (rt_random(&seed) % 16),
				.src_offset = 4 * (rt_random(&seed) % 16),
			};

			t.count = random_count(&t);
			good = try(&t);
		}
		ok(good, "%s of %u: what it gives", names[kind], n);
	}
	close_ranks(n);
}

/* Sums that are not exact: the same at all ranks and each time, and near. */
static void test_floats(void)
{
	const struct trial big = { .kind = ALL_REDUCE, .n = 5, .count = 30001 };
	const struct trial small = { .kind = ALL_REDUCE, .n = 5, .count = 1001 };
	const struct trial *const trials[] = { &big, &small };
	bool same = true, again = true, near = true;

	open_ranks(5, NULL);
	for (unsigned int k = 0; k < 4; k++) {
		const struct trial *t = trials[k / 2];

		for (unsigned int r = 0; r < t->n && k % 2 == 0; r++) {
			for (uint64_t i = 0; i < t->count; i++)
				((float *)(void *)ranks[r].in)[i] =
					(float)rt_random(&seed) / 1e9f - 1;
		}
		for (unsigned int r = 0; r < t->n; r++)
			upload(t, r);
		for (unsigned int r = 0; r < t->n; r++)
			NEED(call(t, r));
		for (unsigned int r = 0; r < t->n; r++) {
			download(t, r);
			same &= memcmp(ranks[r].out, ranks[0].out, part_bytes(t)) == 0;
		}
		if (k % 2)
			again &= memcmp(ranks[0].out, ranks[0].want, part_bytes(t)) == 0;
		memcpy(ranks[0].want, ranks[0].out, part_bytes(t));
		for (uint64_t i = 0; i < t->count; i++) {
			double sum = 0, size = 0;

			for (unsigned int r = 0; r < t->n; r++) {
				sum += get(ranks[r].in, i, NPURT_F32);
				size += fabs(get(ranks[r].in, i, NPURT_F32));
			}
			/* A rounding for each rank but one, each of half a unit of the last place. */
			near &= fabs(get(ranks[0].out, i, NPURT_F32) - sum) <=
				(t->n - 1) * ldexp(size, -24);
		}
	}
	ok(same, "sums of floats are the same at all ranks, to the bit");
	ok(again, "and the next time");
	ok(near, "and as near to the exact sum as roundings allow");
	close_ranks(5);
}

static void *thread(void *arg)
{
	const unsigned int i = (unsigned int)(uintptr_t)arg;
	static const struct trial t = { .kind = ALL_REDUCE, .n = 4, .count = 50000, .dtype = NPURT_S32,
					.in_place = true };

	for (int k = 0; k < 10; k++)
		NEED(call(&t, i));
	NEED(npurt_stream_synchronize(ranks[i].f.stream));
	return NULL;
}

/* Each rank has its thread, which does not care for the others. */
static void test_threads(void)
{
	pthread_t threads[4];
	bool good = true;

	open_ranks(4, NULL);
	for (unsigned int i = 0; i < 4; i++) {
		for (uint64_t k = 0; k < 50000; k++)
			set(ranks[i].in, k, NPURT_S32, i + 1);
		NEED(npurt_upload(ranks[i].f.stream, ranks[i].dst, 0, ranks[i].in, 200000));
	}
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, thread, (void *)i);
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < 4; i++) {
		NEED(npurt_download(ranks[i].f.stream, ranks[i].out, ranks[i].dst, 0, 200000));
		/* 10, and then four times as much, nine times. */
		for (uint64_t k = 0; k < 50000; k++)
			good &= get(ranks[i].out, k, NPURT_S32) == 10 << 18;
	}
	ok(good, "ranks of threads of their own");
	close_ranks(4);
}

/* One rank is called for all that there is to do before the next one is. */
static void test_ahead(void)
{
	const struct trial t = { .kind = ALL_REDUCE, .n = 3, .count = 1000, .dtype = NPURT_S32,
				 .in_place = true };
	npurt_communicator_info info = { .size = sizeof(info) };
	int err = 0, last = 0;

	open_ranks(3, NULL);
	for (unsigned int i = 0; i < 3; i++) {
		set(ranks[i].in, 0, NPURT_S32, 1);
		NEED(npurt_upload(ranks[i].f.stream, ranks[i].dst, 0, ranks[i].in, 4000));
	}
	for (unsigned int i = 0; i < 3; i++) {
		for (int k = 0; k < 12; k++)
			err |= call(&t, i);
		NEED(npurt_communicator_get_info(ranks[i].comm, &info));
		if (!i)
			ok(info.rank == 0 && info.ranks == 3 && info.operations == 12 &&
			   info.pending == 12, "a rank may be ahead of the others");
	}
	NEED(npurt_download(ranks[2].f.stream, ranks[2].out, ranks[2].dst, 0, 4));
	for (int k = 0, sum = 1; k < 12; k++)
		last = sum *= 3;
	ok(!err && get(ranks[2].out, 0, NPURT_S32) == last, "and all is done in order");
	for (unsigned int i = 0; i < 3; i++) {
		NEED(npurt_stream_synchronize(ranks[i].f.stream));
		err |= npurt_communicator_query(ranks[i].comm);
	}
	ok(!err, "a query finds that all has ended");
	close_ranks(3);
}

static void test_transfers(void)
{
	npurt_communicator_attr attr = { .size = sizeof(attr), .buffer_bytes = 16384,
					 .flags = NPURT_COMMUNICATOR_HBM };
	struct rank *a = &ranks[0], *b = &ranks[1];
	bool good;

	open_ranks(2, &attr);
	randomise(a->in, BYTES, seed++);
	randomise(b->in, BYTES, seed++);
	NEED(npurt_upload(a->f.stream, a->src, 0, a->in, BYTES));
	NEED(npurt_upload(b->f.stream, b->src, 0, b->in, BYTES));
	WORKS(npurt_send_async(a->comm, a->f.stream, a->src, 5, 100001, 1));
	WORKS(npurt_receive_async(b->comm, b->f.stream, b->dst, 3, 100001, 0));
	NEED(npurt_download(b->f.stream, b->out, b->dst, 3, 100001));
	ok(!memcmp(a->in + 5, b->out, 100001), "what one rank sends another one receives");
	WORKS(npurt_send_receive_async(a->comm, a->f.stream, a->dst, 0, 300000, 1, a->src, 0, 500000,
				       1));
	WORKS(npurt_send_receive_async(b->comm, b->f.stream, b->dst, 0, 500000, 0, b->src, 0, 300000,
				       0));
	NEED(npurt_download(a->f.stream, a->out, a->dst, 0, 300000));
	NEED(npurt_download(b->f.stream, b->out, b->dst, 0, 500000));
	good = !memcmp(b->in, a->out, 300000) && !memcmp(a->in, b->out, 500000);
	ok(good, "both at once, more than there are buffers for");
	NEED(npurt_send_async(a->comm, a->f.stream, a->src, 0, 100, 1));
	GIVES(npurt_receive_async(b->comm, b->f.stream, b->dst, 0, 200, 0), NPURT_ERROR_INVALID);
	WORKS(npurt_receive_async(b->comm, b->f.stream, b->dst, 0, 100, 0));
	GIVES(npurt_send_async(a->comm, a->f.stream, a->src, 0, 100, 0), NPURT_ERROR_INVALID);
	GIVES(npurt_send_async(a->comm, a->f.stream, a->src, 0, 100, 2), NPURT_ERROR_INVALID);
	close_ranks(2);
}

/* Operations of a rank follow each other also if they are on different streams. */
static void test_streams(void)
{
	const struct trial t = { .kind = ALL_REDUCE, .n = 2, .count = 100000, .dtype = NPURT_S32,
				 .in_place = true };
	npurt_stream *first = NULL, *other = NULL;

	open_ranks(2, NULL);
	first = ranks[0].f.stream;
	for (unsigned int i = 0; i < 2; i++) {
		for (uint64_t k = 0; k < t.count; k++)
			set(ranks[i].in, k, NPURT_S32, 1);
		NEED(npurt_upload(ranks[i].f.stream, ranks[i].dst, 0, ranks[i].in, 4 * t.count));
	}
	NEED(npurt_stream_synchronize(first));
	NEED(npurt_stream_create(ranks[0].f.context, NULL, &other));
	for (int k = 0; k < 6; k++) {
		ranks[0].f.stream = k % 2 ? other : first;
		NEED(call(&t, 0));
		NEED(call(&t, 1));
	}
	NEED(npurt_download(other, ranks[0].out, ranks[0].dst, 0, 4 * t.count));
	ok(get(ranks[0].out, t.count - 1, NPURT_S32) == 64, "a rank's operations on two streams");
	ranks[0].f.stream = first;
	NEED(npurt_stream_destroy(other));
	close_ranks(2);
}

static bool says(unsigned int rank, const char *what)
{
	char text[512] = "";

	npurt_communicator_error_message(ranks[rank].comm, text, sizeof(text));
	if (strstr(text, what))
		return true;
	printf("# rank %u says: %s\n", rank, text);
	return false;
}

static bool stream_says(unsigned int rank, const char *what)
{
	char text[512] = "";

	npurt_stream_error_message(ranks[rank].f.stream, text, sizeof(text));
	if (strstr(text, what))
		return true;
	printf("# stream of rank %u says: %s\n", rank, text);
	return false;
}

static void test_mismatch(void)
{
	struct trial t = { .kind = ALL_REDUCE, .n = 2, .count = 100 };
	struct trial other = t;

	open_ranks(2, NULL);
	NEED(call(&t, 0));
	other.count = 99;
	gives(call(&other, 1), NPURT_ERROR_INVALID, "an all-reduce with another count");
	ok(says(1, "operation 1 is all-reduce of 396 bytes") && says(1, "400 bytes") &&
	   says(1, "at rank 0"), "the message has both");
	other = t;
	other.kind = BROADCAST;
	gives(call(&other, 1), NPURT_ERROR_INVALID, "another operation");
	other = t;
	other.op = NPURT_REDUCE_MAX;
	gives(call(&other, 1), NPURT_ERROR_INVALID, "another kind of sum");
	gives(call(&t, 1), 0, "the right one, then,");
	WORKS(npurt_stream_synchronize(ranks[0].f.stream));
	WORKS(npurt_stream_synchronize(ranks[1].f.stream));
	close_ranks(2);
}

static void test_arguments(void)
{
	npurt_communicator_attr attr = { .size = sizeof(attr) };
	npurt_communicator_info info = { .size = 4 };
	npurt_context *contexts[2];
	static _Alignas(4096) uint8_t host[8192];
	npurt_communicator *comms[2];
	struct rank *r = &ranks[0];
	npurt_memory *odd;

	open_ranks(2, NULL);
	contexts[0] = r->f.context;
	contexts[1] = r->f.context;
	GIVES(npurt_communicator_create(contexts, 2, NULL, comms), NPURT_ERROR_INVALID);
	contexts[1] = NULL;
	GIVES(npurt_communicator_create(contexts, 2, NULL, comms), NPURT_ERROR_INVALID);
	GIVES(npurt_communicator_create(contexts, 0, NULL, comms), NPURT_ERROR_INVALID);
	GIVES(npurt_communicator_create(contexts, 1000, NULL, comms), NPURT_ERROR_LIMIT);
	attr.flags = 2;
	GIVES(npurt_communicator_create(contexts, 1, &attr, comms), NPURT_ERROR_INVALID);
	attr.flags = 0;
	attr.buffer_bytes = 100;
	GIVES(npurt_communicator_create(contexts, 1, &attr, comms), NPURT_ERROR_INVALID);
	GIVES(npurt_communicator_get_info(r->comm, &info), NPURT_ERROR_INVALID);
	GIVES(npurt_communicator_query(NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_all_reduce_async(r->comm, r->f.stream, r->dst, 0, r->src, 2, 4, NPURT_F32,
				     NPURT_REDUCE_ADD), NPURT_ERROR_INVALID);
	GIVES(npurt_all_reduce_async(r->comm, r->f.stream, r->dst, 0, r->src, 0, BYTES, NPURT_F32,
				     NPURT_REDUCE_ADD), NPURT_ERROR_RANGE);
	GIVES(npurt_all_reduce_async(r->comm, r->f.stream, r->dst, 0, r->dst, 4, 4, NPURT_F32,
				     NPURT_REDUCE_ADD), NPURT_ERROR_INVALID);
	GIVES(npurt_all_reduce_async(r->comm, r->f.stream, r->dst, 0, ranks[1].src, 0, 4, NPURT_F32,
				     NPURT_REDUCE_ADD), NPURT_ERROR_INVALID);
	GIVES(npurt_all_reduce_async(r->comm, ranks[1].f.stream, r->dst, 0, r->src, 0, 4, NPURT_F32,
				     NPURT_REDUCE_ADD), NPURT_ERROR_INVALID);
	GIVES(npurt_all_reduce_async(r->comm, r->f.stream, r->dst, 0, r->src, 0, 4, 99,
				     NPURT_REDUCE_ADD), NPURT_ERROR_INVALID);
	GIVES(npurt_all_gather_async(r->comm, r->f.stream, r->dst, 0, r->src, 0, UINT64_MAX / 2 + 1),
	      NPURT_ERROR_RANGE);
	GIVES(npurt_broadcast_async(r->comm, r->f.stream, r->dst, 0, r->src, 0, 4, 2),
	      NPURT_ERROR_INVALID);
	NEED(npurt_memory_register(r->f.context, host + 2, 4096, NULL, &odd));
	GIVES(npurt_all_reduce_async(r->comm, r->f.stream, r->dst, 0, odd, 0, 4, NPURT_F32,
				     NPURT_REDUCE_ADD), NPURT_ERROR_INVALID);
	NEED(npurt_memory_destroy(odd));
	GIVES(npurt_context_destroy(r->f.context), NPURT_ERROR_BUSY);
	close_ranks(2);
}

static void new_stream(unsigned int i)
{
	NEED(npurt_stream_destroy(ranks[i].f.stream));
	NEED(npurt_stream_create(ranks[i].f.context, NULL, &ranks[i].f.stream));
}

/* Memory and streams of a rank can be used after a failure, and for a new communicator. */
static void check_afterwards(unsigned int n)
{
	const struct trial t = { .kind = ALL_REDUCE, .n = n, .count = 5000 };
	npurt_context *contexts[MAX_RANKS];
	npurt_communicator *comms[MAX_RANKS];
	int err = 0;

	for (unsigned int i = 0; i < n; i++) {
		err |= npurt_communicator_destroy(ranks[i].comm);
		contexts[i] = ranks[i].f.context;
		err |= npurt_stream_reset(ranks[i].f.stream);
	}
	ok(!err, "communicators that failed can be destroyed");
	NEED(npurt_communicator_create(contexts, n, NULL, comms));
	for (unsigned int i = 0; i < n; i++)
		ranks[i].comm = comms[i];
	ok(try(&t), "a new communicator on the same contexts works");
}

static void test_abort(unsigned int n)
{
	const struct trial t = { .kind = ALL_REDUCE, .n = n, .count = 100000 };
	int err[MAX_RANKS];
	bool good = true;

	open_ranks(n, NULL);
	/* The last one is never called. */
	for (unsigned int i = 0; i < n - 1; i++)
		NEED(call(&t, i));
	GIVES(npurt_communicator_query(ranks[0].comm), NPURT_ERROR_NOT_READY);
	WORKS(npurt_communicator_abort(ranks[n - 1].comm));
	for (unsigned int i = 0; i < n - 1; i++)
		err[i] = npurt_stream_synchronize(ranks[i].f.stream);
	for (unsigned int i = 0; i < n - 1; i++)
		good &= err[i] == NPURT_ERROR_COLLECTIVE && stream_says(i, "aborted");
	ok(good, "operations of %u ranks end when the communicator is aborted", n);
	gives(call(&t, n - 1), NPURT_ERROR_COLLECTIVE, "a call after that");
	ok(says(n - 1, "rank"), "and names the rank");
	GIVES(npurt_communicator_query(ranks[0].comm), NPURT_ERROR_COLLECTIVE);
	WORKS(npurt_stream_synchronize(ranks[n - 1].f.stream));
	check_afterwards(n);
	close_ranks(n);
}

static void find_waiting(const npurt_hang *hang, void *data)
{
	char *text = data;

	if (hang->command == NPURT_COMMAND_COLLECTIVE &&
	    hang->activity == NPURT_ACTIVITY_WAITING)
		snprintf(text, 512, "%s", hang->message);
}

/* The report of a hang says which rank is waited for, and makes no guess at the rest. */
static void test_hang(void)
{
	const struct trial t = { .kind = ALL_REDUCE, .n = 2, .count = 10 };
	char text[512] = "";
	int err = 0;

	open_ranks(2, NULL);
	NEED(call(&t, 0));
	while (!err && !text[0])
		err = npurt_hang_report(ranks[0].f.device, find_waiting, text);
	ok(!err && strstr(text, "'all-reduce 1, waits for rank 1'") && !strstr(text, "no stream"),
	   "a report of the hang names the rank that is waited for");
	printf("# %s\n", text);
	NEED(call(&t, 1));
	NEED(npurt_stream_synchronize(ranks[0].f.stream));
	NEED(npurt_stream_synchronize(ranks[1].f.stream));
	close_ranks(2);
}

static void test_timeout(unsigned int n)
{
	npurt_communicator_attr attr = { .size = sizeof(attr), .timeout_ms = SHORT_MS,
					 .label = "step" };
	const struct trial t = { .kind = ALL_GATHER, .n = n, .count = 100 };
	const struct trial nothing = { .kind = ALL_GATHER, .n = n };
	npurt_fault fault = { .size = sizeof(fault) };
	int err[MAX_RANKS];
	bool good = true;

	open_ranks(n, &attr);
	for (unsigned int i = 0; i < n; i++)
		NEED(call(&nothing, i));
	/* It may have come to pass before the last one is called. */
	for (unsigned int i = 1; i < n; i++) {
		err[i] = call(&t, i);
		good &= !err[i] || err[i] == NPURT_ERROR_COLLECTIVE;
	}
	for (unsigned int i = 1; i < n; i++)
		good &= npurt_stream_synchronize(ranks[i].f.stream) ==
			(err[i] ? 0 : NPURT_ERROR_COLLECTIVE);
	ok(good, "a wait for a rank that is not called ends at all of %u ranks", n);
	ok(stream_says(1, "step") && stream_says(1, "all-gather 2: time-out") &&
	   stream_says(1, "not called by rank 0"), "the message says which, and in which operation");
	WORKS(npurt_stream_get_fault(ranks[1].f.stream, &fault));
	ok(fault.command == NPURT_COMMAND_COLLECTIVE && fault.error == NPURT_ERROR_COLLECTIVE,
	   "and so does the fault");
	gives(call(&t, 0), NPURT_ERROR_COLLECTIVE, "the call that comes too late");
	check_afterwards(n);
	close_ranks(n);
}

/* Time-out is far; the waits of others find what happened to rank 1. */
static void test_fault(unsigned int n)
{
	const struct trial t = { .kind = ALL_REDUCE, .n = n, .count = 10000 };
	npurt_memory *gone;
	bool good = true;
	int err;

	open_ranks(n, NULL);
	gone = memory(ranks[1].f.context, NPURT_PLACE_HBM, 4096, "gone");
	for (unsigned int i = 0; i < n; i++) {
		if (i == 1)
			NEED(npurt_all_reduce_async(ranks[1].comm, ranks[1].f.stream, ranks[1].dst, 0,
						    ranks[1].src, 0, t.count, NPURT_F32, 0));
		else
			NEED(call(&t, i));
	}
	for (unsigned int i = 0; i < n; i++)
		NEED(npurt_stream_synchronize(ranks[i].f.stream));
	/* On rank 1: what comes before faults. */
	NEED(npurt_stream_destroy(ranks[1].f.stream));
	{
		npurt_stream_attr attr = { .size = sizeof(attr),
					   .flags = NPURT_STREAM_NO_AUTO_FLUSH };

		NEED(npurt_stream_create(ranks[1].f.context, &attr, &ranks[1].f.stream));
	}
	NEED(npurt_fill_async(ranks[1].f.stream, gone, 0, 1, 1, 4096));
	NEED(npurt_memory_destroy(gone));
	for (unsigned int i = 0; i < n; i++)
		NEED(call(&t, i));
	for (unsigned int i = 0; i < n; i++) {
		if (i == 1)
			continue;
		good &= npurt_stream_synchronize(ranks[i].f.stream) == NPURT_ERROR_COLLECTIVE &&
			stream_says(i, "all-reduce 2: rank 1: stream");
	}
	ok(good, "the fault of a rank's stream ends the operation of the other %u", n - 1);
	err = npurt_stream_synchronize(ranks[1].f.stream);
	gives(err, NPURT_ERROR_STREAM_FAULT, "the stream itself");
	ok(stream_says(1, "fill of 'gone'"), "for its own reason");
	check_afterwards(n);
	close_ranks(n);
}

/* The stream of a rank is aborted and reset before anybody looks. */
static void test_stream_abort(void)
{
	const struct trial t = { .kind = ALL_REDUCE, .n = 3, .count = 10000 };

	open_ranks(3, NULL);
	NEED(call(&t, 0));
	NEED(call(&t, 1));
	WORKS(npurt_stream_abort(ranks[0].f.stream));
	GIVES(npurt_stream_synchronize(ranks[1].f.stream), NPURT_ERROR_COLLECTIVE);
	ok(stream_says(1, "all-reduce 1: rank 0: stream") && stream_says(1, "aborted by the caller"),
	   "the abort of a rank's stream is a failure of all");
	check_afterwards(3);
	NEED(call(&t, 0));
	NEED(call(&t, 1));
	NEED(npurt_stream_abort(ranks[0].f.stream));
	NEED(npurt_stream_reset(ranks[0].f.stream));
	GIVES(npurt_stream_synchronize(ranks[1].f.stream), NPURT_ERROR_COLLECTIVE);
	ok(stream_says(1, "rank 0: stream") && stream_says(1, "dropped it"), "and so is its reset");
	check_afterwards(3);
	close_ranks(3);
}

/* A stream that goes on after failures: what follows is done, each collective fails. */
static void test_continue(void)
{
	npurt_stream_attr attr = { .size = sizeof(attr), .failure_mode = NPURT_FAIL_CONTINUE };
	const struct trial t = { .kind = ALL_REDUCE, .n = 2, .count = 1000 };
	uint8_t byte = 0;

	open_ranks(2, NULL);
	NEED(npurt_stream_destroy(ranks[0].f.stream));
	NEED(npurt_stream_create(ranks[0].f.context, &attr, &ranks[0].f.stream));
	NEED(call(&t, 0));
	NEED(npurt_communicator_abort(ranks[1].comm));
	NEED(npurt_fill_async(ranks[0].f.stream, ranks[0].src, 0, 7, 1, 1));
	npurt_stream_synchronize(ranks[0].f.stream);
	NEED(npurt_download(ranks[0].f.stream, &byte, ranks[0].src, 0, 1));
	ok(byte == 7, "a stream that goes on after failures does so after a collective's");
	check_afterwards(2);
	close_ranks(2);
}

/* Memory that goes while an operation has it. */
static void test_destroyed_memory(void)
{
	const struct trial t = { .kind = ALL_REDUCE, .n = 2, .count = 100000 };
	int a, b;

	open_ranks(2, NULL);
	NEED(call(&t, 0));
	NEED(npurt_memory_destroy(ranks[0].dst));
	NEED(call(&t, 1));
	b = npurt_stream_synchronize(ranks[1].f.stream);
	a = npurt_stream_synchronize(ranks[0].f.stream);
	gives(a, NPURT_ERROR_STREAM_FAULT, "an operation whose memory was destroyed");
	ok(stream_says(0, "collective") && stream_says(0, "'dst'"), "names it");
	/* The other one may have had all that it wants by then. */
	ok(!b || b == NPURT_ERROR_COLLECTIVE, "the other rank does not hang");
	ranks[0].dst = memory(ranks[0].f.context, NPURT_PLACE_HBM, BYTES, "dst");
	check_afterwards(2);
	close_ranks(2);
}

static void test_destroy(void)
{
	const struct trial t = { .kind = ALL_REDUCE, .n = 3, .count = 100000 };

	open_ranks(3, NULL);
	NEED(call(&t, 0));
	NEED(call(&t, 1));
	WORKS(npurt_communicator_destroy(ranks[1].comm));
	ranks[1].comm = NULL;
	GIVES(npurt_stream_synchronize(ranks[0].f.stream), NPURT_ERROR_COLLECTIVE);
	ok(stream_says(0, "rank 1: its communicator was destroyed"), "it says why");
	gives(call(&t, 2), NPURT_ERROR_COLLECTIVE, "a call of another rank");
	close_ranks(3);

	open_ranks(3, NULL);
	for (unsigned int i = 0; i < 3; i++)
		NEED(call(&t, i));
	NEED(npurt_stream_synchronize(ranks[1].f.stream));
	WORKS(npurt_communicator_destroy(ranks[1].comm));
	ranks[1].comm = NULL;
	WORKS(npurt_stream_synchronize(ranks[0].f.stream));
	gives(call(&t, 2), NPURT_ERROR_COLLECTIVE, "a call after a rank has gone");
	close_ranks(3);

	/* Its stream goes first. */
	open_ranks(2, NULL);
	NEED(call(&t, 0));
	new_stream(0);
	NEED(call(&t, 1));
	GIVES(npurt_stream_synchronize(ranks[1].f.stream), NPURT_ERROR_COLLECTIVE);
	close_ranks(2);
}

static void test_capture(void)
{
	const struct trial t = { .kind = ALL_REDUCE, .n = 1, .count = 10 };
	npurt_graph *graph = NULL;

	open_ranks(1, NULL);
	NEED(npurt_stream_begin_capture(ranks[0].f.stream, 0));
	gives(call(&t, 0), NPURT_ERROR_CAPTURE, "a collective in a capture");
	NEED(npurt_stream_end_capture(ranks[0].f.stream, &graph));
	NEED(npurt_graph_destroy(graph));
	close_ranks(1);
}

int main(void)
{
	test_arguments();
	for (unsigned int n = 1; n <= MAX_RANKS; n++)
		test_results(n);
	test_floats();
	test_threads();
	test_ahead();
	test_transfers();
	test_streams();
	test_mismatch();
	test_abort(2);
	test_abort(MAX_RANKS);
	test_hang();
	test_timeout(3);
	test_timeout(MAX_RANKS);
	test_fault(2);
	test_fault(MAX_RANKS);
	test_stream_abort();
	test_continue();
	test_destroyed_memory();
	test_destroy();
	test_capture();
	return rt_done();
}
