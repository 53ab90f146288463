// SPDX-License-Identifier: MIT
/* Copies in 3D, many in one call, and reductions. */
#include "rt_test.h"

#define SIDE 32u
#define BYTES (SIDE * SIDE * SIDE)

struct cubes {
	npurt_memory *src, *dst;
	uint8_t *from, *to, want[BYTES];
};

static void make_cubes(npurt_context *context, struct cubes *c)
{
	c->src = memory(context, NPURT_PLACE_HOST, BYTES, "from");
	c->dst = memory(context, NPURT_PLACE_HOST, BYTES, "to");
	c->from = mapped(c->src);
	c->to = mapped(c->dst);
	randomise(c->from, BYTES, 5);
}

static npurt_copy cube_copy(const struct cubes *c)
{
	return (npurt_copy){
		.size = sizeof(npurt_copy), .dst = c->dst, .src = c->src, .row_bytes = SIDE,
		.rows = SIDE, .slices = SIDE, .dst_pitch = SIDE, .src_pitch = SIDE,
		.dst_slice_pitch = SIDE * SIDE, .src_slice_pitch = SIDE * SIDE,
	};
}

/* The same, by the CPU. */
static void expect(struct cubes *c, const npurt_copy *copy)
{
	for (uint64_t z = 0; z < copy->slices; z++) {
		for (uint64_t y = 0; y < copy->rows; y++)
			memcpy(c->want + copy->dst_offset + z * copy->dst_slice_pitch +
				       y * copy->dst_pitch,
			       c->from + copy->src_offset + z * copy->src_slice_pitch +
				       y * copy->src_pitch,
			       copy->row_bytes);
	}
}

static void test_3d(struct fixture *f)
{
	npurt_copy copy, bad;
	struct cubes c;
	char text[256];

	make_cubes(f->context, &c);
	copy = cube_copy(&c);
	WORKS(npurt_memcpy_3d_async(f->stream, &copy));
	NEED(npurt_stream_synchronize(f->stream));
	ok(memcmp(c.from, c.to, BYTES) == 0, "all of a cube is copied");

	memset(c.to, 0, BYTES);
	memset(c.want, 0, BYTES);
	copy.row_bytes = 7;
	copy.rows = 5;
	copy.slices = 9;
	copy.dst_offset = 3 * SIDE * SIDE + 2 * SIDE + 1;
	copy.src_offset = SIDE + 11;
	expect(&c, &copy);
	WORKS(npurt_memcpy_3d_async(f->stream, &copy));
	NEED(npurt_stream_synchronize(f->stream));
	ok(memcmp(c.want, c.to, BYTES) == 0, "and a box of it to another place");

	copy = (npurt_copy){ .size = sizeof(copy), .dst = c.dst, .src = c.src, .row_bytes = 100 };
	WORKS(npurt_memcpy_3d_async(f->stream, &copy));
	copy.row_bytes = 0;
	WORKS(npurt_memcpy_3d_async(f->stream, &copy));
	bad = cube_copy(&c);
	bad.dst_offset = 1;
	GIVES(npurt_memcpy_3d_async(f->stream, &bad), NPURT_ERROR_RANGE);
	bad = cube_copy(&c);
	bad.src_slice_pitch--;
	GIVES(npurt_memcpy_3d_async(f->stream, &bad), NPURT_ERROR_INVALID);
	NEED(npurt_stream_error_message(f->stream, text, sizeof(text)));
	ok(strstr(text, "src slice pitch 1023"), "the message has the number: %s", text);
	bad = cube_copy(&c);
	bad.src_slice_pitch = bad.dst_slice_pitch = UINT64_MAX / 2;
	GIVES(npurt_memcpy_3d_async(f->stream, &bad), NPURT_ERROR_RANGE);
	bad = cube_copy(&c);
	bad.src = bad.dst;
	GIVES(npurt_memcpy_3d_async(f->stream, &bad), NPURT_ERROR_INVALID);
	GIVES(npurt_memcpy_3d_async(f->stream, NULL), NPURT_ERROR_INVALID);
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_memory_destroy(c.src));
	NEED(npurt_memory_destroy(c.dst));
}

#define MANY 300

