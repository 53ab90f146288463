/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer's parts: what the interface looks like (describe.c), arguments that are nearly right
 * (generate.c), calls that are no ioctls of the driver (calls.c), and the threads (npu_fuzz.c).
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** enum kind - what a field means */
enum kind {
	K_ZERO, /* padding */
	K_OUT, /* written by the kernel */
	K_ANY,
	K_FLAGS, /* bits of .limit */
	K_SURE, /* likewise, never others: drm_syncobj_find_fence() keeps an object when it refuses flags */
	K_ENUM, /* up to .limit */
	K_COUNT, /* small number, up to .limit */
	K_FEW, /* likewise, never more: the DRM core allocates as much as it is told to, and warns */
	K_FD, /* dma-buf or sync file, .limit says of which object */
	K_HANDLE, /* object of type .limit */
	K_NEW, /* out: a new object of type .limit */
	K_PAGES, /* multiple of 4096 up to .limit */
	K_VA, /* device address */
	K_LIST, /* device address of a command list */
	K_SOURCE, /* offset in a buffer, or user memory */
	K_BUFFER, /* user pointer to .limit bytes, for the kernel to write */
	K_STRING, /* user pointer to text */
	K_ARRAY, /* struct drm_npu_array of .elem */
	K_HANDLES, /* user pointer to a few handles of type .limit */
	K_POINTS, /* user pointer to as many u64 */
	K_NOW, /* absolute time that is near or past */
};

enum object {
	O_NONE, O_VM, O_BO, O_QUEUE, O_SYNCOBJ, O_DMABUF, O_SYNCFILE, O_PERF,
	O_COUNT
};

struct record;
struct state;

/** struct field - a member of a structure */
struct field {
	const char *name;
	enum kind kind;
	uint16_t offset;
	uint16_t size;
	uint64_t limit;
	const struct record *elem;
};

/** struct record - a structure of the interface */
struct record {
	const char *name;
	uint16_t size;
	uint16_t num_fields;
	const struct field *fields;
	/* Makes the fields fit each other, as what is random seldom does. */
	void (*fit)(struct state *s, void *data);
};

/** struct call - an ioctl, or something else to do */
struct call {
	const char *name;
	uint32_t request;
	const struct record *record;
	/* The type of the object that a success destroys. */
	enum object destroys;
	/* Weight among all calls. */
	uint8_t weight;
	/* Instead of an ioctl. */
	int (*run)(struct state *s);
};

#define MAX_OBJECTS 24
#define MAX_MAPS 8
/* Memory whose pages come and go under what the device has mapped. */
#define ARENA_SIZE (1 << 20)
#define LIST_VA 0x180000000ULL
#define DATA_VA 0x200000000ULL
#define DATA_VA_SIZE 0x10000000ULL

/** struct state - a thread's own */
struct state {
	uint64_t random;
	int fd;
	struct {
		uint32_t id[MAX_OBJECTS];
		uint64_t size[MAX_OBJECTS];
		unsigned int count;
	} objects[O_COUNT];
	struct {
		void *at;
		size_t size;
	} maps[MAX_MAPS];
	uint8_t *arena;
	/* Where arguments and what they point to are put; the page after it is not there. */
	uint8_t *scratch, *scratch_end, *free;
	bool verbose;
};

extern const struct call calls[];
extern const unsigned int num_calls;

uint64_t any(struct state *s);
/** below() - a number from 0 to @n - 1 */
uint64_t below(struct state *s, uint64_t n);
/** chance() - true once in @n times */
bool chance(struct state *s, unsigned int n);

bool object_is_fd(enum object type);
void objects_add(struct state *s, enum object type, uint32_t id, uint64_t size);
void objects_remove(struct state *s, enum object type, uint32_t id);
/** objects_pick() - one of the type, or a number that is none */
uint32_t objects_pick(struct state *s, enum object type);
uint64_t objects_size(struct state *s, enum object type, uint32_t id);

/** generate() - fill a structure in scratch memory; @size: what the kernel is told of it */
void *generate(struct state *s, const struct record *record, uint32_t *size);

/** files_get() - a file of the device of the thread's own; @fresh: not one that others have, too */
int files_get(struct state *s, bool fresh);

int call_mmap(struct state *s);
int call_munmap(struct state *s);
int call_touch(struct state *s);
int call_arena(struct state *s);
int call_close(struct state *s);
int call_reopen(struct state *s);
int call_fdinfo(struct state *s);
int call_read_perf(struct state *s);
int call_dmabuf(struct state *s);
int call_look(struct state *s);
int call_fork(struct state *s);

#endif
