// SPDX-License-Identifier: MIT
/*
 * Device time and CLOCK_MONOTONIC. Readings of both are kept: the two around an event tell how
 * fast one runs against the other between them, and bound the error.
 */
#include "internal.h"

/* The most that the ratio of the clocks may change: NTP slews by up to 500 ppm either way. */
#define WANDER 0.001

static uint64_t middle(const struct rt_reading *reading)
{
	return reading->before + (reading->after - reading->before) / 2;
}

/* With a tick of the device. */
static uint64_t half(const struct rt_reading *reading)
{
	return (reading->after - reading->before + 1) / 2 + reading->tick;
}

int rt_clock_read(npurt_device *device, struct rt_reading *reading)
{
	struct drm_npu_dev_timestamp t = { 0 };
	struct drm_npu_dev_query args = {
		.type = DRM_NPU_DEV_QUERY_TIMESTAMP,
		.size = sizeof(t),
		.pointer = (uintptr_t)&t,
	};
	int err;

	if (rt_forked(device))
		return NPURT_ERROR_FORKED;
	err = kmd_ioctl(device->kmd, DRM_IOCTL_NPU_DEV_QUERY, &args);
	if (err)
		return rt_fail_errno(&device->diag, err, "query of time");
	*reading = (struct rt_reading){
		.device = rt_ticks_to_ns(device, t.device),
		.before = t.cpu_before,
		.after = t.cpu_after,
		.tick = rt_ticks_to_ns(device, 1) + 1,
	};
	return 0;
}

void rt_clock_place(const struct rt_reading *from, const struct rt_reading *to, uint64_t device,
		    uint64_t *ns, uint64_t *error)
{
	const double length = from ? (double)(to->device - from->device) : 0;
	const double rate = length > 0 ? (double)(middle(to) - middle(from)) / length : 1;
	const struct rt_reading *near =
		from && device - from->device < to->device - device ? from : to;
	const double distance = (double)(int64_t)(device - near->device);
	const double far = distance < 0 ? -distance : distance;
	double uncertain = (double)half(near) + far * WANDER;
	uint64_t at = middle(near) + (uint64_t)(int64_t)(distance * rate);

	if (length > 0)
		uncertain += far / length * (double)(half(from) + half(to));
	if (at > to->after)
		at = to->after;
	if (from && at < from->before)
		at = from->before;
	*ns = at;
	*error = (uint64_t)uncertain + 1;
	/* Time does not go backwards: it was between the two whatever the clocks did. */
	if (from)
		*error = rt_min(*error, at - from->before > to->after - at ? at - from->before
									   : to->after - at);
}

/* Under the device's lock. The one that was read last before @ns, and the first one after. */
static void around(const struct rt_clock *clock, uint64_t ns, struct rt_reading *from,
		   struct rt_reading *to)
{
	const unsigned int first = clock->count > RT_READINGS ? clock->count - RT_READINGS : 0;

	from->after = to->after = 0;
	for (unsigned int i = first; i < clock->count; i++) {
		const struct rt_reading *reading = &clock->readings[i % RT_READINGS];

		if (reading->device <= ns)
			*from = *reading;
		else if (!to->after)
			*to = *reading;
	}
}

static int add_reading(npurt_device *device, struct rt_reading *reading)
{
	struct rt_clock *clock = &device->clock;
	int err = rt_clock_read(device, reading);

	if (err)
		return err;
	pthread_mutex_lock(&device->lock);
	/* Readings of two threads may come in the other order. */
	if (!clock->count ||
	    reading->device > clock->readings[(clock->count - 1) % RT_READINGS].device)
		clock->readings[clock->count++ % RT_READINGS] = *reading;
	pthread_mutex_unlock(&device->lock);
	return 0;
}

int rt_clock_to_monotonic(npurt_device *device, uint64_t ticks, uint64_t *ns, uint64_t *error)
{
	const uint64_t time = rt_ticks_to_ns(device, ticks);
	struct rt_reading from, to;
	int err = 0;

	pthread_mutex_lock(&device->lock);
	around(&device->clock, time, &from, &to);
	pthread_mutex_unlock(&device->lock);
	if (!to.after)
		err = add_reading(device, &to);
	if (err)
		return err;
	if (to.device < time)
		return rt_fail(&device->diag, NPURT_ERROR_RANGE,
			       "the clock of %s began anew since: it stood without power",
			       device->node.path);
	rt_clock_place(from.after ? &from : NULL, &to, time, ns, error);
	return 0;
}

void rt_clock_init(npurt_device *device)
{
	struct rt_reading reading;

	/* Without it times are less exact, that is all. */
	if (add_reading(device, &reading))
		rt_log(device, NPURT_LOG_INFO, "no reading of the clock of %s", device->node.path);
}

int npurt_device_get_time(npurt_device *device, uint64_t *device_ns, uint64_t *monotonic_ns)
{
	struct rt_reading reading;
	int err;

	if (!device)
		return NPURT_ERROR_INVALID;
	err = rt_clock_read(device, &reading);
	if (err)
		return err;
	if (device_ns)
		*device_ns = reading.device;
	if (monotonic_ns)
		*monotonic_ns = middle(&reading);
	return 0;
}
