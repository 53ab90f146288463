// SPDX-License-Identifier: MIT
/* Rates of an NPU over time, from a performance stream of its driver. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>
#include <xf86drm.h>

#include "perf.h"

#define NUM_COUNTERS (DRM_NPU_PERF_HBM_USED + 1)

struct record {
	struct drm_npu_perf_sample head;
	uint64_t values[NUM_COUNTERS];
};

/**
 * struct column - what is shown
 * @name: head of the column, and key of the JSON
 * @counter: what it is made of
 * @gauge: of one sample; otherwise the growth between two, a second
 * @cores: and a core
 * @scale: to multiply with
 */
static const struct column {
	const char *name;
	enum drm_npu_perf_counter counter;
	bool gauge;
	bool cores;
	double scale;
} columns[] = {
	{ "aicore_percent", DRM_NPU_PERF_AICORE_BUSY_NS, false, true, 100e-9 },
	{ "sdma_percent", DRM_NPU_PERF_SDMA_BUSY_NS, false, false, 100e-9 },
	{ "hbm_read_mbps", DRM_NPU_PERF_HBM_READ_BYTES, false, false, 1e-6 },
	{ "hbm_write_mbps", DRM_NPU_PERF_HBM_WRITE_BYTES, false, false, 1e-6 },
	{ "tasks_per_s", DRM_NPU_PERF_TASKS_DONE, false, false, 1 },
	{ "failed_per_s", DRM_NPU_PERF_TASKS_FAILED, false, false, 1 },
	{ "power_w", DRM_NPU_PERF_POWER_MW, true, false, 1e-3 },
	{ "temperature_c", DRM_NPU_PERF_TEMPERATURE_MC, true, false, 1e-3 },
	{ "aicore_mhz", DRM_NPU_PERF_AICORE_MHZ, true, false, 1 },
	{ "hbm_used_mb", DRM_NPU_PERF_HBM_USED, true, false, 1.0 / BYTES_PER_MB },
};

#define NUM_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static int stream_open(const struct npu_device *dev, unsigned int period_ms)
{
	struct drm_npu_perf_open open_args = {
		.counters = (1ULL << NUM_COUNTERS) - 1,
		.period_us = period_ms * 1000,
	};
	char path[32];
	int fd, ret;

	snprintf(path, sizeof(path), "/dev/accel/accel%u", dev->minor);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = drmIoctl(fd, DRM_IOCTL_NPU_PERF_OPEN, &open_args) ? -errno : open_args.fd;
	close(fd);
	return ret;
}

static int stream_read(int stream, struct record *record)
{
	ssize_t size;

	do {
		size = read(stream, record, sizeof(*record));
	} while (size < 0 && errno == EINTR);
	return size < 0 ? -errno : 0;
}

static double value(const struct column *column, const struct npu_device *dev,
		    const struct record *last, const struct record *now)
{
	double seconds = (now->head.cpu_time - last->head.cpu_time) * 1e-9;
	uint64_t grown = now->values[column->counter] - last->values[column->counter];

	if (column->gauge)
		return now->values[column->counter] * column->scale;
	/* Counters start at zero when the device has been reset. */
	if (now->values[column->counter] < last->values[column->counter] || seconds <= 0)
		return 0;
	return grown * column->scale / seconds / (column->cores ? dev->info.num_cores : 1);
}

static void show_text(const struct npu_device *dev, const struct record *last,
		      const struct record *now)
{
	printf("%u\t%.6f", dev->index, now->head.cpu_time * 1e-9);
	for (size_t i = 0; i < NUM_COLUMNS; i++)
		printf("\t%.1f", value(&columns[i], dev, last, now));
	printf("\t%llu\n", (unsigned long long)(now->head.dropped - last->head.dropped));
}

static void show_head(void)
{
	printf("npu\ttime_s");
	for (size_t i = 0; i < NUM_COLUMNS; i++)
		printf("\t%s", columns[i].name);
	printf("\tdropped\n");
}

static void show_json(const struct npu_device *dev, const struct record *last,
		      const struct record *now)
{
	json_t *line = json_pack("{s:i, s:f}", "npu", (int)dev->index, "time_s",
				 now->head.cpu_time * 1e-9);

	for (size_t i = 0; i < NUM_COLUMNS; i++)
		json_object_set_new(line, columns[i].name,
				    json_real(value(&columns[i], dev, last, now)));
	json_object_set_new(line, "dropped", json_integer(now->head.dropped - last->head.dropped));
	json_dumpf(line, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(line);
}

int perf_show(const struct npu_device *dev, unsigned int period_ms, unsigned long count, bool json)
{
	int stream = stream_open(dev, period_ms), ret;
	struct record last, now;

	if (stream < 0)
		return stream;
	if (!json)
		show_head();
	ret = stream_read(stream, &last);
	for (unsigned long i = 0; !ret && (!count || i < count); i++, last = now) {
		ret = stream_read(stream, &now);
		if (ret)
			break;
		(json ? show_json : show_text)(dev, &last, &now);
		if (fflush(stdout))
			ret = -errno;
	}
	close(stream);
	return ret;
}
