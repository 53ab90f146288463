// SPDX-License-Identifier: MIT
/*
 * Pools: memory that is allocated and freed in the order of streams, without the kernel.
 *
 * A pool has slabs, buffers of the driver's that are cut into blocks of one size each. A
 * block remembers, until that has ended, up to which batch a stream that freed it may use it,
 * whoever has had it since: that stream may have it again at once, another one when the batch
 * has ended, or after a wait that the device does.
 */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

/* Sizes: multiples of 256 bytes, then eight to each power of two, so that little is lost. */
#define SMALL_STEP 256u
#define SMALL_CLASSES 8u
#define SMALL_BITS 11 /* SMALL_STEP * SMALL_CLASSES is 2 to that */
#define STEPS_BITS 3
#define MAX_BITS 47
#define CLASSES (SMALL_CLASSES + ((MAX_BITS - SMALL_BITS) << STEPS_BITS))
/* A slab has as many blocks as fit in between these, at least one. */
#define SLAB_BLOCKS 16u
#define SLAB_MIN_BYTES (64ULL << 10)
#define SLAB_MAX_BYTES (2ULL << 20)
/* Free blocks that an allocation looks at for one that it need not wait for. */
#define MAX_LOOKS 64u

struct slab;

/* A stream that freed a block. */
struct user {
	npurt_stream *stream; /* a reference */
	uint64_t point; /* its last batch that may use it */
};

struct rt_block {
	struct rt_list link; /* in pool->free[], while it is free */
	struct slab *slab;
	uint64_t offset;
	struct user *users; /* that have not passed yet, one a stream */
	unsigned int num_users, max_users;
	bool is_free;
};

struct slab {
	struct rt_list link; /* in pool->slabs */
	npurt_memory *memory;
	unsigned int class;
	unsigned int num_blocks, num_free;
	struct rt_block blocks[];
};

struct npurt_pool {
	npurt_context *context;
	struct rt_memory_desc desc; /* of slabs */
	uint64_t release_threshold;
	uint32_t flags;
	char label[NPURT_LABEL_SIZE];
	char tag[NPURT_LABEL_SIZE];
	pthread_mutex_t lock; /* of all that follows; after a stream's, before a device's */
	struct rt_list slabs;
	struct rt_list free[CLASSES]; /* the one that was freed first at the head */
	npurt_pool_info info;
};

static unsigned int class_of(uint64_t bytes)
{
	unsigned int bits;

	if (bytes <= SMALL_STEP * SMALL_CLASSES)
		return (unsigned int)((bytes - 1) / SMALL_STEP);
	bits = 63 - (unsigned int)__builtin_clzll(bytes - 1);
	return SMALL_CLASSES + ((bits - SMALL_BITS) << STEPS_BITS) +
	       (unsigned int)((bytes - 1 - (1ULL << bits)) >> (bits - STEPS_BITS));
}

static uint64_t class_bytes(unsigned int class)
{
	unsigned int bits;

	if (class < SMALL_CLASSES)
		return (class + 1) * SMALL_STEP;
	class -= SMALL_CLASSES;
	bits = SMALL_BITS + (class >> STEPS_BITS);
	return (1ULL << bits) +
	       ((uint64_t)(class % (1u << STEPS_BITS) + 1) << (bits - STEPS_BITS));
}

/* Blocks. */

/* Whether all that @stream had to do up to @point has ended, well or not. */
static bool has_passed(npurt_stream *stream, uint64_t point)
{
	const uint64_t done = rt_slot_value(stream->progress);

	if (done >= point)
		return true;
	if (!stream->error)
		return false;
	/* It takes no more commands; what it has begun ends with the last fence. */
	return done >= stream->submitted ||
	       kmd_syncobj_wait(stream->context->device->kmd, stream->syncobj,
				rt_stream_fence(stream, stream->submitted), 0) == 0;
}

