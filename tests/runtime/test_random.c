// SPDX-License-Identifier: MIT
/*
 * Random commands on several streams, ordered by events alone, against the same done by
 * the CPU at once. An event is recorded again and again, on whichever stream it comes to.
 */
#include "rt_test.h"

#define STREAMS 3
#define BUFFERS 5
#define SIZE 40000u
#define PITCH 400u
#define OPERATIONS 1500

struct buffer {
	npurt_memory *memory;
	npurt_event *last_use;
	uint32_t last_stream;
	uint8_t want[SIZE];
};

struct world {
	npurt_context *context;
	npurt_stream *streams[STREAMS];
	struct buffer buffers[BUFFERS];
	uint64_t seed;
};

static uint32_t pick(struct world *w, uint32_t below)
{
	return rt_random(&w->seed) % below;
}

/* Nobody uses a buffer before the stream that used it last is through with it. */
static void acquire(struct world *w, struct buffer *b, uint32_t stream)
{
	if (b->last_stream != stream)
		NEED(npurt_stream_wait_event(w->streams[stream], b->last_use));
}

static void release(struct world *w, struct buffer *b, uint32_t stream)
{
	NEED(npurt_event_record(b->last_use, w->streams[stream]));
	b->last_stream = stream;
}

static void do_copy(struct world *w, npurt_stream *stream, struct buffer *dst, struct buffer *src)
{
	const uint32_t bytes = 1 + pick(w, SIZE - 1);
	const uint32_t to = pick(w, SIZE - bytes + 1), from = pick(w, SIZE - bytes + 1);

	NEED(npurt_memcpy_async(stream, dst->memory, to, src->memory, from, bytes));
	memcpy(dst->want + to, src->want + from, bytes);
}

static void do_copy_2d(struct world *w, npurt_stream *stream, struct buffer *dst,
		       struct buffer *src)
{
	const uint32_t row_bytes = 1 + pick(w, PITCH), rows = 1 + pick(w, SIZE / PITCH - 1);
	const uint32_t src_pitch = row_bytes + pick(w, PITCH - row_bytes + 1);

	NEED(npurt_memcpy_2d_async(stream, dst->memory, 0, PITCH, src->memory, 0, src_pitch,
				   row_bytes, rows));
	for (uint32_t row = 0; row < rows; row++)
		memcpy(dst->want + row * PITCH, src->want + row * src_pitch, row_bytes);
}

static void do_fill(struct world *w, npurt_stream *stream, struct buffer *dst)
{
	const uint32_t unit = 1u << pick(w, 4), count = 1 + pick(w, SIZE / unit - 1);
	const uint32_t at = pick(w, SIZE / unit - count + 1) * unit;
	const uint64_t pattern = (uint64_t)pick(w, UINT32_MAX) << 32 | pick(w, UINT32_MAX);

	NEED(npurt_fill_async(stream, dst->memory, at, pattern, unit, (uint64_t)count * unit));
	for (uint32_t i = 0; i < count; i++)
		memcpy(dst->want + at + i * unit, &pattern, unit);
}

static void do_upload(struct world *w, npurt_stream *stream, struct buffer *dst)
{
	const uint32_t bytes = 1 + pick(w, SIZE - 1), at = pick(w, SIZE - bytes + 1);

	randomise(dst->want + at, bytes, w->seed);
	NEED(npurt_upload(stream, dst->memory, at, dst->want + at, bytes));
}

static bool do_download(struct world *w, npurt_stream *stream, struct buffer *src)
{
	static uint8_t got[SIZE];
	const uint32_t bytes = 1 + pick(w, SIZE - 1), at = pick(w, SIZE - bytes + 1);

	NEED(npurt_download(stream, got, src->memory, at, bytes));
	return memcmp(got, src->want + at, bytes) == 0;
}

static bool operate(struct world *w)
{
	const uint32_t s = pick(w, STREAMS), d = pick(w, BUFFERS), choice = pick(w, 100);
	struct buffer *dst = &w->buffers[d];
	struct buffer *src = &w->buffers[(d + 1 + pick(w, BUFFERS - 1)) % BUFFERS];
	npurt_stream *stream = w->streams[s];
	bool right = true;

	acquire(w, dst, s);
	acquire(w, src, s);
	if (choice < 35)
		do_copy(w, stream, dst, src);
	else if (choice < 55)
		do_copy_2d(w, stream, dst, src);
	else if (choice < 75)
		do_fill(w, stream, dst);
	else if (choice < 90)
		do_upload(w, stream, dst);
	else if (choice < 95)
		right = do_download(w, stream, dst);
	else
		NEED(npurt_stream_flush(stream));
	release(w, dst, s);
	release(w, src, s);
	return right;
}

static void create(struct world *w, npurt_context *context, uint64_t seed)
{
	w->context = context;
	w->seed = seed;
	for (uint32_t i = 0; i < STREAMS; i++) {
		npurt_stream_attr attr = {
			.size = sizeof(attr),
			.flags = i ? 0 : NPURT_STREAM_NO_AUTO_FLUSH,
		};

		NEED(npurt_stream_create(context, &attr, &w->streams[i]));
	}
	for (uint32_t i = 0; i < BUFFERS; i++) {
		struct buffer *b = &w->buffers[i];

		b->memory = memory(context, i % 2, SIZE, "random");
		b->last_stream = 0;
		memset(b->want, 0, SIZE);
		NEED(npurt_event_create(context, NULL, &b->last_use));
	}
}

static bool finish(struct world *w)
{
	bool right = true;

	for (uint32_t i = 0; i < STREAMS; i++)
		NEED(npurt_stream_synchronize(w->streams[i]));
	for (uint32_t i = 0; i < BUFFERS; i++) {
		right &= memcmp(mapped(w->buffers[i].memory), w->buffers[i].want, SIZE) == 0;
		NEED(npurt_event_destroy(w->buffers[i].last_use));
		NEED(npurt_memory_destroy(w->buffers[i].memory));
	}
	for (uint32_t i = 0; i < STREAMS; i++)
		NEED(npurt_stream_destroy(w->streams[i]));
	return right;
}

int main(int argc, char **argv)
{
	const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	struct fixture f = fixture_open();
	static struct world w;

	for (uint64_t seed = first; seed < first + 4; seed++) {
		bool right = true;

		create(&w, f.context, seed);
		for (int i = 0; i < OPERATIONS && right; i++)
			right = operate(&w);
		ok(right, "seed %llu: each download has what it should", (unsigned long long)seed);
		ok(finish(&w), "seed %llu: so has all memory at the end", (unsigned long long)seed);
	}
	fixture_close(&f);
	return rt_done();
}
