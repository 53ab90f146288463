/* SPDX-License-Identifier: MIT */
/*
 * Firmware image, boot, firmware region and admin queue: what driver, boot ROM
 * and management firmware agree on. Specified in docs/hardware.md, "Firmware".
 */
#ifndef NPU_FW_H
#define NPU_FW_H

#include "npu_status.h"

/* Bumped when an admin command or the firmware region changes: major for a break. */
#define NPU_FW_ABI_VERSION_MAJOR 1
#define NPU_FW_ABI_VERSION_MINOR 1

#define NPU_FW_MAGIC 0x4655504e /* "NPUF" */
#define NPU_FW_HEADER_VERSION 1
#define NPU_FW_IMAGE_MAX 0x200000

/**
 * struct npu_fw_header - head of a firmware image file
 * @magic: NPU_FW_MAGIC
 * @header_version: NPU_FW_HEADER_VERSION
 * @header_size: sizeof(struct npu_fw_header); the payload follows
 * @abi_major: admin ABI that the firmware speaks
 * @abi_minor: likewise
 * @hw_version: lowest NPU_REG_HW_VERSION that it runs on
 * @payload_size: bytes after the header
 * @flags: none defined, zero
 * @load_address: where the payload goes in MCU SRAM
 * @entry: first instruction
 * @bss_size: bytes to clear after the payload
 * @rsvd: zero
 * @version: printable, NUL-terminated
 * @digest: SHA-256 of the header up to this field, followed by the payload
 */
struct npu_fw_header {
	npu_le32 magic;
	npu_le16 header_version;
	npu_le16 header_size;
	npu_le16 abi_major;
	npu_le16 abi_minor;
	npu_le32 hw_version;
	npu_le32 payload_size;
	npu_le32 flags;
	npu_le64 load_address;
	npu_le64 entry;
	npu_le32 bss_size;
	npu_le32 rsvd;
	char version[48];
	uint8_t digest[32];
};

NPU_ASSERT_SIZE(struct npu_fw_header, 128);
NPU_ASSERT_OFFSET(struct npu_fw_header, digest, 96);

/* NPU_REG_BOOT_POST. From NPU_POST_ERROR up the boot ended in an error. */
enum npu_post {
	NPU_POST_RESET = 0x00,
	NPU_POST_ROM_READY = 0x10,
	NPU_POST_ROM_HEADER = 0x20, /* reading and checking the header */
	NPU_POST_ROM_DIGEST = 0x30, /* computing the digest */
	NPU_POST_ROM_JUMP = 0x40,
	NPU_POST_FW_START = 0x50, /* from here on the firmware writes it */
	NPU_POST_FW_READY = 0x60, /* admin queue and heartbeat are alive */
	NPU_POST_ERROR = 0xe0,
	NPU_POST_ERR_ADDRESS = 0xe0, /* image not inside HBM, misaligned or too long */
	NPU_POST_ERR_MAGIC = 0xe1,
	NPU_POST_ERR_HEADER = 0xe2, /* header version or size */
	NPU_POST_ERR_HARDWARE = 0xe3, /* wants newer hardware */
	NPU_POST_ERR_SIZE = 0xe4, /* payload or bss does not fit file or SRAM */
	NPU_POST_ERR_ENTRY = 0xe5,
	NPU_POST_ERR_DIGEST = 0xe6,
	NPU_POST_ERR_CRASH = 0xef, /* the firmware took a trap before it was ready */
};

/*
 * Firmware region: the last NPU_REG_FW_REGION_SIZE bytes of HBM. The driver
 * gives it to nobody. The image is staged at its start before boot; afterwards:
 */
#define NPU_FW_REGION_SIZE 0x1000000
#define NPU_FW_REGION_IMAGE 0x000000 /* staging, NPU_FW_IMAGE_MAX bytes */
#define NPU_FW_REGION_CONSOLE 0x200000 /* struct npu_fw_console and its bytes */
#define NPU_FW_REGION_TELEMETRY 0x220000 /* struct npu_fw_telemetry */
#define NPU_FW_REGION_RAS 0x221000 /* struct npu_fw_ras */

#define NPU_FW_CONSOLE_MAGIC 0x474f4c4e /* "NLOG" */
#define NPU_FW_CONSOLE_BYTES 0x10000

/**
 * struct npu_fw_console - log ring, written by the console hardware
 * @magic: NPU_FW_CONSOLE_MAGIC
 * @size: bytes in the ring, NPU_FW_CONSOLE_BYTES
 * @written: bytes ever written; the newest is at (written - 1) % size
 * @data: text, lines end with a newline
 */
struct npu_fw_console {
	npu_le32 magic;
	npu_le32 size;
	npu_le64 written;
	uint8_t data[NPU_FW_CONSOLE_BYTES];
};