/* May another stream than @stream use it still? Forgets those that have passed. */
static bool used_by_others(struct rt_block *block, const npurt_stream *stream)
{
	unsigned int left = 0;
	bool others = false;

	for (unsigned int i = 0; i < block->num_users; i++) {
		const struct user user = block->users[i];
		const bool other = user.stream != stream;

		if (other && has_passed(user.stream, user.point)) {
			rt_stream_put(user.stream);
			continue;
		}
		others |= other;
		block->users[left++] = user;
	}
	block->num_users = left;
	return others;
}

static bool is_idle(struct rt_block *block)
{
	return !used_by_others(block, NULL);
}

/* That of @stream, or a new one; NULL without memory. */
static struct user *get_user(struct rt_block *block, npurt_stream *stream)
{
	struct user *users = block->users;

	for (unsigned int i = 0; i < block->num_users; i++) {
		if (users[i].stream == stream)
			return &users[i];
	}
	if (block->num_users == block->max_users) {
		users = realloc(users, (block->max_users + 1) * sizeof(*users));
		if (!users)
			return NULL;
		block->users = users;
		block->max_users++;
	}
	users[block->num_users].stream = rt_stream_get(stream);
	return &users[block->num_users++];
}

/* @stream may use it up to now. */
static int add_user(struct rt_block *block, npurt_stream *stream)
{
	struct user *user;

	used_by_others(block, stream);
	user = get_user(block, stream);
	if (!user)
		return rt_fail(&stream->context->diag, NPURT_ERROR_HOST_MEMORY,
			       "free memory of a pool");
	user->point = rt_stream_last_point(stream);
	return 0;
}

static void put_free(npurt_pool *pool, struct rt_block *block)
{
	block->is_free = true;
	block->slab->num_free++;
	rt_list_add(&pool->free[block->slab->class], &block->link);
}

static void take_free(struct rt_block *block)
{
	block->is_free = false;
	block->slab->num_free--;
	rt_list_del(&block->link);
}

/* Slabs. */

static unsigned int slab_blocks(uint64_t bytes)
{
	uint64_t size = SLAB_BLOCKS * bytes;

	if (size < SLAB_MIN_BYTES)
		size = SLAB_MIN_BYTES;
	if (size > SLAB_MAX_BYTES)
		size = SLAB_MAX_BYTES;
	return bytes > size ? 1 : (unsigned int)(size / bytes);
}

