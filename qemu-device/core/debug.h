/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debugging of AI cores and of the management core: two servers that gdb connects to, each with
 * threads, memory and breakpoints of its own.
 *
 * All AI cores stop when one does. A block is held then as that of a core that hangs is: it is on
 * no list, and no worker has it. The fields of npu_debug and npu_debug_slot are under core->lock;
 * the servers, and what has no other rule, belong to the host's thread in npu_core_debug_*().
 */
#ifndef NPU_DEBUG_H
#define NPU_DEBUG_H

#include "gdb_server.h"
#include "npu_core.h"
#include "rv64.h"

struct npu_aicore;
struct npu_worker;

#define NPU_DEBUG_MODULES	1024
#define NPU_DEBUG_LIBRARIES	64
#define NPU_DEBUG_DIGEST	32	/* SHA-256 */

#define NPU_DEBUG_WATCHPOINTS	64

struct npu_debug_watchpoint {
	uint64_t addr, len;
	enum gdb_watch kind;
};

/**
 * struct npu_debug_watchpoints - memory whose accesses stop who makes them
 * @count: of @list; both change while the unit stands still, but for a debugger that leaves,
 *	which makes it zero (atomic)
 */
struct npu_debug_watchpoints {
	unsigned int count;
	struct npu_debug_watchpoint list[NPU_DEBUG_WATCHPOINTS];
};

/* A watchpoint that is set off, and the first of its bytes that is accessed. */
struct npu_debug_hit {
	enum gdb_watch watch;
	uint64_t address;
};

/**
 * struct npu_debug_slot - what a debugger wants of an AI core, or of a kernel that shares it
 * @action: enum gdb_action, unless all are held
 * @held: its block is on no list, for the debugger to look at
 * @failed: the block is to end with its error when it goes on
 * @passes: makes an access that it has stopped for
 * @hit: what stopped it
 */
struct npu_debug_slot {
	uint8_t action;
	bool held;
	bool failed;
	bool passes;
	struct npu_debug_hit hit;
};

/**
 * struct npu_debug_module - a kernel in a file that the debugger knows
 * @file: its name there
 * @entry: of the kernel, from the beginning of the image
 * @length: bytes from there to the end
 * @digest: of these
 */
struct npu_debug_module {
	char *file;
	uint64_t entry;
	uint64_t length;
	uint8_t digest[NPU_DEBUG_DIGEST];
};

/**
 * struct npu_debug_library - a module in a context's memory
 * @module: whose file it is of
 * @base: where the image begins
 * @serial: of the context
 */
struct npu_debug_library {
	const struct npu_debug_module *module;
	uint64_t base;
	uint64_t serial;
};

/**
 * struct npu_debug - the debuggers of a device
 * @attached: AI cores have one (atomic)
 * @hold: all AI cores are to stand still
 * @standing: they do, and the server has been told
 * @stop: why; thread 0: any that has a block
 * @news: a thread whose library has come while all were held: for when they go on; 0: none
 * @holders: bits of enum npu_debug_unit that are held
 * @breakpoints: by unit; changed while that stands still, but for a debugger that leaves
 * @watchpoints: likewise
 * @modules: of all debuggers so far
 * @nr_modules: only the host's thread changes it (atomic)
 */
struct npu_debug {
	struct npu_core *core;
	bool attached;
	bool hold;
	bool standing;
	struct gdb_stop stop;
	unsigned int news;
	uint32_t holders;
	struct rv64_breakpoints breakpoints[NPU_DEBUG_UNITS];
	struct npu_debug_watchpoints watchpoints[NPU_DEBUG_UNITS];
	struct npu_debug_module modules[NPU_DEBUG_MODULES];
	unsigned int nr_modules;
	struct npu_debug_library libraries[NPU_DEBUG_LIBRARIES];
	unsigned int nr_libraries;
	struct gdb_server servers[NPU_DEBUG_UNITS];
};

/* debug.c */
bool npu_debug_init(struct npu_core *core);
void npu_debug_fini(struct npu_core *core);
/* With the lock: @unit is held, or goes on. */
void npu_debug_set_holder(struct npu_core *core, enum npu_debug_unit unit, bool held);
bool npu_debug_set_breakpoint(struct rv64_breakpoints *b, uint64_t pc, bool set);
/* The debugger of @unit leaves, which may be while that runs. */
void npu_debug_remove_points(struct npu_debug *d, enum npu_debug_unit unit);

