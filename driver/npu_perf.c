// SPDX-License-Identifier: GPL-2.0-only
#include <linux/anon_inodes.h>
#include <linux/bitops.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_managed.h>

#include <drm/npu_accel.h>

#include "npu_admin.h"
#include "npu_clock.h"
#include "npu_compat.h"
#include "npu_device.h"
#include "npu_fw.h"
#include "npu_hbm.h"
#include "npu_perf.h"
#include "npu_pm.h"
#include "npu_uapi.h"

/**
 * DOC: Performance streams
 *
 * A timer ticks, a work item has the firmware take a sample - its own are half a second
 * apart - and puts the counters that were asked for into a ring. A tick for which there is
 * no sample, since the one before is not done yet or the device is being reset, is counted
 * as dropped, like a sample that nobody has read: samples and dropped ones tell how many
 * ticks there were.
 *
 * A stream outlives the device: what is left can be read, then there is ENODEV.
 */

#define NPU_PERF_NUM_COUNTERS (DRM_NPU_PERF_HBM_USED + 1)
#define NPU_PERF_COUNTERS GENMASK_ULL(NPU_PERF_NUM_COUNTERS - 1, 0)

/* A sample is a round trip to the firmware, and others want to talk to it too. */
#define NPU_PERF_MIN_PERIOD_US 1000
#define NPU_PERF_MAX_PERIOD_US (60 * USEC_PER_SEC)
#define NPU_PERF_MAX_SAMPLES 65536
#define NPU_PERF_DEFAULT_SAMPLES 1024

/**
 * struct npu_perf_record - a record, of which a stream has as many counters as it was opened for
 */
struct npu_perf_record {
	/** @head: its head */
	struct drm_npu_perf_sample head;
	/** @values: counters */
	u64 values[NPU_PERF_NUM_COUNTERS];
};

/**
 * struct npu_perf_stream - an open performance stream
 */
struct npu_perf_stream {
	/** @npu: device, a reference */
	struct npu_device *npu;
	/** @node: in &npu_perf.streams */
	struct list_head node;
	/** @counters: bit mask of enum drm_npu_perf_counter */
	u64 counters;
	/** @record_size: bytes of a record */
	size_t record_size;
	/** @period: time between ticks */
	ktime_t period;
	/** @timer: ticks */
	struct hrtimer timer;
	/** @work: takes a sample */
	struct work_struct work;
	/** @missed: ticks without a sample */
	atomic64_t missed;

	/** @read_lock: one reader at a time, so that each gets records in order */
	struct mutex read_lock;
	/** @wait: readers and pollers */
	wait_queue_head_t wait;
	/** @lock: protects what follows */
	spinlock_t lock;
	/** @ring: records, @record_size apart */
	void *ring;
	/** @capacity: records that fit into @ring */
	u32 capacity;
	/** @head: records ever written */
	u64 head;
	/** @tail: of them read or dropped */
	u64 tail;
	/** @dropped: of them dropped */
	u64 dropped;
};

static void *npu_perf_slot(struct npu_perf_stream *stream, u64 index)
{
	return stream->ring + index % stream->capacity * stream->record_size;
}

/**
 * npu_perf_push() - add a record
 * @stream: stream
 * @record: record
 *
 * If there is no room the oldest is dropped.
 */
static void npu_perf_push(struct npu_perf_stream *stream, const struct npu_perf_record *record)
{
	spin_lock(&stream->lock);
	if (stream->head - stream->tail == stream->capacity) {
		stream->tail++;
		stream->dropped++;
	}
	memcpy(npu_perf_slot(stream, stream->head), record, stream->record_size);
	stream->head++;
	spin_unlock(&stream->lock);

	wake_up_interruptible(&stream->wait);
}

/**
 * npu_perf_peek() - copy the oldest record
 * @stream: stream
 * @record: set to it
 * @index: set to its number, for npu_perf_pop()
 *
 * Return: false if there is none.
 */
static bool npu_perf_peek(struct npu_perf_stream *stream, struct npu_perf_record *record,
			  u64 *index)
{
	bool found;

	spin_lock(&stream->lock);
	found = stream->head != stream->tail;
	if (found) {
		*index = stream->tail;
		memcpy(record, npu_perf_slot(stream, stream->tail), stream->record_size);
		record->head.dropped = stream->dropped + atomic64_read(&stream->missed);
	}
	spin_unlock(&stream->lock);

	return found;
}