static int create_slab(npurt_pool *pool, unsigned int class, struct slab **result)
{
	const uint64_t bytes = class_bytes(class);
	const unsigned int n = slab_blocks(bytes);
	struct slab *slab = calloc(1, sizeof(*slab) + n * sizeof(slab->blocks[0]));
	struct rt_memory_desc desc = pool->desc;
	int err;

	if (!slab)
		return rt_fail(&pool->context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a slab");
	desc.bytes = n * bytes;
	err = rt_memory_create(pool->context, &desc, &slab->memory);
	if (err) {
		free(slab);
		return err;
	}
	slab->class = class;
	slab->num_blocks = n;
	for (unsigned int i = 0; i < n; i++) {
		slab->blocks[i].slab = slab;
		slab->blocks[i].offset = i * bytes;
	}
	*result = slab;
	return 0;
}

/* It is idle. */
static void destroy_slab(struct slab *slab)
{
	for (unsigned int i = 0; i < slab->num_blocks; i++)
		free(slab->blocks[i].users);
	rt_memory_destroy(slab->memory);
	free(slab);
}

/* Under the pool's lock. */
static bool slab_is_idle(struct slab *slab)
{
	if (slab->num_free < slab->num_blocks)
		return false;
	for (unsigned int i = 0; i < slab->num_blocks; i++) {
		if (!is_idle(&slab->blocks[i]))
			return false;
	}
	return true;
}

/* Takes out one slab that nothing uses, if more than @keep bytes are unused. */
static struct slab *take_unused(npurt_pool *pool, uint64_t keep)
{
	struct rt_list *node;

	if (pool->info.reserved_bytes - pool->info.used_bytes <= keep)
		return NULL;
	rt_list_for_each(node, &pool->slabs) {
		struct slab *slab = rt_container(node, struct slab, link);

		if (!slab_is_idle(slab))
			continue;
		for (unsigned int i = 0; i < slab->num_blocks; i++)
			take_free(&slab->blocks[i]);
		rt_list_del(&slab->link);
		pool->info.reserved_bytes -= slab->memory->bo_bytes;
		return slab;
	}
	return NULL;
}

static void trim(npurt_pool *pool, uint64_t keep)
{
	struct slab *slab;

	do {
		pthread_mutex_lock(&pool->lock);
		slab = take_unused(pool, keep);
		pthread_mutex_unlock(&pool->lock);
		if (slab)
			destroy_slab(slab);
	} while (slab);
}

static void trim_to_threshold(npurt_pool *pool)
{
	if (pool->release_threshold)
		trim(pool, pool->release_threshold);
}

/* Under the pool's lock; gives its first block. */
static struct rt_block *add_slab(npurt_pool *pool, struct slab *slab)
{
	npurt_pool_info *info = &pool->info;

	rt_list_add(&pool->slabs, &slab->link);
	for (unsigned int i = 1; i < slab->num_blocks; i++)
		put_free(pool, &slab->blocks[i]);
	info->reserved_bytes += slab->memory->bo_bytes;
	if (info->reserved_bytes > info->reserved_peak_bytes)
		info->reserved_peak_bytes = info->reserved_bytes;
	return &slab->blocks[0];
}

static int grow(npurt_pool *pool, unsigned int class, struct rt_block **block)
{
	struct slab *slab;
	int err = create_slab(pool, class, &slab);

	if (err == NPURT_ERROR_DEVICE_MEMORY) {
		trim(pool, 0);
		err = create_slab(pool, class, &slab);
	}
	if (err)
		return err;
	pthread_mutex_lock(&pool->lock);
	*block = add_slab(pool, slab);
	pool->info.grown++;
	pthread_mutex_unlock(&pool->lock);
	return 0;
}

/* Allocation. */

/* A block that @stream can have without a wait; else, if it may wait, the one freed first. */
static struct rt_block *pick(npurt_pool *pool, unsigned int class, npurt_stream *stream)
{
	struct rt_block *first = NULL;
	unsigned int looks = 0;
	struct rt_list *node;

	rt_list_for_each(node, &pool->free[class]) {
		struct rt_block *block = rt_container(node, struct rt_block, link);

		if (block->slab->memory->lost)
			continue;
		if (++looks > MAX_LOOKS)
			break;
		if (!first)
			first = block;
		if (used_by_others(block, stream))
			continue;
		if (block->num_users)
			pool->info.reused_in_order++;
		else
			pool->info.reused_idle++;
		return block;
	}
	if (!first || pool->flags & NPURT_POOL_NO_WAITS)
		return NULL;
	pool->info.reused_by_wait++;
	return first;
}

/* Has @stream wait on the device until @user has passed. */
static int add_wait(npurt_stream *stream, const struct user *user)
{
	const struct rt_op op = {
		.kind = NPURT_COMMAND_EVENT_WAIT,
		.timeout_us = stream->wait_timeout_us,
		.label = "memory of a pool",
		.event = {
			.slot = user->stream->progress,
			.target = user->point,
			.stream = user->stream->id,
		},
	};
	int err = rt_stream_flush_to(user->stream, user->point);

	if (err)
		return err;
	err = rt_stream_enter(stream);
	if (err)
		return err;
	err = rt_stream_add(stream, &op);
	rt_stream_leave(stream);
	return err;
}

/* They stay its users: a wait may be lost with its stream. */
static int wait_for_others(npurt_stream *stream, const struct rt_block *block)
{
	int err = 0;

	for (unsigned int i = 0; i < block->num_users && !err; i++) {
		if (block->users[i].stream != stream)
			err = add_wait(stream, &block->users[i]);
	}
	return err;
}

static int get_block(npurt_pool *pool, unsigned int class, npurt_stream *stream,
		     struct rt_block **result)
{
	struct rt_block *block;
	int err;

	pthread_mutex_lock(&pool->lock);
	block = pick(pool, class, stream);
	if (block)
		take_free(block);
	pthread_mutex_unlock(&pool->lock);
	if (!block)
		return grow(pool, class, result);

	err = wait_for_others(stream, block);
	if (!err) {
		*result = block;
		return 0;
	}
	pthread_mutex_lock(&pool->lock);
	put_free(pool, block);
	pool->info.reused_by_wait--;
	pthread_mutex_unlock(&pool->lock);
	/* The other stream has stopped: its memory is not worth a wait. */
	return stream->error ? stream->error : grow(pool, class, result);
}

/* Under the pool's lock: @bytes more, or with a negative sign less, are used. */
static void count(npurt_pool *pool, int64_t bytes)
{
	npurt_pool_info *info = &pool->info;

	info->used_bytes += (uint64_t)bytes;
	info->allocations += bytes > 0 ? 1 : (uint64_t)-1;
	if (info->used_bytes > info->used_peak_bytes)
		info->used_peak_bytes = info->used_bytes;
}

static npurt_memory *new_memory(npurt_pool *pool, const struct rt_block *block, uint64_t bytes,
				const npurt_memory_attr *attr)
{
	const npurt_memory *slab = block->slab->memory;
	npurt_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->context = pool->context;
	memory->kind = RT_MEMORY_POOLED;
	memory->pool = pool;
	memory->block = (struct rt_block *)block;
	memory->bytes = bytes;
	memory->bo_bytes = class_bytes(block->slab->class);
	memory->va = memory->base = slab->va + block->offset;
	memory->placement = slab->placement;
	memory->holding = slab->holding;
	rt_list_init(&memory->imports);
	rt_label_copy(memory->label, attr->label ? attr->label : pool->label);
	rt_memory_add_part(memory, slab->tag, attr->tag);
	return memory;
}

static int check_alloc(npurt_pool *pool, npurt_stream *stream, uint64_t bytes,
		       const npurt_memory_attr *attr, npurt_memory_attr *a)
{
	struct rt_diag *diag = &pool->context->diag;
	int err = rt_attr_take(diag, "npurt_memory_attr", 0, a, sizeof(*a), attr);

	if (err)
		return err;
	if (stream->context != pool->context)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "stream %u is of another context than pool '%s'", stream->id,
			       pool->label);
	if (!bytes || bytes > 1ULL << MAX_BITS)
		return rt_fail(diag, bytes ? NPURT_ERROR_RANGE : NPURT_ERROR_INVALID,
			       "%" PRIu64 " bytes of pool '%s'", bytes, pool->label);
	if (a->placement || a->priority)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "npurt_memory_attr.placement and priority are those of pool '%s'",
			       pool->label);
	return 0;
}

