/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_FW_DRV_H__
#define __NPU_FW_DRV_H__

#include <linux/ratelimit.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <npu/npu_fw.h>

struct firmware;
struct npu_device;
struct seq_file;

/**
 * struct npu_fw - management firmware
 */
struct npu_fw {
	/** @image: kept for reboots, when nothing can be loaded */
	const struct firmware *image;
	/** @region: HBM offset of the firmware region */
	u64 region;
	/** @version: as the image says, NUL-terminated */
	char version[48];
	/** @abi_major: admin ABI in force */
	u16 abi_major;
	/** @abi_minor: admin ABI in force */
	u16 abi_minor;
	/** @boot_post: last POST code of the last boot */
	u32 boot_post;

	/** @watch: looks at heartbeat and health */
	struct delayed_work watch;
	/** @heartbeat: counter when it was last seen to move */
	u32 heartbeat;
	/** @heartbeat_at: jiffies of that */
	unsigned long heartbeat_at;
	/** @health: enum npu_health as last logged */
	u32 health;
	/** @health_ratelimit: limits messages about it */
	struct ratelimit_state health_ratelimit;
};

int npu_fw_init(struct npu_device *npu);
int npu_fw_boot(struct npu_device *npu);
void npu_fw_event(struct npu_device *npu);
void npu_fw_watch_start(struct npu_device *npu);
void npu_fw_watch_stop(struct npu_device *npu);

int npu_fw_read_telemetry(struct npu_device *npu, struct npu_fw_telemetry *telemetry);
int npu_fw_read_ras(struct npu_device *npu, struct npu_fw_ras *ras);
int npu_fw_show_log(struct npu_device *npu, struct seq_file *m);

#endif /* __NPU_FW_DRV_H__ */
