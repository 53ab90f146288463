// SPDX-License-Identifier: MIT
/* Copies and fills, each against the same done by the CPU. */
#include "rt_test.h"

#define SIZE 65536u

struct pair {
	npurt_memory *memory;
	uint8_t *bytes; /* as the CPU sees it */
	uint8_t want[SIZE];
};

static struct pair make_pair(npurt_context *context, enum npurt_placement place, uint64_t seed)
{
	struct pair p;

	p.memory = memory(context, place, SIZE, place ? "host side" : "HBM side");
	p.bytes = mapped(p.memory);
	randomise(p.want, SIZE, seed);
	memcpy(p.bytes, p.want, SIZE);
	return p;
}

static void want_copy(uint8_t *dst, uint64_t dst_pitch, const uint8_t *src, uint64_t src_pitch,
		      uint64_t row_bytes, uint64_t rows)
{
	for (uint64_t row = 0; row < rows; row++)
		memcpy(dst + row * dst_pitch, src + row * src_pitch, row_bytes);
}

static bool agrees(const struct pair *p)
{
	return memcmp(p->bytes, p->want, SIZE) == 0;
}

static void test_1d(npurt_stream *stream, struct pair *dst, struct pair *src, const char *name)
{
	static const uint32_t cases[][3] = {
		{ 0, 0, SIZE }, { 1, 0, 1 }, { 0, 7, 3 }, { 4095, 1, 4098 }, { 33, 65, 40001 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		NEED(npurt_memcpy(stream, dst->memory, cases[i][0], src->memory, cases[i][1],
				  cases[i][2]));
		want_copy(dst->want + cases[i][0], 0, src->want + cases[i][1], 0, cases[i][2], 1);
		ok(agrees(dst) && agrees(src), "%s: %u bytes from %u to %u", name, cases[i][2],
		   cases[i][1], cases[i][0]);
	}
	WORKS(npurt_memcpy_async(stream, dst->memory, SIZE, src->memory, 0, 0));
}

static void test_2d(npurt_stream *stream, struct pair *dst, struct pair *src, const char *name)
{
	NEED(npurt_memcpy_2d(stream, dst->memory, 5, 300, src->memory, 9, 211, 199, 77));
	want_copy(dst->want + 5, 300, src->want + 9, 211, 199, 77);
	ok(agrees(dst), "%s: rows with a pitch on both sides", name);
}

/* One half of each row to the other; and one that would hit its own source. */
static void test_halves(npurt_stream *stream, struct pair *p)
{
	NEED(npurt_memcpy_2d(stream, p->memory, 0, 512, p->memory, 256, 512, 256, 100));
	want_copy(p->want, 512, p->want + 256, 512, 256, 100);
	ok(agrees(p), "rows of one memory may interleave");
	GIVES(npurt_memcpy_2d(stream, p->memory, 0, 512, p->memory, 255, 512, 256, 100),
	      NPURT_ERROR_INVALID);
	GIVES(npurt_memcpy_2d(stream, p->memory, 0, 512, p->memory, 512 + 257, 512, 256, 100),
	      NPURT_ERROR_INVALID);
}

static void test_fill(npurt_stream *stream, struct pair *p, const char *name)
{
	const uint64_t pattern = 0x1122334455667788ULL;

	for (uint32_t bytes = 1; bytes <= 8; bytes *= 2) {
		NEED(npurt_fill_async(stream, p->memory, 64, pattern, bytes, 1000 * bytes));
		NEED(npurt_fill_2d_async(stream, p->memory, 20000, 64 * bytes, pattern, bytes,
					 7 * bytes, 50));
		NEED(npurt_stream_synchronize(stream));
		for (uint32_t i = 0; i < 1000; i++)
			memcpy(p->want + 64 + i * bytes, &pattern, bytes);
		for (uint32_t i = 0; i < 350; i++)
			memcpy(p->want + 20000 + i / 7 * 64 * bytes + i % 7 * bytes, &pattern,
			       bytes);
		ok(agrees(p), "%s: fill with %u bytes, plain and in rows", name, bytes);
	}
}

static void test_refusals(npurt_stream *stream, struct pair *dst, struct pair *src)
{
	npurt_memory *d = dst->memory, *s = src->memory;
	char text[512];

	GIVES(npurt_memcpy(stream, d, 1, s, 0, SIZE), NPURT_ERROR_RANGE);
	WORKS(npurt_stream_error_message(stream, text, sizeof(text)));
	ok(strstr(text, "dst") && strstr(text, "65536"), "the message has the numbers: %s", text);
	GIVES(npurt_memcpy(stream, d, 0, s, UINT64_MAX, 2), NPURT_ERROR_RANGE);
	GIVES(npurt_memcpy(stream, d, 0, s, 0, UINT64_MAX), NPURT_ERROR_RANGE);
	GIVES(npurt_memcpy_2d(stream, d, 0, 8, s, 0, 16, 16, 2), NPURT_ERROR_INVALID);
	GIVES(npurt_memcpy_2d(stream, d, 0, 1ULL << 63, s, 0, 16, 16, 3), NPURT_ERROR_RANGE);
	GIVES(npurt_memcpy_2d(stream, d, 0, 1024, s, 0, 1024, 1, 66), NPURT_ERROR_RANGE);
	GIVES(npurt_memcpy(stream, d, 0, d, 100, 101), NPURT_ERROR_INVALID);
	WORKS(npurt_memcpy(stream, d, 0, d, 100, 100));
	memcpy(dst->want, dst->want + 100, 100);
	GIVES(npurt_memcpy(stream, NULL, 0, s, 0, 1), NPURT_ERROR_INVALID);
	GIVES(npurt_memcpy(NULL, d, 0, s, 0, 1), NPURT_ERROR_INVALID);
	GIVES(npurt_fill_async(stream, d, 0, 0, 3, 3), NPURT_ERROR_INVALID);
	GIVES(npurt_fill_async(stream, d, 2, 0, 4, 8), NPURT_ERROR_INVALID);
	GIVES(npurt_fill_async(stream, d, 0, 0, 0, 8), NPURT_ERROR_INVALID);
	GIVES(npurt_fill_async(stream, d, SIZE, 0, 4, 4), NPURT_ERROR_RANGE);
	WORKS(npurt_stream_synchronize(stream));
	ok(agrees(dst) && agrees(src), "what was refused changed nothing");
}

static void test_contexts(struct fixture *f, struct pair *p)
{
	npurt_context *other;
	npurt_memory *foreign;

	NEED(npurt_context_create(f->device, NULL, &other));
	foreign = memory(other, NPURT_PLACE_HBM, 4096, "foreign");
	GIVES(npurt_memcpy(f->stream, p->memory, 0, foreign, 0, 16), NPURT_ERROR_INVALID);
	GIVES(npurt_fill_async(f->stream, foreign, 0, 0, 1, 16), NPURT_ERROR_INVALID);
	NEED(npurt_memory_destroy(foreign));
	WORKS(npurt_context_destroy(other));
}

/* Through the staging ring, larger than it and not a multiple of its pieces. */
static void test_transfer(struct fixture *f, uint64_t size)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, size + 100, "transfer");
	uint8_t *out = malloc(size), *in = calloc(1, size);

	randomise(out, size, size);
	NEED(npurt_upload(f->stream, m, 33, out, size));
	/* An upload has let go of the memory when it returns. */
	in[0] = out[0];
	out[0] = (uint8_t)~out[0];
	NEED(npurt_download(f->stream, in, m, 33, size));
	out[0] = (uint8_t)~out[0];
	ok(memcmp(in, out, size) == 0, "%llu bytes up and down", (unsigned long long)size);
	GIVES(npurt_upload(f->stream, m, 101, out, size), NPURT_ERROR_RANGE);
	GIVES(npurt_download(f->stream, NULL, m, 0, size), NPURT_ERROR_INVALID);
	NEED(npurt_memory_destroy(m));
	free(out);
	free(in);
}