/* A graph is run again and again: what it uses cannot be one step's. */
static int check_stream(npurt_stream *stream)
{
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_capture_refuse(stream, "memory of a pool cannot be allocated");
	rt_stream_leave(stream);
	return err;
}

static int check_pool(const npurt_pool *pool)
{
	if (!pool)
		return NPURT_ERROR_INVALID;
	return rt_forked(pool->context->device) ? NPURT_ERROR_FORKED : 0;
}

static void release(npurt_pool *pool, struct rt_block *block)
{
	pthread_mutex_lock(&pool->lock);
	put_free(pool, block);
	count(pool, -(int64_t)class_bytes(block->slab->class));
	pthread_mutex_unlock(&pool->lock);
	trim_to_threshold(pool);
}

int npurt_pool_alloc_async(npurt_pool *pool, npurt_stream *stream, uint64_t bytes,
			   const npurt_memory_attr *attr, npurt_memory **memory)
{
	struct rt_block *block;
	npurt_memory *own;
	npurt_memory_attr a;
	int err = check_pool(pool);

	if (err)
		return err;
	if (!stream || !memory)
		return rt_fail(&pool->context->diag, NPURT_ERROR_INVALID, "%s is NULL",
			       stream ? "memory" : "stream");
	err = check_alloc(pool, stream, bytes, attr, &a);
	if (!err)
		err = check_stream(stream);
	if (!err)
		err = get_block(pool, class_of(bytes), stream, &block);
	if (err)
		return err;
	pthread_mutex_lock(&pool->lock);
	count(pool, (int64_t)class_bytes(block->slab->class));
	pthread_mutex_unlock(&pool->lock);
	own = new_memory(pool, block, bytes, &a);
	if (!own) {
		release(pool, block);
		return rt_fail(&pool->context->diag, NPURT_ERROR_HOST_MEMORY,
			       "allocate a memory object");
	}
	err = rt_strict_fill_block(stream, own);
	if (err)
		rt_pool_free(own);
	else
		*memory = own;
	return err;
}