/**
 * struct npu_fw_telemetry - sample of sensors and counters
 * @sequence: odd while the firmware writes it; a reader retries
 * @period_ms: time between samples
 * @samples: samples taken since boot
 * @timestamp: device time of this sample
 * @temperature_mc: millidegrees Celsius
 * @power_mw: milliwatts
 * @voltage_mv: millivolts of the core rail
 * @aicore_mhz: AI core clock
 * @hbm_mhz: HBM clock
 * @aicore_permille: share of AI core time that was busy since the last sample
 * @cube_permille: likewise of the cube engines
 * @vector_permille: likewise of the vector engines
 * @sdma_permille: likewise of SDMA
 * @mcu_permille: likewise of the management core
 * @hbm_permille: HBM bandwidth used, of the profile's
 * @rsvd: zero
 * @aicore_busy_ns: since boot, summed over cores
 * @sdma_busy_ns: since boot
 * @hbm_read_bytes: since boot
 * @hbm_write_bytes: since boot
 * @tasks_done: since boot
 * @tasks_failed: since boot
 */
struct npu_fw_telemetry {
	npu_le32 sequence;
	npu_le32 period_ms;
	npu_le64 samples;
	npu_le64 timestamp;
	npu_le32 temperature_mc;
	npu_le32 power_mw;
	npu_le32 voltage_mv;
	npu_le32 aicore_mhz;
	npu_le32 hbm_mhz;
	npu_le16 aicore_permille;
	npu_le16 cube_permille;
	npu_le16 vector_permille;
	npu_le16 sdma_permille;
	npu_le16 mcu_permille;
	npu_le16 hbm_permille;
	npu_le64 rsvd;
	npu_le64 aicore_busy_ns;
	npu_le64 sdma_busy_ns;
	npu_le64 hbm_read_bytes;
	npu_le64 hbm_write_bytes;
	npu_le64 tasks_done;
	npu_le64 tasks_failed;
};

NPU_ASSERT_SIZE(struct npu_fw_telemetry, 112);
NPU_ASSERT_OFFSET(struct npu_fw_telemetry, aicore_busy_ns, 64);

/* Above the first the firmware warns, above the second it reports a critical state. */
#define NPU_TEMPERATURE_MAX_MC 95000
#define NPU_TEMPERATURE_CRIT_MC 105000

/* Health, as npu-smi shows it. */
enum npu_health {
	NPU_HEALTH_OK = 0,
	NPU_HEALTH_WARNING = 1,
	NPU_HEALTH_ALARM = 2,
	NPU_HEALTH_CRITICAL = 3,
};

/**
 * struct npu_fw_ras - reliability counters
 * @sequence: odd while the firmware writes it
 * @health: enum npu_health
 * @hbm_ce: corrected HBM errors
 * @hbm_ue: uncorrected HBM errors
 * @task_faults: tasks that ended with an error
 * @core_lost: AI cores that stopped answering
 * @over_temperature: times that the temperature limit was passed
 * @rsvd: zero
 */
struct npu_fw_ras {
	npu_le32 sequence;
	npu_le32 health;
	npu_le64 hbm_ce;
	npu_le64 hbm_ue;
	npu_le64 task_faults;
	npu_le64 core_lost;
	npu_le64 over_temperature;
	npu_le64 rsvd[2];
};

NPU_ASSERT_SIZE(struct npu_fw_ras, 64);

#define NPU_ADMIN_MAX_ENTRIES 256

enum npu_admin_opcode {
	NPU_ADMIN_IDENTIFY = 1,
	NPU_ADMIN_CONTEXT_SET = 2,
	NPU_ADMIN_CONTEXT_CLEAR = 3,
	NPU_ADMIN_CQ_CREATE = 4,
	NPU_ADMIN_CQ_DESTROY = 5,
	NPU_ADMIN_QUEUE_CREATE = 6,
	NPU_ADMIN_QUEUE_DESTROY = 7,
	NPU_ADMIN_QUEUE_SUSPEND = 8,
	NPU_ADMIN_QUEUE_RESUME = 9,
	NPU_ADMIN_QUEUE_QUERY = 10,
	NPU_ADMIN_TELEMETRY = 11, /* take a sample now */
	/* From 1.1 on: */
	NPU_ADMIN_QUEUE_STOP = 12, /* the entry in progress times out */
	NPU_ADMIN_CORE_RESET = 13, /* struct npu_admin_core */
};

/**
 * struct npu_admin_identify - version handshake; first command after boot
 * @abi_major: the driver's ABI; the firmware refuses another major
 * @abi_minor: the driver's; the lower of both is in force
 */
struct npu_admin_identify {
	npu_le16 abi_major;
	npu_le16 abi_minor;
	npu_le32 rsvd[13];
};

/**
 * struct npu_admin_context - bind a page table to context @npu_admin_cmd.id
 * @root: HBM offset of the root table, 4 KiB aligned
 */
struct npu_admin_context {
	npu_le64 root;
	npu_le32 rsvd[12];
};