static void test_batch(struct fixture *f)
{
	static npurt_copy copies[MANY];
	struct cubes c;
	char text[256];

	make_cubes(f->context, &c);
	memset(c.want, 0, BYTES);
	for (unsigned int i = 0; i < MANY; i++) {
		copies[i] = (npurt_copy){
			.size = sizeof(copies[i]), .dst = c.dst, .src = c.src,
			.dst_offset = i * 100, .src_offset = (MANY - i) * 97, .row_bytes = i % 90,
			.rows = 1, .slices = 1,
		};
		expect(&c, &copies[i]);
	}
	WORKS(npurt_memcpy_batch_async(f->stream, copies, MANY));
	NEED(npurt_stream_synchronize(f->stream));
	ok(memcmp(c.want, c.to, BYTES) == 0, "%u copies in one call", MANY);

	memset(c.to, 0, BYTES);
	copies[200].dst_offset = BYTES - 1;
	GIVES(npurt_memcpy_batch_async(f->stream, copies, MANY), NPURT_ERROR_RANGE);
	NEED(npurt_stream_error_message(f->stream, text, sizeof(text)));
	ok(strstr(text, "copies[200]"), "the message names the one: %s", text);
	NEED(npurt_stream_synchronize(f->stream));
	memset(c.want, 0, BYTES);
	ok(memcmp(c.want, c.to, BYTES) == 0, "and none was done");
	copies[1].size--;
	GIVES(npurt_memcpy_batch_async(f->stream, copies, MANY), NPURT_ERROR_INVALID);
	WORKS(npurt_memcpy_batch_async(f->stream, NULL, 0));
	GIVES(npurt_memcpy_batch_async(f->stream, NULL, 1), NPURT_ERROR_INVALID);
	NEED(npurt_memory_destroy(c.src));
	NEED(npurt_memory_destroy(c.dst));
}

#define COUNT_OF(type) (4096 / sizeof(type))

static void test_reduce(struct fixture *f)
{
	npurt_memory *dst = memory(f->context, NPURT_PLACE_HBM, 4096, "sum");
	npurt_memory *src = memory(f->context, NPURT_PLACE_HOST, 4096, "part");
	float *floats = mapped(src), *sums = mapped(dst);
	int8_t *small = mapped(src), *results = mapped(dst);
	bool right = true;

	for (unsigned int i = 0; i < COUNT_OF(float); i++) {
		floats[i] = (float)i / 3;
		sums[i] = 1000 - (float)i;
	}
	WORKS(npurt_reduce_async(f->stream, dst, 0, src, 0, COUNT_OF(float), NPURT_F32,
				 NPURT_REDUCE_ADD));
	NEED(npurt_stream_synchronize(f->stream));
	for (unsigned int i = 0; i < COUNT_OF(float); i++)
		right &= sums[i] == 1000 - (float)i + (float)i / 3;
	ok(right, "floats are added");
	WORKS(npurt_reduce_async(f->stream, dst, 0, dst, 0, COUNT_OF(float), NPURT_F32,
				 NPURT_REDUCE_ADD));
	NEED(npurt_stream_synchronize(f->stream));
	ok(sums[0] == 2000, "and to themselves");

	for (unsigned int i = 0; i < 4096; i++) {
		small[i] = (int8_t)i;
		results[i] = 10;
	}
	WORKS(npurt_reduce_async(f->stream, dst, 0, src, 0, 2048, NPURT_S8, NPURT_REDUCE_MIN));
	WORKS(npurt_reduce_async(f->stream, dst, 2048, src, 2048, 2048, NPURT_S8,
				 NPURT_REDUCE_MAX));
	NEED(npurt_stream_synchronize(f->stream));
	ok(results[5] == 5 && results[100] == 10 && results[200] == -56 && results[2053] == 10 &&
		   results[2148] == 100 && results[2248] == 10,
	   "the least and the greatest of signed bytes");

	WORKS(npurt_reduce_async(f->stream, dst, 0, src, 0, 0, NPURT_S8, NPURT_REDUCE_MIN));
	GIVES(npurt_reduce_async(f->stream, dst, 2, src, 0, 8, NPURT_F32, NPURT_REDUCE_ADD),
	      NPURT_ERROR_INVALID);
	GIVES(npurt_reduce_async(f->stream, dst, 0, dst, 4, 8, NPURT_F32, NPURT_REDUCE_ADD),
	      NPURT_ERROR_INVALID);
	GIVES(npurt_reduce_async(f->stream, dst, 0, src, 0, 1025, NPURT_F32, NPURT_REDUCE_ADD),
	      NPURT_ERROR_RANGE);
	GIVES(npurt_reduce_async(f->stream, dst, 0, src, 0, UINT64_MAX, NPURT_F32,
				 NPURT_REDUCE_ADD),
	      NPURT_ERROR_RANGE);
	GIVES(npurt_reduce_async(f->stream, dst, 0, src, 0, 8, 7, NPURT_REDUCE_ADD),
	      NPURT_ERROR_INVALID);
	GIVES(npurt_reduce_async(f->stream, dst, 0, src, 0, 8, NPURT_F32, 3),
	      NPURT_ERROR_INVALID);
	NEED(npurt_memory_destroy(src));
	NEED(npurt_memory_destroy(dst));
}

int main(void)
{
	struct fixture f = fixture_open();

	test_3d(&f);
	test_batch(&f);
	test_reduce(&f);
	fixture_close(&f);
	return rt_done();
}