void rt_pool_free(npurt_memory *memory)
{
	struct rt_block *block = memory->block;
	npurt_pool *pool = memory->pool;

	rt_memory_remove_part(memory, block->slab->memory->tag);
	rt_object_free(memory);
	release(pool, block);
}

int npurt_memory_free_async(npurt_memory *memory, npurt_stream *stream)
{
	struct rt_diag *diag;
	int err;

	if (!memory || !stream)
		return NPURT_ERROR_INVALID;
	if (rt_forked(memory->context->device))
		return NPURT_ERROR_FORKED;
	diag = &memory->context->diag;
	err = rt_host_function_refuse(diag);
	if (err)
		return err;
	if (memory->kind != RT_MEMORY_POOLED)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "'%s' is not of a pool: npurt_memory_destroy() ends it",
			       memory->label);
	if (stream->context != memory->context)
		return rt_fail(diag, NPURT_ERROR_INVALID,
			       "stream %u is of another context than '%s'", stream->id,
			       memory->label);
	pthread_mutex_lock(&stream->lock);
	err = rt_capture_refuse(stream, "memory of a pool cannot be freed");
	pthread_mutex_unlock(&stream->lock);
	if (!err)
		err = add_user(memory->block, stream);
	if (!err)
		rt_pool_free(memory);
	return err;
}

int rt_pool_map(npurt_memory *memory, void **pointer)
{
	const struct rt_block *block = memory->block;
	void *slab;
	int err = rt_memory_map(block->slab->memory, &slab);

	if (!err)
		*pointer = (uint8_t *)slab + block->offset;
	return err;
}

/* Pools. */

int npurt_pool_create(npurt_context *context, const npurt_pool_attr *attr, npurt_pool **result)
{
	npurt_pool_attr a;
	npurt_pool *pool;
	int err;

	if (!context)
		return NPURT_ERROR_INVALID;
	if (rt_forked(context->device))
		return NPURT_ERROR_FORKED;
	if (!result)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID, "pool is NULL");
	err = rt_attr_take(&context->diag, "npurt_pool_attr", NPURT_POOL_NO_WAITS, &a, sizeof(a),
			   attr);
	if (err)
		return err;
	if (a.placement != NPURT_PLACE_HBM && a.placement != NPURT_PLACE_HOST)
		return rt_fail(&context->diag, NPURT_ERROR_INVALID,
			       "npurt_pool_attr.placement is %u", a.placement);
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return rt_fail(&context->diag, NPURT_ERROR_HOST_MEMORY, "allocate a pool");
	pool->context = context;
	pool->flags = a.flags;
	pool->release_threshold = a.release_threshold;
	rt_label_copy(pool->label, a.label ? a.label : "unnamed pool");
	rt_label_copy(pool->tag, a.tag);
	pool->desc = (struct rt_memory_desc){
		.placement = a.placement,
		.label = pool->label,
		.tag = pool->tag,
		.internal = true,
		.backing = true,
		.flags = DRM_NPU_VM_BIND_OP_NOEXEC,
	};
	pthread_mutex_init(&pool->lock, NULL);
	rt_list_init(&pool->slabs);
	for (unsigned int i = 0; i < CLASSES; i++)
		rt_list_init(&pool->free[i]);
	pthread_mutex_lock(&context->lock);
	context->num_pools++;
	pthread_mutex_unlock(&context->lock);
	*result = pool;
	return 0;
}