/**
 * npu_perf_pop() - the oldest record has been read
 * @stream: stream
 * @index: from npu_perf_peek()
 */
static void npu_perf_pop(struct npu_perf_stream *stream, u64 index)
{
	spin_lock(&stream->lock);
	if (stream->tail == index)
		stream->tail++;
	else
		stream->dropped--; /* taken for lost while it was being read */
	spin_unlock(&stream->lock);
}

static bool npu_perf_has_records(struct npu_perf_stream *stream)
{
	bool has;

	spin_lock(&stream->lock);
	has = stream->head != stream->tail;
	spin_unlock(&stream->lock);

	return has;
}

static u64 npu_perf_value(struct npu_device *npu, const struct npu_fw_telemetry *telemetry,
			  enum drm_npu_perf_counter counter)
{
	switch (counter) {
	case DRM_NPU_PERF_AICORE_BUSY_NS:
		return le64_to_cpu(telemetry->aicore_busy_ns);
	case DRM_NPU_PERF_SDMA_BUSY_NS:
		return le64_to_cpu(telemetry->sdma_busy_ns);
	case DRM_NPU_PERF_HBM_READ_BYTES:
		return le64_to_cpu(telemetry->hbm_read_bytes);
	case DRM_NPU_PERF_HBM_WRITE_BYTES:
		return le64_to_cpu(telemetry->hbm_write_bytes);
	case DRM_NPU_PERF_TASKS_DONE:
		return le64_to_cpu(telemetry->tasks_done);
	case DRM_NPU_PERF_TASKS_FAILED:
		return le64_to_cpu(telemetry->tasks_failed);
	case DRM_NPU_PERF_POWER_MW:
		return le32_to_cpu(telemetry->power_mw);
	case DRM_NPU_PERF_TEMPERATURE_MC:
		return le32_to_cpu(telemetry->temperature_mc);
	case DRM_NPU_PERF_AICORE_MHZ:
		return le32_to_cpu(telemetry->aicore_mhz);
	case DRM_NPU_PERF_HBM_USED:
		return npu_hbm_used(npu);
	}

	return 0;
}

/**
 * npu_perf_take() - have the firmware take a sample, and read it
 * @npu: device
 * @telemetry: sample
 * @now: reading of the clocks after it
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_perf_take(struct npu_device *npu, struct npu_fw_telemetry *telemetry,
			 struct drm_npu_dev_timestamp *now)
{
	struct npu_admin_cmd cmd = { .opcode = NPU_ADMIN_TELEMETRY };
	int ret = -EAGAIN;

	mutex_lock(&npu->hw_lock);
	if (npu->state == NPU_DEVICE_ALIVE)
		ret = npu_admin_exec(npu, &cmd, NULL);
	if (!ret)
		ret = npu_fw_read_telemetry(npu, telemetry);
	if (!ret)
		npu_clock_read(npu, now);
	mutex_unlock(&npu->hw_lock);

	return ret;
}

/**
 * npu_perf_sample() - add a sample to a stream
 * @stream: stream of a device that is there
 */
static void npu_perf_sample(struct npu_perf_stream *stream)
{
	struct npu_device *npu = stream->npu;
	struct npu_fw_telemetry telemetry;
	struct drm_npu_dev_timestamp now;
	struct npu_perf_record record = {};
	unsigned int counter, i = 0;

	if (npu_perf_take(npu, &telemetry, &now)) {
		atomic64_inc(&stream->missed);
		return;
	}

	record.head.device_time = le64_to_cpu(telemetry.timestamp);
	record.head.cpu_time = npu_clock_to_cpu(npu, &now, record.head.device_time);
	for (counter = 0; counter < NPU_PERF_NUM_COUNTERS; counter++)
		if (stream->counters & BIT_ULL(counter))
			record.values[i++] = npu_perf_value(npu, &telemetry, counter);

	npu_perf_push(stream, &record);
}

static void npu_perf_work(struct work_struct *work)
{
	struct npu_perf_stream *stream = container_of(work, struct npu_perf_stream, work);
	int idx;

	if (npu_pm_enter(stream->npu, &idx))
		return;
	npu_perf_sample(stream);
	npu_pm_exit(stream->npu, idx);
}