static void test_transfer_2d(struct fixture *f, uint64_t row_bytes, uint64_t rows)
{
	const uint64_t pitch = row_bytes + 24, host_pitch = row_bytes + 8;
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, rows * pitch, "matrix");
	uint8_t *out = malloc(rows * host_pitch), *in = malloc(rows * host_pitch);
	bool same = true;

	randomise(out, rows * host_pitch, rows);
	memset(in, 0x5a, rows * host_pitch);
	NEED(npurt_upload_2d(f->stream, m, 24, pitch, out, host_pitch, row_bytes, rows));
	NEED(npurt_download_2d(f->stream, in, host_pitch, m, 24, pitch, row_bytes, rows));
	for (uint64_t row = 0; row < rows; row++) {
		const uint64_t at = row * host_pitch;

		same &= memcmp(in + at, out + at, row_bytes) == 0;
		same &= in[at + row_bytes] == 0x5a;
	}
	ok(same, "%llu rows of %llu bytes up and down, the rest untouched",
	   (unsigned long long)rows, (unsigned long long)row_bytes);
	NEED(npurt_memory_destroy(m));
	free(out);
	free(in);
}

/* Small uploads share a batch and wrap around the staging ring. */
static void test_small_uploads(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 16 << 20, "small uploads");
	uint8_t *out = malloc(16 << 20), *in = malloc(16 << 20);
	uint64_t seed = 1, at = 0;

	randomise(out, 16 << 20, 9);
	while (at < 16 << 20) {
		uint64_t bytes = 1 + rt_random(&seed) % 30000;

		bytes = bytes < (16 << 20) - at ? bytes : (16 << 20) - at;
		NEED(npurt_upload(f->stream, m, at, out + at, bytes));
		at += bytes;
	}
	NEED(npurt_download(f->stream, in, m, 0, 16 << 20));
	ok(memcmp(in, out, 16 << 20) == 0, "many small uploads");
	NEED(npurt_memory_destroy(m));
	free(out);
	free(in);
}