/* debug_watch.c */
bool npu_debug_set_watchpoint(struct npu_debug_watchpoints *w, enum gdb_watch kind, uint64_t addr,
			      uint64_t len, bool set);
bool npu_debug_watches_page(const struct npu_debug_watchpoints *w, uint64_t addr);
/* Does an access set one off? */
bool npu_debug_find_watchpoint(const struct npu_debug_watchpoints *w,
			       const struct rv64_watch *access, struct npu_debug_hit *hit);
/* A core is about to run, and its callbacks are not those for the watchpoints that there are. */
void npu_debug_choose_ops(struct npu_aicore *ac);

/* debug_regs.c: registers of a hart, by number; those of gdb's features, in their order */
#define NPU_DEBUG_REG_PC	32
#define NPU_DEBUG_REG_F0	33
#define NPU_DEBUG_REG_FFLAGS	65
#define NPU_DEBUG_REG_FCSR	67
#define NPU_DEBUG_REG_OWN	68	/* the first that is none of these */
#define NPU_DEBUG_CORE_REGS	7	/* an AI core's own */
#define NPU_DEBUG_MCU_REGS	8	/* the MCU's */
bool npu_debug_read_hart(const struct rv64_cpu *cpu, unsigned int reg, uint64_t *value,
			 unsigned int *size);
bool npu_debug_write_hart(struct rv64_cpu *cpu, unsigned int reg, uint64_t value);
extern const char npu_debug_core_xml[], npu_debug_mcu_xml[];

/* debug_cores.c */
extern const struct gdb_target_ops npu_debug_core_ops;
/* With the lock: a core has come to rest. Do all stand still now? */
void npu_debug_check(struct npu_core *core);
/* With the lock: a worker is to take the held block of @ac. */
void npu_debug_release(struct npu_aicore *ac);
/* A block begins on @ac. */
void npu_debug_block_starts(struct npu_worker *worker, struct npu_aicore *ac);
/* Its last instruction has been executed. */
void npu_debug_block_ends(struct npu_aicore *ac);
/* Is the block of @ac held now? Then nobody has it. These three return with the lock if it is. */
bool npu_debug_parks(struct npu_aicore *ac);
/* A slice has ended with @stop. Is that why it is held now? */
bool npu_debug_stops(struct npu_aicore *ac, enum rv64_stop stop);
/* The hart has stopped before an access that is watched. Makes it, for all to be held then. */
enum rv64_stop npu_debug_watched(struct npu_aicore *ac);
/* The block has failed. Is it held, to be looked at before it ends? */
bool npu_debug_catches(struct npu_aicore *ac);
/* Is the block to execute one instruction only? */
bool npu_debug_steps(const struct npu_aicore *ac);
/* A module has become known: is a kernel of it at work? */
void npu_debug_look_again(struct npu_core *core);

/* debug_monitor.c: what the user asks for by gdb's command monitor */
void npu_debug_core_command(void *target, struct gdb_server *server, const char *line);
void npu_debug_mcu_command(void *target, struct gdb_server *server, const char *line);
void npu_debug_describe(const struct npu_aicore *ac, char *text, size_t size);

/* debug_modules.c: which files the kernels in memory are of */
/* The module whose kernel is at @entry, as @read sees the memory there. */
typedef bool npu_debug_read(void *opaque, uint64_t va, void *buf, uint64_t len);
const struct npu_debug_module *npu_debug_find_module(struct npu_debug *d, uint64_t entry,
						     npu_debug_read *read, void *opaque);
/* With the lock. Is it new? */
bool npu_debug_add_library(struct npu_debug *d, const struct npu_debug_module *module,
			   uint64_t entry, uint64_t serial);
/* False: there are too many. */
bool npu_debug_add_module(struct npu_debug *d, const struct npu_debug_module *module);
void npu_debug_list_libraries(struct npu_debug *d, char *text, size_t size);
void npu_debug_forget_modules(struct npu_debug *d);

/* debug_mcu.c */
extern const struct gdb_target_ops npu_debug_mcu_ops;

#endif /* NPU_DEBUG_H */
