/* SPDX-License-Identifier: MIT */
/*
 * Part of npu_kernel.h: npu_printf() and npu_assert().
 *
 * npu_printf() takes a literal format as printf()'s, which the compiler checks, and up to 12
 * values; the runtime formats it and shows it with the kernel's name and the block. There is no
 * %n and no '*'; %s takes strings of the module, literals that is. It costs some 70 instructions
 * and never waits: what finds the log full is lost and counted.
 *
 * npu_assert() ends the task when its condition is false; the runtime's error then has the
 * condition, file and line. It costs a branch, and nothing if NDEBUG is defined.
 */
#ifndef NPU_PRINT_H
#define NPU_PRINT_H

#include "npu/npu_log.h"

#define NPU_STRING(x) NPU_STRING_(x)
#define NPU_STRING_(x) #x

#define npu_printf(format, ...)                                                                    \
	do {                                                                                       \
		__attribute__((section(NPU_LOG_SECTION))) static const struct {                    \
			struct npu_log_site site;                                                  \
			char texts[sizeof(__FILE_NAME__ "\0" format)];                             \
		} npu_place = {                                                                    \
			{ .magic = NPU_LOG_SITE_MAGIC,                                             \
			  .line = __LINE__,                                                        \
			  .num_args = NPU_LOG_COUNT(__VA_ARGS__),                                  \
			  .types = { __VA_OPT__(NPU_EXPAND(NPU_LOG_TYPES(__VA_ARGS__))) } },       \
			__FILE_NAME__ "\0" format                                                  \
		};                                                                                 \
		const uint64_t npu_values[NPU_LOG_COUNT(__VA_ARGS__) + 1] = { __VA_OPT__(          \
			NPU_EXPAND(NPU_LOG_VALUES(__VA_ARGS__))) };                                \
		if (0)                                                                             \
			npu_log_check(format, ##__VA_ARGS__);                                      \
		npu_log_write(&npu_place.site, npu_values, NPU_LOG_COUNT(__VA_ARGS__));            \
	} while (0)

#ifdef NDEBUG
#define npu_assert(condition) ((void)0)
#else
#define npu_assert(condition)                                                                      \
	do {                                                                                       \
		if (__builtin_expect(!(condition), 0))                                             \
			npu_trap(NPU_PREP(NPU_TRAP_KIND, NPU_TRAP_ASSERT) |                        \
				 (uintptr_t)(__FILE_NAME__ ":" NPU_STRING(                         \
					 __LINE__) ": assertion '" #condition "' failed"));        \
	} while (0)
#endif

/* How many; more than 12 is an error. */
#define NPU_LOG_COUNT(...)                                                                         \
	NPU_LOG_COUNT_(0, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define NPU_LOG_COUNT_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, count, ...) count

#define NPU_LOG_TYPES(value, ...)                                                                  \
	NPU_LOG_TYPE(value), __VA_OPT__(NPU_LOG_TYPES_AGAIN NPU_PARENTHESES(__VA_ARGS__))
#define NPU_LOG_TYPES_AGAIN() NPU_LOG_TYPES
#define NPU_LOG_TYPE(value)                                                                        \
	_Generic((value), float: NPU_LOG_F64, double: NPU_LOG_F64, unsigned int: NPU_LOG_U32,     \
		 long: NPU_LOG_S64, long long: NPU_LOG_S64, unsigned long: NPU_LOG_U64,           \
		 unsigned long long: NPU_LOG_U64, char *: NPU_LOG_STRING,                         \
		 const char *: NPU_LOG_STRING, void *: NPU_LOG_ADDRESS,                           \
		 const void *: NPU_LOG_ADDRESS, default: NPU_LOG_S32)

#define NPU_LOG_VALUES(value, ...)                                                                 \
	NPU_LOG_VALUE(value), __VA_OPT__(NPU_LOG_VALUES_AGAIN NPU_PARENTHESES(__VA_ARGS__))
#define NPU_LOG_VALUES_AGAIN() NPU_LOG_VALUES
#define NPU_LOG_VALUE(value)                                                                       \
	_Generic((value), float: npu_log_double, double: npu_log_double, char *: npu_log_address, \
		 const char *: npu_log_address, void *: npu_log_address,                          \
		 const void *: npu_log_address, default: npu_log_integer)(value)

static inline uint64_t npu_log_double(double value)
{
	uint64_t bits;

	__builtin_memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static inline uint64_t npu_log_address(const void *value)
{
	return (uintptr_t)value;
}

static inline uint64_t npu_log_integer(int64_t value)
{
	return value;
}

/* Never called: the compiler checks the format against the values. */
__attribute__((format(printf, 1, 2))) void npu_log_check(const char *format, ...);

/* Takes @slots of the ring; the position of the first one in @position. */
static inline int npu_log_take(struct npu_log_ring *ring, unsigned int slots, uint64_t *position)
{
	*position = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
	do {
		const uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

		/* Negative if @position is out of date: then the swap fails. */
		if ((int64_t)(*position + slots - tail) > (int64_t)ring->slots) {
			__atomic_fetch_add(&ring->dropped, 1, __ATOMIC_RELAXED);
			return 0;
		}
	} while (!__atomic_compare_exchange_n(&ring->head, position, *position + slots, 1,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return 1;
}

/*
 * Blocks have a place in the log one after the other, as the runtime reads it meanwhile: strict
 * mode lets them meet there in atomics only. Not relaxed, of which a compiler may make a store.
 */
static inline void npu_log_put(uint64_t *word, uint64_t value)
{
	__atomic_exchange_n(word, value, __ATOMIC_ACQ_REL);
}

static __attribute__((noinline, cold, unused)) void
npu_log_write(const struct npu_log_site *site, const uint64_t *values, unsigned int count)
{
	const struct npu_log *log = (const struct npu_log *)npu_info(NPU_INFO_LOG);
	struct npu_log_ring *ring;
	uint64_t position, first, *words, mask;

	if (!log)
		return;
	ring = (struct npu_log_ring *)log->ring;
	if (!npu_log_take(ring, npu_log_slots(count), &position))
		return;
	words = (uint64_t *)(ring + 1);
	mask = ring->slots * NPU_LOG_SLOT_ARGS - 1;
	first = position * NPU_LOG_SLOT_ARGS;
	npu_log_put(&words[(first + 1) & mask], (uintptr_t)site);
	npu_log_put(&words[(first + 2) & mask], npu_info(NPU_INFO_TIME));
	npu_log_put(&words[(first + 3) & mask], npu_info(NPU_INFO_BLOCK) |
							npu_info(NPU_INFO_CORE) << 32 |
							(uint64_t)log->writer << 48);
	for (unsigned int i = 0; i < count; i++)
		npu_log_put(&words[(first + NPU_LOG_RECORD_ARGS + i) & mask], values[i]);
	npu_log_put(&words[first & mask], position + 1);
}

#endif /* NPU_PRINT_H */
