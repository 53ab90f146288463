/* SPDX-License-Identifier: MIT */
/*
 * Access to peripherals, to machine CSRs and, guarded, to the windows.
 */
#ifndef MCU_MMIO_H
#define MCU_MMIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint32_t mmio_read32(uint64_t addr)
{
	return *(volatile uint32_t *)addr;
}

static inline uint64_t mmio_read64(uint64_t addr)
{
	return *(volatile uint64_t *)addr;
}

static inline void mmio_write32(uint64_t addr, uint32_t value)
{
	*(volatile uint32_t *)addr = value;
}

static inline void mmio_write64(uint64_t addr, uint64_t value)
{
	*(volatile uint64_t *)addr = value;
}

#define csr_write(csr, value) \
	__asm__ volatile("csrw " #csr ", %0" : : "r"((uint64_t)(value)) : "memory")

/* Bits of mie. */
#define MIE_MTIE (1UL << 7)
#define MIE_MEIE (1UL << 11)

/* Sleeps until an enabled interrupt is pending; it is never taken, see main.c. */
static inline void wait_for_interrupt(void)
{
	__asm__ volatile("wfi" : : : "memory");
}

/* Orders window accesses before it against those after it. */
static inline void window_fence(void)
{
	__asm__ volatile("fence iorw, iorw" : : : "memory");
}

/*
 * Copies @words 64-bit words, at least one. The bus may refuse an access to a window, or the
 * host may have given a misaligned address: then the access traps, the trap handler makes the
 * copy end, and it returns false.
 */
bool guarded_copy(volatile void *dst, const volatile void *src, size_t words);

#endif /* MCU_MMIO_H */
