/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_RESET_H__
#define __NPU_RESET_H__

struct npu_device;

int npu_reset_init(struct npu_device *npu);
int npu_reset_first_boot(struct npu_device *npu);
void npu_reset_schedule(struct npu_device *npu, const char *reason);
void npu_reset_wait(struct npu_device *npu);
void npu_reset_wait_up(struct npu_device *npu);
void npu_reset_prepare(struct npu_device *npu);
void npu_reset_done(struct npu_device *npu);
int npu_reset_reboot(struct npu_device *npu);
void npu_reset_retry(struct npu_device *npu);
void npu_reset_give_up(struct npu_device *npu);
void npu_reset_offline(struct npu_device *npu);
int npu_reset_slot(struct npu_device *npu);
void npu_reset_online(struct npu_device *npu);
void npu_reset_lost(struct npu_device *npu);
void npu_reset_shutdown(struct npu_device *npu);
void npu_reset_unplug(struct npu_device *npu);

#endif /* __NPU_RESET_H__ */
