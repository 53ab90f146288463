/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The management core: a RISC-V hart with SRAM, windows to HBM and the bus, and peripherals.
 *
 * npu_mcu::lock is innermost: nothing is called under it but npu_event(), clock_ns() and the
 * hart's thread-safe functions. The hart runs without it; what has no other rule below belongs
 * to the thread that runs the hart, or to whoever has paused it.
 */
#ifndef NPU_DEVICE_MCU_H
#define NPU_DEVICE_MCU_H

#include "npu_internal.h"

/**
 * enum npu_mcu_state - what the hart does
 * @NPU_MCU_ROM: the boot ROM waits for NPU_REG_BOOT_CMD
 * @NPU_MCU_BOOT: the boot ROM works
 * @NPU_MCU_RUNNING: firmware runs
 * @NPU_MCU_DEAD: firmware has given up; only reset helps
 */
enum npu_mcu_state {
	NPU_MCU_ROM,
	NPU_MCU_BOOT,
	NPU_MCU_RUNNING,
	NPU_MCU_DEAD,
};

#define NPU_MCU_CONSOLE_LINE 256

/**
 * struct npu_mcu_console - the way of text into the log ring and to the host
 * @written: bytes since boot; the copy in HBM is for readers
 * @line: text not yet handed to the host
 */
struct npu_mcu_console {
	uint64_t written;
	unsigned int len;
	char line[NPU_MCU_CONSOLE_LINE];
};

/**
 * struct npu_mcu_sensors - state of the physical model
 * @ambient_mc: temperature around the device (atomic)
 * @last: device time of the last update
 * @count: counters then
 * @power_mw: smoothed
 * @temperature_mc: of the die
 */
struct npu_mcu_sensors {
	uint32_t ambient_mc;
	uint64_t last;
	struct npu_counters count;
	double power_mw;
	double temperature_mc;
};

/**
 * struct npu_mcu_regs - peripheral registers that just hold a value
 */
struct npu_mcu_regs {
	uint32_t ctx_id;
	uint32_t ctx_status;
	uint64_t ctx_root;

	uint32_t cq_id;
	uint32_t cq_entries;
	uint64_t cq_base;
	uint32_t cq_vector;
	uint32_t cq_status;

	uint32_t q_id;
	uint32_t q_status; /* (atomic) */
	struct npu_queue_config q_config;
	struct npu_queue_info q_info;

	uint32_t core_id;
	uint32_t core_queue;
	uint32_t core_status;
};

#define NPU_MCU_REG_SPACE 0x800 /* offsets that may have a peripheral register */

/**
 * struct npu_mcu - the management core
 * @wake: the thread has something to look at
 * @still: the thread has come to stand
 * @state: under @lock; the thread may read it without
 * @exit: the thread is to end; under @lock
 * @paused: the thread is to stand still; under @lock
 * @standing: it does; under @lock
 * @hung: injected: the hart stands still until reset; the thread's, or whoever has paused it
 * @waiting: sync mode: the hart is in wfi
 * @image: HBM offset for the boot ROM, under @lock
 * @image_size: likewise
 * @int_pending: under @lock
 * @int_enable: under @lock
 * @q_busy_id: queue that NPU_MCU_Q_STATUS is about, under @lock
 * @timecmp: NPU_MCU_TIMECMP
 * @busy_ns: time that the hart ran, up to the current slice
 * @slice_start: clock when the current slice began
 * @ras: errors counted since reset (atomic)
 * @debug_attached: a debugger is there (atomic)
 * @debug_hold: it wants the hart to stand still; changed under @lock (atomic)
 * @debug_step: it wants one instruction to be executed; the debugger's while the hart stands
 * @debug_stop: why it stands, under @lock
 * @debug_passes: makes an access that it has stopped for
 * @debug_hit: what stopped it
 */
struct npu_mcu {
	struct npu_core *core;
	struct rv64_cpu cpu;
	uint8_t *sram;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_cond_t still;

	enum npu_mcu_state state;
	bool exit;
	bool paused;
	bool standing;
	bool hung;
	bool waiting;
	uint64_t image;
	uint32_t image_size;

	uint32_t int_pending;
	uint32_t int_enable;
	uint32_t q_busy_id;
	uint64_t timecmp;
	uint64_t busy_ns;
	uint64_t slice_start;
	struct npu_mcu_regs regs;
	struct npu_mcu_console console;
	struct npu_mcu_sensors sensors;
	uint64_t ras[NPU_RAS_COUNT];
	bool debug_attached;
	bool debug_hold;
	bool debug_step;
	struct gdb_stop debug_stop;
	bool debug_passes;
	struct npu_debug_hit debug_hit;
	uint8_t reg_index[NPU_MCU_REG_SPACE / 4];
};

/* mcu.c */
void npu_mcu_post(struct npu_mcu *mcu, enum npu_post post);
/* The firmware has crashed. From the thread that runs the hart. */
void npu_mcu_die(struct npu_mcu *mcu, uint64_t mcause);
/* Drives the hart's interrupt lines after a change of @timecmp or, with the lock held, of int_*. */
void npu_mcu_update_timer(struct npu_mcu *mcu);
void npu_mcu_update_mei(struct npu_mcu *mcu);

/* debug_mcu.c */
/* Have the hart stand still for its debugger, if it has one; from the thread that runs it. */
void npu_mcu_debug_stop(struct npu_mcu *mcu, enum gdb_signal signal);
/* The hart is about to access memory: is it to stop before? Then npu_mcu_debug_watched() goes on. */
bool npu_mcu_debug_watches(struct npu_mcu *mcu, const struct rv64_watch *access);
void npu_mcu_debug_watched(struct npu_mcu *mcu);
/* The hart stands still; without a lock. */
void npu_mcu_debug_stands(struct npu_mcu *mcu);

/* mcu_bus.c: what the hart sees at its addresses. Callbacks of struct rv64_ops. */
extern const struct rv64_ops npu_mcu_bus;

/* mcu_regs.c: peripheral registers; nonzero if there is no such register. */
void npu_mcu_regs_init(struct npu_mcu *mcu);
void npu_mcu_regs_reset(struct npu_mcu *mcu);
int npu_mcu_reg_read(struct npu_mcu *mcu, uint64_t offset, unsigned int size, uint64_t *value);
int npu_mcu_reg_write(struct npu_mcu *mcu, uint64_t offset, unsigned int size, uint64_t value);

/* mcu_console.c */
void npu_mcu_console_start(struct npu_mcu *mcu);
void npu_mcu_console_put(struct npu_mcu *mcu, char c);
void npu_mcu_console_printf(struct npu_mcu *mcu, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* mcu_sensors.c */
void npu_mcu_sensors_init(struct npu_mcu *mcu);
void npu_mcu_sensors_reset(struct npu_mcu *mcu);
uint32_t npu_mcu_sensor_power(struct npu_mcu *mcu);
uint32_t npu_mcu_sensor_temperature(struct npu_mcu *mcu);
uint32_t npu_mcu_sensor_voltage(struct npu_mcu *mcu);
uint32_t npu_mcu_sensor_hbm_mhz(struct npu_mcu *mcu);
uint32_t npu_mcu_sensor_hbm_mbps(struct npu_mcu *mcu);

/* bootrom.c: checks and loads the image at @image; returns NPU_POST_ROM_JUMP or an error. */
enum npu_post npu_bootrom_load(struct npu_mcu *mcu, uint64_t image, uint32_t size,
			       uint64_t *entry);

#endif /* NPU_DEVICE_MCU_H */
