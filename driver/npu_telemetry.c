// SPDX-License-Identifier: GPL-2.0-only
#include <drm/drm_drv.h>

#include "npu_device.h"
#include "npu_fw.h"
#include "npu_pm.h"
#include "npu_telemetry.h"

/**
 * npu_telemetry_state() - are there sensors to be read?
 * @npu: device
 *
 * The memory that telemetry is in outlasts a reset, so that it would tell of the time before.
 *
 * Return: 0 if so, a negative error code otherwise.
 */
int npu_telemetry_state(struct npu_device *npu)
{
	switch (READ_ONCE(npu->state)) {
	case NPU_DEVICE_ALIVE:
		return 0;
	case NPU_DEVICE_RESETTING:
	case NPU_DEVICE_OFFLINE:
		return -EAGAIN;
	case NPU_DEVICE_WEDGED:
		return -EIO;
	default:
		return -ENODEV;
	}
}

/**
 * npu_telemetry_read() - last sample of sensors and counters, for those outside of the driver
 * @npu: device
 * @telemetry: sample
 *
 * Return: 0 on success, -EAGAIN during a reset, -EIO if the device is wedged, -ENODEV if it
 * is gone.
 */
int npu_telemetry_read(struct npu_device *npu, struct npu_fw_telemetry *telemetry)
{
	int ret, idx;

	ret = npu_pm_enter(npu, &idx);
	if (ret)
		return ret;

	if (npu_online_tryenter(npu)) {
		ret = npu_telemetry_state(npu) ?: npu_fw_read_telemetry(npu, telemetry);
		npu_online_exit(npu);
	} else {
		ret = -EAGAIN;
	}
	npu_pm_exit(npu, idx);

	return ret;
}