/*
 * Uploads that wrap around the staging ring while nothing is flushed, so that the first of
 * them comes at each place near the end of a command chunk.
 */
static void test_full_chunk(struct fixture *f)
{
	const uint64_t size = 70 << 16;
	npurt_stream_attr lazy = { .size = sizeof(lazy), .flags = NPURT_STREAM_NO_AUTO_FLUSH };
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, size, "behind a full chunk");
	uint8_t *out = malloc(size), *in = malloc(size);
	bool same = true;

	for (uint32_t before = 1016; before < 1028; before++) {
		npurt_stream *stream;

		randomise(out, size, before);
		NEED(npurt_stream_create(f->context, &lazy, &stream));
		for (uint32_t i = 0; i < before; i++)
			NEED(npurt_fill_async(stream, m, 0, i, 1, 1));
		for (uint64_t at = 0; at < size; at += 1 << 16)
			NEED(npurt_upload(stream, m, at, out + at, 1 << 16));
		NEED(npurt_download(stream, in, m, 0, size));
		same &= memcmp(in, out, size) == 0;
		NEED(npurt_stream_destroy(stream));
	}
	ok(same, "uploads keep their data when a command chunk is full");
	NEED(npurt_memory_destroy(m));
	free(out);
	free(in);
}

int main(void)
{
	struct fixture f = fixture_open();
	struct pair hbm = make_pair(f.context, NPURT_PLACE_HBM, 1);
	struct pair host = make_pair(f.context, NPURT_PLACE_HOST, 2);
	struct pair hbm2 = make_pair(f.context, NPURT_PLACE_HBM, 3);

	test_1d(f.stream, &hbm, &host, "host to HBM");
	test_1d(f.stream, &host, &hbm2, "HBM to host");
	test_1d(f.stream, &hbm, &hbm2, "HBM to HBM");
	test_2d(f.stream, &hbm, &host, "host to HBM");
	test_2d(f.stream, &host, &hbm2, "HBM to host");
	test_halves(f.stream, &hbm2);
	test_fill(f.stream, &hbm, "HBM");
	test_fill(f.stream, &host, "host");
	test_refusals(f.stream, &hbm, &host);
	test_contexts(&f, &hbm);
	test_transfer(&f, 1);
	test_transfer(&f, 65537);
	test_transfer(&f, (9 << 20) + 12345);
	test_transfer_2d(&f, 100, 3000);
	test_transfer_2d(&f, 700000, 5);
	test_small_uploads(&f);
	test_full_chunk(&f);
	NEED(npurt_memory_destroy(hbm.memory));
	NEED(npurt_memory_destroy(host.memory));
	NEED(npurt_memory_destroy(hbm2.memory));
	fixture_close(&f);
	return rt_done();
}
