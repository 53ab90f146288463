// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Speed of the RISC-V interpreter on scalar code: bench_rv64 program.bin [rounds]
 *
 * The program is a flat image for address 0x10000 that takes a number of rounds in a0 and ends
 * with ecall.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rv64.h"

#define LOAD_ADDR	0x10000
#define RAM_SIZE	(1u << 20)

static _Alignas(4096) uint8_t ram[RAM_SIZE];

static int translate(void *opaque, uint64_t addr, enum rv64_access access, void **page,
		     unsigned int *flags)
{
	(void)opaque;
	(void)access;
	(void)flags;
	if (addr >= RAM_SIZE)
		return -1;
	*page = ram + (addr & RV64_PAGE_MASK);
	return RV64_XLATE_RAM;
}

static const struct rv64_ops ops = { .translate = translate };

/* Processor time, for other load not to count */
static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static int load(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (!f || !fread(ram + LOAD_ADDR, 1, RAM_SIZE - LOAD_ADDR, f)) {
		perror(path);
		return -1;
	}
	fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	struct rv64_config cfg = { .ops = &ops, .isa = RV64_ISA_FD };
	static struct rv64_cpu cpu;
	enum rv64_stop stop;
	double t;

	if (argc < 2 || load(argv[1]) || rv64_init(&cpu, &cfg)) {
		fprintf(stderr, "usage: %s program.bin [rounds]\n", argv[0]);
		return 2;
	}
	rv64_reset(&cpu, LOAD_ADDR);
	cpu.x[2] = RAM_SIZE;
	cpu.x[10] = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000;
	t = now();
	stop = rv64_run(&cpu, ~0ull);
	t = now() - t;
	printf("rv64: %s, %.0f M instructions in %.2f s, %.0f MIPS, checksum %016llx\n",
	       rv64_stop_name(stop), cpu.instret / 1e6, t, cpu.instret / t / 1e6,
	       (unsigned long long)cpu.x[10]);
	rv64_destroy(&cpu);
	return stop != RV64_STOP_ECALL;
}