/**
 * struct npu_admin_cq - create completion ring @npu_admin_cmd.id
 * @base: bus address, 4 KiB aligned; all zero before the command
 * @entries: power of two, NPU_CQ_MIN_ENTRIES to NPU_CQ_MAX_ENTRIES
 * @vector: MSI-X vector, 1 and up
 */
struct npu_admin_cq {
	npu_le64 base;
	npu_le32 entries;
	npu_le32 vector;
	npu_le32 rsvd[10];
};

/**
 * struct npu_admin_queue - create queue @npu_admin_cmd.id
 * @base: bus address of the submission ring, 4 KiB aligned
 * @status: bus address of the status block (struct npu_fault), 64-byte aligned
 * @core_mask: AI cores that it may use; 0: all
 * @entries: power of two, NPU_SQ_MIN_ENTRIES to NPU_SQ_MAX_ENTRIES
 * @timeout_us: time-out of tasks without one of their own; 0: none
 * @context: must be set
 * @cq: completion ring, must exist
 * @priority: NPU_PRIORITY_*
 * @engine: NPU_ENGINE_*
 * @rsvd: zero
 */
struct npu_admin_queue {
	npu_le64 base;
	npu_le64 status;
	npu_le64 core_mask;
	npu_le32 entries;
	npu_le32 timeout_us;
	npu_le16 context;
	npu_le16 cq;
	uint8_t priority;
	uint8_t engine;
	npu_le16 rsvd0;
	npu_le32 rsvd[4];
};

/**
 * struct npu_admin_core - reset AI core @npu_admin_cmd.id
 * @queue: whose blocks on it are lost; those of others go on
 * @rsvd: zero
 */
struct npu_admin_core {
	npu_le32 queue;
	npu_le32 rsvd[13];
};

/**
 * struct npu_admin_cmd - entry of the admin submission ring
 * @opcode: enum npu_admin_opcode
 * @flags: zero
 * @cid: chosen by the driver, returned in the completion
 * @id: of the object
 */
struct npu_admin_cmd {
	uint8_t opcode;
	uint8_t flags;
	npu_le16 cid;
	npu_le32 id;
	union {
		struct npu_admin_identify identify;
		struct npu_admin_context context;
		struct npu_admin_cq cq;
		struct npu_admin_queue queue;
		struct npu_admin_core core;
		npu_le32 raw[14];
	};
};

NPU_ASSERT_SIZE(struct npu_admin_cmd, 64);
NPU_ASSERT_OFFSET(struct npu_admin_cmd, identify, 8);

/* A reset has kept what was in HBM. From 1.1 on; before, it always had. */
#define NPU_IDENTITY_HBM_KEPT 0x1

/* Firmware's answer to NPU_ADMIN_IDENTIFY. */
struct npu_admin_identity {
	npu_le16 abi_major;
	npu_le16 abi_minor;
	npu_le32 telemetry_ms; /* period of the telemetry sample */
	npu_le32 heartbeat_ms; /* period of the heartbeat */
	npu_le32 flags; /* NPU_IDENTITY_* */
	char version[32];
};

/* Queue states as NPU_ADMIN_QUEUE_QUERY tells. */
enum npu_queue_state {
	NPU_QUEUE_NONE = 0,
	NPU_QUEUE_IDLE = 1,
	NPU_QUEUE_RUNNING = 2,
	NPU_QUEUE_WAITING = 3, /* for a semaphore */
	NPU_QUEUE_SUSPENDED = 4,
	NPU_QUEUE_FAULTED = 5, /* stopped by a fault; only destroy helps */
	NPU_QUEUE_READY = 6, /* waits for its turn; RUNNING before 1.1 */
};

struct npu_admin_queue_info {
	npu_le32 state;
	npu_le32 head; /* free-running */
	npu_le32 tail;
	npu_le32 status; /* enum npu_status of the fault */
	npu_le64 tasks; /* commands done since creation: progress */
	/* From 1.1 on, and zero where there is none: */
	npu_le64 cores; /* AI cores that run blocks of it */
	npu_le64 pc; /* where the lowest of them is */
	npu_le32 command; /* index of the command in progress */
	npu_le32 run_us; /* longest time-out of what is in progress; all ones: none */
};

/**
 * struct npu_admin_cqe - completion of an admin command
 * @identity: answer to NPU_ADMIN_IDENTIFY
 * @queue: answer to NPU_ADMIN_QUEUE_QUERY
 * @cid: the command's
 * @sq_head: free-running admin ring head after this command, low 16 bits
 * @status: enum npu_status
 * @flags: NPU_CQE_PHASE as in struct npu_cqe; the last word is written last
 */
struct npu_admin_cqe {
	union {
		struct npu_admin_identity identity;
		struct npu_admin_queue_info queue;
		npu_le64 raw[7];
	};
	npu_le16 cid;
	npu_le16 sq_head;
	npu_le16 status;
	npu_le16 flags;
};

NPU_ASSERT_SIZE(struct npu_admin_cqe, 64);
NPU_ASSERT_OFFSET(struct npu_admin_cqe, cid, 56);

#endif /* NPU_FW_H */
