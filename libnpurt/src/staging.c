// SPDX-License-Identifier: MIT
/*
 * The staging ring: system memory in which data wait for SDMA on their way from
 * ordinary memory, and for the CPU on their way back. A piece is free again when
 * the batch with its copy has ended.
 */
#include "internal.h"

#include <stdlib.h>

#define MAX_MARKS 64
#define ALIGN 64

/* What ends at @end is in use until @point has passed. */
struct mark {
	uint64_t end;
	uint64_t point;
};

struct rt_staging {
	npurt_memory *memory;
	uint8_t *map;
	uint64_t head, tail; /* free-running; used is [tail, head) */
	uint64_t end; /* of the piece for the copy that is added next */
	struct mark marks[MAX_MARKS];
	unsigned int first_mark, num_marks;
};

static int create(npurt_stream *stream)
{
	const struct rt_memory_desc desc = {
		.bytes = RT_STAGING_BYTES,
		.placement = NPURT_PLACE_HOST,
		.label = "npurt: staging",
		.internal = true,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
	};
	struct rt_staging *staging = calloc(1, sizeof(*staging));
	void *map;
	int err;

	if (!staging)
		return rt_fail(&stream->diag, NPURT_ERROR_HOST_MEMORY, "allocate a staging ring");
	err = rt_memory_create(stream->context, &desc, &staging->memory);
	if (err)
		goto fail_staging;
	err = rt_memory_map(staging->memory, &map);
	if (err)
		goto fail_memory;
	staging->map = map;
	stream->staging = staging;
	return 0;

fail_memory:
	rt_memory_destroy(staging->memory);
fail_staging:
	free(staging);
	return err;
}

void rt_staging_destroy(struct rt_staging *staging)
{
	rt_memory_destroy(staging->memory);
	free(staging);
}

static struct mark *oldest(struct rt_staging *staging)
{
	return &staging->marks[staging->first_mark];
}

static struct mark *newest(struct rt_staging *staging)
{
	return &staging->marks[(staging->first_mark + staging->num_marks - 1) % MAX_MARKS];
}

static void drop_oldest(struct rt_staging *staging)
{
	staging->tail = oldest(staging)->end;
	staging->first_mark = (staging->first_mark + 1) % MAX_MARKS;
	staging->num_marks--;
}

static int wait_oldest(npurt_stream *stream)
{
	const uint64_t point = oldest(stream->staging)->point;
	int err = 0;

	if (point > stream->submitted)
		err = rt_stream_flush(stream);
	if (!err)
		err = rt_stream_wait_locked(stream, point);
	return err;
}

/* Where @bytes would begin without going around the end of the ring. */
static uint64_t place(const struct rt_staging *staging, uint32_t bytes)
{
	const uint64_t at = staging->head % RT_STAGING_BYTES;

	return at + bytes > RT_STAGING_BYTES ? staging->head + RT_STAGING_BYTES - at
					     : staging->head;
}

int rt_staging_alloc(npurt_stream *stream, uint32_t bytes, void **pointer, uint64_t *va)
{
	struct rt_staging *staging;
	uint64_t start;
	int err;

	if (!stream->staging) {
		err = create(stream);
		if (err)
			return err;
	}
	staging = stream->staging;
	bytes = (uint32_t)rt_align(bytes, ALIGN);
	start = place(staging, bytes);
	while (staging->num_marks) {
		const bool room = start + bytes - staging->tail <= RT_STAGING_BYTES &&
				  staging->num_marks < MAX_MARKS;

		if (oldest(staging)->point > rt_slot_value(stream->progress)) {
			if (room)
				break;
			err = wait_oldest(stream);
			if (err)
				return err;
		}
		drop_oldest(staging);
	}
	if (!staging->num_marks)
		staging->tail = start;
	staging->end = start + bytes;
	*pointer = staging->map + start % RT_STAGING_BYTES;
	*va = staging->memory->va + start % RT_STAGING_BYTES;
	return 0;
}

void rt_staging_used(npurt_stream *stream)
{
	struct rt_staging *staging = stream->staging;
	const uint64_t point = stream->submitted + 1;

	if (!staging->num_marks || newest(staging)->point != point)
		staging->num_marks++;
	*newest(staging) = (struct mark){ staging->end, point };
	staging->head = staging->end;
}