/* Waits until @user has passed; a stream that has stopped uses nothing any more. */
static int wait_for_user(npurt_pool *pool, const struct user *user)
{
	npurt_stream *stream = user->stream;
	char text[512];
	int err;

	if (has_passed(stream, user->point))
		return 0;
	err = rt_stream_flush_to(stream, user->point);
	if (!err)
		err = rt_stream_wait_until(stream, user->point, INT64_MAX);
	if (err && !stream->error) {
		rt_diag_copy(&stream->diag, text, sizeof(text));
		return rt_fail(&pool->context->diag, err, "pool '%s': stream %u: %s", pool->label,
			       stream->id, text);
	}
	if (!has_passed(stream, user->point))
		kmd_syncobj_wait(pool->context->device->kmd, stream->syncobj,
				 rt_stream_fence(stream, stream->submitted), INT64_MAX);
	return 0;
}

static int empty_block(npurt_pool *pool, struct rt_block *block)
{
	while (block->num_users) {
		const struct user *last = &block->users[block->num_users - 1];
		const int err = wait_for_user(pool, last);

		if (err)
			return err;
		rt_stream_put(last->stream);
		block->num_users--;
	}
	return 0;
}

static int wait_for_users(npurt_pool *pool)
{
	struct rt_list *node;

	rt_list_for_each(node, &pool->slabs) {
		struct slab *slab = rt_container(node, struct slab, link);

		for (unsigned int i = 0; i < slab->num_blocks; i++) {
			const int err = empty_block(pool, &slab->blocks[i]);

			if (err)
				return err;
		}
	}
	return 0;
}

int npurt_pool_destroy(npurt_pool *pool)
{
	npurt_context *context;
	int err = check_pool(pool);

	if (!err)
		err = rt_host_function_refuse(&pool->context->diag);
	if (err)
		return err;
	context = pool->context;
	if (pool->info.allocations)
		return rt_fail(&context->diag, NPURT_ERROR_BUSY,
			       "pool '%s' still has %" PRIu64 " memory objects", pool->label,
			       pool->info.allocations);
	err = wait_for_users(pool);
	if (err)
		return err;
	trim(pool, 0);
	pthread_mutex_destroy(&pool->lock);
	rt_object_free(pool);
	pthread_mutex_lock(&context->lock);
	context->num_pools--;
	pthread_mutex_unlock(&context->lock);
	return 0;
}

int npurt_pool_trim(npurt_pool *pool, uint64_t keep_bytes)
{
	int err = check_pool(pool);

	if (!err)
		trim(pool, keep_bytes);
	return err;
}

int npurt_pool_get_info(npurt_pool *pool, npurt_pool_info *info)
{
	npurt_pool_info copy;
	int err = check_pool(pool);

	if (err)
		return err;
	trim_to_threshold(pool);
	pthread_mutex_lock(&pool->lock);
	copy = pool->info;
	pthread_mutex_unlock(&pool->lock);
	return rt_attr_give(&pool->context->diag, "npurt_pool_info", info, &copy, sizeof(copy));
}
