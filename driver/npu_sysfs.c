// SPDX-License-Identifier: GPL-2.0-only
#include <linux/device.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/sysfs.h>

#include "npu_device.h"
#include "npu_fw.h"
#include "npu_hbm.h"
#include "npu_sysfs.h"
#include "npu_telemetry.h"

/* Described in docs/ABI/sysfs-driver-npu. */

static ssize_t npu_busy_percent_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct npu_fw_telemetry telemetry;
	unsigned int permille;
	int ret;

	ret = npu_telemetry_read(dev_get_drvdata(dev), &telemetry);
	if (ret)
		return ret;

	permille = min(le16_to_cpu(telemetry.aicore_permille), 1000);
	return sysfs_emit(buf, "%u\n", DIV_ROUND_CLOSEST(permille, 10));
}
static DEVICE_ATTR_RO(npu_busy_percent);

static ssize_t npu_memory_utilization_show(struct device *dev, struct device_attribute *attr,
					   char *buf)
{
	return sysfs_emit(buf, "%llu\n", npu_hbm_used(dev_get_drvdata(dev)));
}
static DEVICE_ATTR_RO(npu_memory_utilization);

static ssize_t npu_memory_total_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct npu_device *npu = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", npu->hbm.manager.size);
}
static DEVICE_ATTR_RO(npu_memory_total);

static struct attribute *npu_sysfs_attrs[] = {
	&dev_attr_npu_busy_percent.attr,
	&dev_attr_npu_memory_utilization.attr,
	&dev_attr_npu_memory_total.attr,
	NULL
};

static const struct attribute_group npu_sysfs_group = {
	.attrs = npu_sysfs_attrs,
};

/* They are there while the driver is bound: after probing, and gone before the device is. */
const struct attribute_group *npu_sysfs_groups[] = {
	&npu_sysfs_group,
	NULL
};