static enum hrtimer_restart npu_perf_tick(struct hrtimer *timer)
{
	struct npu_perf_stream *stream = container_of(timer, struct npu_perf_stream, timer);
	u64 ticks = hrtimer_forward_now(timer, stream->period);

	if (queue_work(system_highpri_wq, &stream->work))
		ticks--;
	atomic64_add(ticks, &stream->missed);
	return HRTIMER_RESTART;
}

static void npu_perf_stop(struct npu_perf_stream *stream)
{
	hrtimer_cancel(&stream->timer);
	cancel_work_sync(&stream->work);
}

static void npu_perf_free(struct npu_perf_stream *stream)
{
	struct npu_device *npu = stream->npu;

	mutex_lock(&npu->perf.lock);
	list_del(&stream->node);
	mutex_unlock(&npu->perf.lock);

	npu_perf_stop(stream);
	mutex_destroy(&stream->read_lock);
	kvfree(stream->ring);
	kfree(stream);
	drm_dev_put(&npu->drm);
}

static int npu_perf_release(struct inode *inode, struct file *file)
{
	npu_perf_free(file->private_data);
	return 0;
}

/**
 * npu_perf_wait() - wait for a record
 * @stream: stream
 * @file: its file
 *
 * Return: 0 if there is one; -ENODEV if there will be none any more, -EAGAIN if the caller
 * does not want to wait, -ERESTARTSYS if there is a signal.
 */
static int npu_perf_wait(struct npu_perf_stream *stream, struct file *file)
{
	struct drm_device *drm = &stream->npu->drm;
	int ret;

	if (file->f_flags & O_NONBLOCK) {
		if (npu_perf_has_records(stream))
			return 0;
		return drm_dev_is_unplugged(drm) ? -ENODEV : -EAGAIN;
	}

	ret = wait_event_interruptible(stream->wait, npu_perf_has_records(stream) ||
				       drm_dev_is_unplugged(drm));
	if (ret)
		return ret;
	return npu_perf_has_records(stream) ? 0 : -ENODEV;
}

/**
 * npu_perf_copy() - copy as many records as there are and fit
 * @stream: stream
 * @buffer: where to
 * @size: of it
 *
 * Return: bytes copied, -EFAULT if not even one could be.
 */
static ssize_t npu_perf_copy(struct npu_perf_stream *stream, char __user *buffer, size_t size)
{
	struct npu_perf_record record;
	size_t done = 0;
	u64 index;

	while (size - done >= stream->record_size && npu_perf_peek(stream, &record, &index)) {
		if (copy_to_user(buffer + done, &record, stream->record_size))
			return done ?: -EFAULT;
		npu_perf_pop(stream, index);
		done += stream->record_size;
	}

	return done;
}

static ssize_t npu_perf_read(struct file *file, char __user *buffer, size_t size, loff_t *pos)
{
	struct npu_perf_stream *stream = file->private_data;
	ssize_t ret;

	if (size < stream->record_size)
		return -EINVAL;

	/* Another reader may be faster. */
	do {
		ret = npu_perf_wait(stream, file);
		if (ret)
			return ret;

		if (mutex_lock_interruptible(&stream->read_lock))
			return -ERESTARTSYS;
		ret = npu_perf_copy(stream, buffer, size);
		mutex_unlock(&stream->read_lock);
	} while (!ret);

	return ret;
}

static __poll_t npu_perf_poll(struct file *file, struct poll_table_struct *wait)
{
	struct npu_perf_stream *stream = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &stream->wait, wait);
	/* In this order: no record comes after the device has gone. */
	if (drm_dev_is_unplugged(&stream->npu->drm))
		events |= EPOLLHUP;
	if (npu_perf_has_records(stream))
		events |= EPOLLIN | EPOLLRDNORM;
	return events;
}

static const struct file_operations npu_perf_fops = {
	.owner = THIS_MODULE,
	.read = npu_perf_read,
	.poll = npu_perf_poll,
	.release = npu_perf_release,
	.llseek = noop_llseek,
};

