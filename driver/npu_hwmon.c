// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hwmon.h>
#include <linux/hwmon-sysfs.h>
#include <linux/units.h>

#include "npu_device.h"
#include "npu_fw.h"
#include "npu_hwmon.h"
#include "npu_telemetry.h"

/* The hwmon core knows no clocks; names and unit are those of amdgpu. */
enum npu_hwmon_clock {
	NPU_HWMON_CLOCK_AICORE,
	NPU_HWMON_CLOCK_HBM,
};

static const char * const npu_hwmon_clock_labels[] = {
	[NPU_HWMON_CLOCK_AICORE] = "aicore",
	[NPU_HWMON_CLOCK_HBM] = "hbm",
};

static ssize_t npu_hwmon_freq_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct npu_fw_telemetry telemetry;
	u32 mhz;
	int ret;

	ret = npu_telemetry_read(dev_get_drvdata(dev), &telemetry);
	if (ret)
		return ret;

	if (to_sensor_dev_attr(attr)->index == NPU_HWMON_CLOCK_AICORE)
		mhz = le32_to_cpu(telemetry.aicore_mhz);
	else
		mhz = le32_to_cpu(telemetry.hbm_mhz);
	return sysfs_emit(buf, "%llu\n", (u64)mhz * HZ_PER_MHZ);
}

static ssize_t npu_hwmon_freq_label_show(struct device *dev, struct device_attribute *attr,
					 char *buf)
{
	return sysfs_emit(buf, "%s\n", npu_hwmon_clock_labels[to_sensor_dev_attr(attr)->index]);
}

static SENSOR_DEVICE_ATTR_RO(freq1_input, npu_hwmon_freq, NPU_HWMON_CLOCK_AICORE);
static SENSOR_DEVICE_ATTR_RO(freq1_label, npu_hwmon_freq_label, NPU_HWMON_CLOCK_AICORE);
static SENSOR_DEVICE_ATTR_RO(freq2_input, npu_hwmon_freq, NPU_HWMON_CLOCK_HBM);
static SENSOR_DEVICE_ATTR_RO(freq2_label, npu_hwmon_freq_label, NPU_HWMON_CLOCK_HBM);

static struct attribute *npu_hwmon_attrs[] = {
	&sensor_dev_attr_freq1_input.dev_attr.attr,
	&sensor_dev_attr_freq1_label.dev_attr.attr,
	&sensor_dev_attr_freq2_input.dev_attr.attr,
	&sensor_dev_attr_freq2_label.dev_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(npu_hwmon);

static int npu_hwmon_read_temp(const struct npu_fw_telemetry *telemetry, u32 attr, long *value)
{
	u32 temperature = le32_to_cpu(telemetry->temperature_mc);

	switch (attr) {
	case hwmon_temp_input:
		*value = temperature;
		return 0;
	case hwmon_temp_max_alarm:
		*value = temperature > NPU_TEMPERATURE_MAX_MC;
		return 0;
	case hwmon_temp_crit_alarm:
		*value = temperature > NPU_TEMPERATURE_CRIT_MC;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/**
 * npu_hwmon_read_limit() - what is known without asking the device
 * @type: kind of sensor
 * @attr: attribute
 * @value: set to its value
 *
 * Return: true if it is such an attribute.
 */
static bool npu_hwmon_read_limit(enum hwmon_sensor_types type, u32 attr, long *value)
{
	if (type != hwmon_temp)
		return false;

	switch (attr) {
	case hwmon_temp_max:
		*value = NPU_TEMPERATURE_MAX_MC;
		return true;
	case hwmon_temp_crit:
		*value = NPU_TEMPERATURE_CRIT_MC;
		return true;
	default:
		return false;
	}
}

static int npu_hwmon_read(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
			  long *value)
{
	struct npu_fw_telemetry telemetry;
	int ret;

	if (npu_hwmon_read_limit(type, attr, value))
		return 0;

	ret = npu_telemetry_read(dev_get_drvdata(dev), &telemetry);
	if (ret)
		return ret;

	switch (type) {
	case hwmon_temp:
		return npu_hwmon_read_temp(&telemetry, attr, value);
	case hwmon_power:
		*value = (long)le32_to_cpu(telemetry.power_mw) * MICROWATT_PER_MILLIWATT;
		return 0;
	case hwmon_in:
		*value = le32_to_cpu(telemetry.voltage_mv);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int npu_hwmon_read_string(struct device *dev, enum hwmon_sensor_types type, u32 attr,
				 int channel, const char **text)
{
	switch (type) {
	case hwmon_temp:
		*text = "die";
		return 0;
	case hwmon_power:
		*text = "board";
		return 0;
	case hwmon_in:
		*text = "core";
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static const struct hwmon_channel_info * const npu_hwmon_channels[] = {
	HWMON_CHANNEL_INFO(temp, HWMON_T_INPUT | HWMON_T_LABEL | HWMON_T_MAX | HWMON_T_CRIT |
			   HWMON_T_MAX_ALARM | HWMON_T_CRIT_ALARM),
	HWMON_CHANNEL_INFO(power, HWMON_P_INPUT | HWMON_P_LABEL),
	HWMON_CHANNEL_INFO(in, HWMON_I_INPUT | HWMON_I_LABEL),
	NULL
};

static umode_t npu_hwmon_is_visible(const void *data, enum hwmon_sensor_types type, u32 attr,
				    int channel)
{
	return 0444;
}

static const struct hwmon_ops npu_hwmon_ops = {
	.is_visible = npu_hwmon_is_visible,
	.read = npu_hwmon_read,
	.read_string = npu_hwmon_read_string,
};

static const struct hwmon_chip_info npu_hwmon_chip = {
	.ops = &npu_hwmon_ops,
	.info = npu_hwmon_channels,
};

/**
 * npu_hwmon_init() - show the sensors to hwmon
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_hwmon_init(struct npu_device *npu)
{
	return PTR_ERR_OR_ZERO(devm_hwmon_device_register_with_info(npu->drm.dev, DRIVER_NAME, npu,
								    &npu_hwmon_chip,
								    npu_hwmon_groups));
}
