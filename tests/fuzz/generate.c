// SPDX-License-Identifier: MIT
/* Arguments that are right in most places, so that calls get past the first check. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <drm/npu_accel.h>

#include "fuzz.h"

/* splitmix64: the same numbers from the same seed, everywhere. */
uint64_t any(struct state *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t below(struct state *s, uint64_t n)
{
	return any(s) % n;
}

bool chance(struct state *s, unsigned int n)
{
	return !below(s, n);
}

bool object_is_fd(enum object type)
{
	return type == O_DMABUF || type == O_SYNCFILE || type == O_PERF;
}

/* A full table forgets: what has a handle lives until the file is closed. */
void objects_add(struct state *s, enum object type, uint32_t id, uint64_t size)
{
	unsigned int i = s->objects[type].count;

	if (i == MAX_OBJECTS) {
		i = below(s, MAX_OBJECTS);
		if (object_is_fd(type))
			close(s->objects[type].id[i]);
	} else {
		s->objects[type].count++;
	}
	s->objects[type].id[i] = id;
	s->objects[type].size[i] = size;
}

static int find(struct state *s, enum object type, uint32_t id)
{
	for (unsigned int i = 0; i < s->objects[type].count; i++) {
		if (s->objects[type].id[i] == id)
			return i;
	}
	return -1;
}

void objects_remove(struct state *s, enum object type, uint32_t id)
{
	int i = find(s, type, id);
	unsigned int last;

	if (i < 0)
		return;
	last = --s->objects[type].count;
	s->objects[type].id[i] = s->objects[type].id[last];
	s->objects[type].size[i] = s->objects[type].size[last];
}

uint32_t objects_pick(struct state *s, enum object type)
{
	if (s->objects[type].count && !chance(s, 12))
		return s->objects[type].id[below(s, s->objects[type].count)];
	/* Small numbers are what another thread's objects have in a file that is shared. */
	return chance(s, 4) ? any(s) : below(s, 16);
}

uint64_t objects_size(struct state *s, enum object type, uint32_t id)
{
	int i = find(s, type, id);

	return i < 0 || !s->objects[type].size[i] ? 4096 : s->objects[type].size[i];
}

/* Memory that ends where the page does, now and then, so that a byte read too many faults. */
static void *take(struct state *s, size_t size)
{
	uint8_t *at = s->free;

	size = size ?: 1;
	if (chance(s, 8))
		return s->scratch_end - size;
	s->free += (size + 15) & ~15ull;
	return at;
}

/* Now and then a pointer to nowhere. */
static uint64_t pointer(struct state *s, void *to)
{
	static const uint64_t bad[] = { 0, 1, 0x1000, 0xffff800000000000, ~0ull, 1ull << 63 };

	if (chance(s, 60))
		return bad[below(s, sizeof(bad) / sizeof(bad[0]))];
	if (chance(s, 80))
		return (uintptr_t)s->scratch_end;
	return (uintptr_t)to;
}

static uint64_t interesting(struct state *s)
{
	switch (below(s, 6)) {
	case 0:
		return 1ull << below(s, 64);
	case 1:
		return (1ull << below(s, 64)) - 1;
	case 2:
		return -below(s, 5000);
	case 3:
		return below(s, 5000);
	case 4:
		return any(s) & ~4095ull;
	default:
		return any(s);
	}
}

static void fill(struct state *s, const struct record *record, uint8_t *data);

/* Strides: the right one, an older one, a newer one, and any. */
static struct drm_npu_array array(struct state *s, const struct field *f)
{
	uint32_t stride = f->elem->size, count = below(s, f->limit + 1);
	struct drm_npu_array a;
	uint8_t *data;

	if (chance(s, 12))
		stride = below(s, 4) ? stride + 8 * below(s, 4) : 8 * below(s, 12);
	data = take(s, (size_t)stride * count + f->elem->size);
	memset(data, 0, (size_t)stride * count);
	for (uint32_t i = 0; i < count; i++)
		fill(s, f->elem, data + (size_t)i * stride);
	a.stride = stride;
	a.count = chance(s, 60) ? interesting(s) : count;
	a.array = pointer(s, data);
	return a;
}

static uint64_t handles(struct state *s, const struct field *f)
{
	uint32_t *list = take(s, 4 * sizeof(*list));

	for (int i = 0; i < 4; i++)
		list[i] = objects_pick(s, f->limit);
	return pointer(s, list);
}

static uint64_t numbers(struct state *s)
{
	uint64_t *list = take(s, 4 * sizeof(*list));

	for (int i = 0; i < 4; i++)
		list[i] = below(s, 4);
	return pointer(s, list);
}

static uint64_t text(struct state *s)
{
	size_t length = below(s, 80);
	char *string = take(s, length + 1);

	for (size_t i = 0; i < length; i++)
		string[i] = chance(s, 20) ? any(s) : 'a' + below(s, 26);
	string[length] = 0;
	return pointer(s, string);
}

static uint64_t soon(struct state *s)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec + below(s, 3) * 1000000;
}