static int npu_perf_check(struct npu_device *npu, const struct drm_npu_perf_open *args)
{
	if (NPU_BAD_ARG(npu, args->flags) ||
	    NPU_BAD_ARG(npu, !args->counters) ||
	    NPU_BAD_ARG(npu, args->counters & ~NPU_PERF_COUNTERS) ||
	    NPU_BAD_ARG(npu, args->period_us < NPU_PERF_MIN_PERIOD_US) ||
	    NPU_BAD_ARG(npu, args->period_us > NPU_PERF_MAX_PERIOD_US) ||
	    NPU_BAD_ARG(npu, args->samples > NPU_PERF_MAX_SAMPLES))
		return -EINVAL;

	return 0;
}

/**
 * npu_perf_create() - create a stream, which begins to take samples
 * @npu: device
 * @args: arguments, checked
 *
 * Return: the stream, or an error pointer.
 */
static struct npu_perf_stream *npu_perf_create(struct npu_device *npu,
					       const struct drm_npu_perf_open *args)
{
	struct npu_perf_stream *stream;

	stream = kzalloc(sizeof(*stream), GFP_KERNEL_ACCOUNT);
	if (!stream)
		return ERR_PTR(-ENOMEM);

	stream->counters = args->counters;
	stream->capacity = args->samples ?: NPU_PERF_DEFAULT_SAMPLES;
	stream->record_size = sizeof(struct drm_npu_perf_sample) +
			      hweight64(args->counters) * sizeof(u64);
	stream->ring = kvmalloc_array(stream->capacity, stream->record_size, GFP_KERNEL_ACCOUNT);
	if (!stream->ring) {
		kfree(stream);
		return ERR_PTR(-ENOMEM);
	}

	stream->npu = npu;
	drm_dev_get(&npu->drm);
	stream->period = ns_to_ktime((u64)args->period_us * NSEC_PER_USEC);
	mutex_init(&stream->read_lock);
	spin_lock_init(&stream->lock);
	init_waitqueue_head(&stream->wait);
	INIT_WORK(&stream->work, npu_perf_work);
	hrtimer_setup(&stream->timer, npu_perf_tick, CLOCK_MONOTONIC, HRTIMER_MODE_REL);

	mutex_lock(&npu->perf.lock);
	list_add_tail(&stream->node, &npu->perf.streams);
	mutex_unlock(&npu->perf.lock);

	hrtimer_start(&stream->timer, stream->period, HRTIMER_MODE_REL);
	return stream;
}

/**
 * npu_perf_open_ioctl() - DRM_IOCTL_NPU_PERF_OPEN
 * @drm: DRM device
 * @data: arguments
 * @file: file
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_perf_open_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct npu_device *npu = to_npu_device(drm);
	struct drm_npu_perf_open *args = data;
	struct npu_perf_stream *stream;
	int fd;

	if (!perfmon_capable())
		return -EACCES;

	fd = npu_perf_check(npu, args);
	if (fd)
		return fd;

	stream = npu_perf_create(npu, args);
	if (IS_ERR(stream))
		return PTR_ERR(stream);

	/* From here on the file, which may be closed at once, owns the stream. */
	fd = anon_inode_getfd("[npu-perf]", &npu_perf_fops, stream, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		npu_perf_free(stream);
		return fd;
	}

	args->fd = fd;
	return 0;
}

/**
 * npu_perf_query() - what streams can do
 * @reply: set to it
 */
void npu_perf_query(struct drm_npu_dev_perf *reply)
{
	*reply = (struct drm_npu_dev_perf) {
		.counters = NPU_PERF_COUNTERS,
		.min_period_us = NPU_PERF_MIN_PERIOD_US,
		.max_period_us = NPU_PERF_MAX_PERIOD_US,
		.max_samples = NPU_PERF_MAX_SAMPLES,
	};
}

/**
 * npu_perf_init() - streams may be opened
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_perf_init(struct npu_device *npu)
{
	INIT_LIST_HEAD(&npu->perf.streams);
	return drmm_mutex_init(&npu->drm, &npu->perf.lock);
}

/**
 * npu_perf_unplug() - the device has gone: no more samples, and readers hear of it
 * @npu: device, unplugged
 */
void npu_perf_unplug(struct npu_device *npu)
{
	struct npu_perf_stream *stream;

	mutex_lock(&npu->perf.lock);
	list_for_each_entry(stream, &npu->perf.streams, node) {
		npu_perf_stop(stream);
		wake_up_interruptible(&stream->wait);
	}
	mutex_unlock(&npu->perf.lock);
}
