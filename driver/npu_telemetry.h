/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_TELEMETRY_H__
#define __NPU_TELEMETRY_H__

struct npu_device;
struct npu_fw_telemetry;

int npu_telemetry_state(struct npu_device *npu);
int npu_telemetry_read(struct npu_device *npu, struct npu_fw_telemetry *telemetry);

#endif /* __NPU_TELEMETRY_H__ */