static uint64_t value(struct state *s, const struct field *f)
{
	switch (f->kind) {
	case K_ZERO:
	case K_OUT:
	case K_NEW:
		return 0;
	case K_FLAGS:
	case K_SURE:
		return any(s) & any(s) & f->limit;
	case K_ENUM:
	case K_COUNT:
	case K_FEW:
		return below(s, f->limit + 1);
	case K_FD:
	case K_HANDLE:
		return objects_pick(s, f->limit);
	case K_PAGES:
		return (1 + below(s, f->limit / 4096)) * 4096;
	case K_VA:
		return chance(s, 6) ? LIST_VA + below(s, 16) * 4096 :
		       DATA_VA + below(s, DATA_VA_SIZE >> 12) * 4096;
	case K_LIST:
		return LIST_VA + below(s, 64) * 64;
	case K_SOURCE:
		return below(s, f->limit / 4096) * 4096;
	case K_BUFFER:
		return pointer(s, take(s, f->limit));
	case K_STRING:
		return chance(s, 6) ? 0 : text(s);
	case K_HANDLES:
		return handles(s, f);
	case K_POINTS:
		return numbers(s);
	case K_NOW:
		return soon(s);
	default:
		return any(s);
	}
}

/* One field in thirty or so is not what it should be; but nobody waits for ever. */
static void spoil(struct state *s, const struct record *record, uint8_t *data)
{
	const struct field *f = &record->fields[below(s, record->num_fields)];
	uint64_t v = interesting(s);

	if (f->kind != K_FEW && f->kind != K_SURE && f->kind != K_NOW)
		memcpy(data + f->offset, &v, f->size < sizeof(v) ? f->size : sizeof(v));
}

static void fill(struct state *s, const struct record *record, uint8_t *data)
{
	for (unsigned int i = 0; i < record->num_fields; i++) {
		const struct field *f = &record->fields[i];

		if (f->kind == K_ARRAY) {
			struct drm_npu_array a = array(s, f);

			memcpy(data + f->offset, &a, sizeof(a));
		} else {
			uint64_t v = value(s, f);

			memcpy(data + f->offset, &v, f->size);
		}
	}
	if (record->fit && !chance(s, 20))
		record->fit(s, data);
	if (chance(s, 30))
		spoil(s, record, data);
}

void *generate(struct state *s, const struct record *record, uint32_t *size)
{
	uint8_t *data;

	s->free = s->scratch;
	*size = record->size;
	if (chance(s, 25))
		*size = 8 * below(s, record->size / 8 + 3);
	data = take(s, *size > record->size ? *size : record->size);
	memset(data, 0, *size > record->size ? *size : record->size);
	fill(s, record, data);
	if (*size > record->size && chance(s, 2))
		data[*size - 1] = any(s);
	return data;
}
