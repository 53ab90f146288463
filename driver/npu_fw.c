// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitfield.h>
#include <linux/firmware.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <npu/npu_regs.h>

#include "npu_compat.h"
#include "npu_device.h"
#include "npu_fw.h"
#include "npu_mmio.h"
#include "npu_reset.h"

#define NPU_FW_NAME "npu/npu-mcu.bin"

#define NPU_FW_BOOT_TIMEOUT_US (20 * USEC_PER_SEC)
#define NPU_FW_WATCH_MS 1000
#define NPU_FW_HEARTBEAT_TIMEOUT_MS 8000
#define NPU_FW_SEQUENCE_TRIES 100

MODULE_FIRMWARE(NPU_FW_NAME);

/**
 * npu_fw_check_header() - check what can be checked without the device
 * @npu: device
 * @image: file
 *
 * The digest is the boot ROM's business.
 *
 * Return: 0 if the image can be booted, a negative error code otherwise.
 */
static int npu_fw_check_header(struct npu_device *npu, const struct firmware *image)
{
	const struct npu_fw_header *header = (const void *)image->data;
	struct drm_device *drm = &npu->drm;

	if (image->size < sizeof(*header) || image->size > NPU_FW_IMAGE_MAX) {
		drm_err(drm, "%s: size %zu is not that of a firmware image\n", NPU_FW_NAME,
			image->size);
		return -EINVAL;
	}

	if (le32_to_cpu(header->magic) != NPU_FW_MAGIC) {
		drm_err(drm, "%s: bad magic 0x%08x\n", NPU_FW_NAME, le32_to_cpu(header->magic));
		return -EINVAL;
	}

	if (le16_to_cpu(header->header_version) != NPU_FW_HEADER_VERSION ||
	    le16_to_cpu(header->header_size) != sizeof(*header)) {
		drm_err(drm, "%s: wrong version: header version %u of %u bytes, not %u of %zu\n",
			NPU_FW_NAME, le16_to_cpu(header->header_version),
			le16_to_cpu(header->header_size), NPU_FW_HEADER_VERSION,
			sizeof(*header));
		return -EINVAL;
	}

	if (le16_to_cpu(header->abi_major) != NPU_FW_ABI_VERSION_MAJOR) {
		drm_err(drm, "%s: wrong version: admin ABI %u.%u, the driver speaks %u.%u\n",
			NPU_FW_NAME, le16_to_cpu(header->abi_major),
			le16_to_cpu(header->abi_minor), NPU_FW_ABI_VERSION_MAJOR,
			NPU_FW_ABI_VERSION_MINOR);
		return -EINVAL;
	}

	if (le32_to_cpu(header->payload_size) != image->size - sizeof(*header)) {
		drm_err(drm, "%s: payload of %u bytes in a file of %zu\n", NPU_FW_NAME,
			le32_to_cpu(header->payload_size), image->size);
		return -EINVAL;
	}

	if (strnlen(header->version, sizeof(header->version)) == sizeof(header->version)) {
		drm_err(drm, "%s: version string has no end\n", NPU_FW_NAME);
		return -EINVAL;
	}

	return 0;
}

static void npu_fw_release(struct drm_device *drm, void *image)
{
	release_firmware(image);
}

static void npu_fw_watch_work(struct work_struct *work);

/* An event may start the watch at any time from the boot on, also if probing then fails. */
static void npu_fw_stop_watch(void *arg)
{
	struct npu_fw *fw = arg;

	cancel_delayed_work_sync(&fw->watch);
}

/**
 * npu_fw_init() - find the firmware region and load the image
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_fw_init(struct npu_device *npu)
{
	const struct npu_fw_header *header;
	struct npu_fw *fw = &npu->fw;
	int ret;

	ratelimit_state_init(&fw->health_ratelimit, 60 * HZ, 5);
	INIT_DELAYED_WORK(&fw->watch, npu_fw_watch_work);
	ret = devm_add_action(npu->drm.dev, npu_fw_stop_watch, fw);
	if (ret)
		return ret;

	ret = request_firmware(&fw->image, NPU_FW_NAME, npu->drm.dev);
	if (ret) {
		drm_err(&npu->drm, "cannot load %s: %pe\n", NPU_FW_NAME, ERR_PTR(ret));
		return ret;
	}

	ret = drmm_add_action_or_reset(&npu->drm, npu_fw_release, (void *)fw->image);
	if (ret)
		return ret;

	ret = npu_fw_check_header(npu, fw->image);
	if (ret)
		return ret;

	header = (const void *)fw->image->data;
	strscpy(fw->version, header->version, sizeof(fw->version));
	return 0;
}

/**
 * npu_fw_post_text() - what a POST code means
 * @post: enum npu_post
 *
 * Return: text for a message.
 */
static const char *npu_fw_post_text(u32 post)
{
	switch (post) {
	case NPU_POST_RESET:
		return "boot ROM does not run";
	case NPU_POST_ROM_READY:
		return "boot ROM did not start";
	case NPU_POST_ROM_HEADER:
		return "stuck in the header check";
	case NPU_POST_ROM_DIGEST:
		return "stuck in the digest check";
	case NPU_POST_ROM_JUMP:
	case NPU_POST_FW_START:
		return "firmware did not become ready";
	case NPU_POST_ERR_ADDRESS:
		return "image address or length";
	case NPU_POST_ERR_MAGIC:
		return "bad magic";
	case NPU_POST_ERR_HEADER:
		return "wrong version of the header";
	case NPU_POST_ERR_HARDWARE:
		return "wrong version: needs newer hardware";
	case NPU_POST_ERR_SIZE:
		return "payload does not fit";
	case NPU_POST_ERR_ENTRY:
		return "bad entry point";
	case NPU_POST_ERR_DIGEST:
		return "wrong digest: the image is damaged";
	case NPU_POST_ERR_CRASH:
		return "firmware crashed";
	default:
		return "unknown code";
	}
}

/**
 * npu_fw_boot() - stage the image and start it
 * @npu: device
 *
 * The admin queue must have been set up.
 *
 * Return: 0 when the firmware is ready, a negative error code otherwise.
 */
int npu_fw_boot(struct npu_device *npu)
{
	struct npu_fw *fw = &npu->fw;
	u64 image = fw->region + NPU_FW_REGION_IMAGE;
	u32 status, post, abi;
	int ret;

	ret = npu_poll_timeout(npu, NPU_REG_DEV_STATUS, status,
			       status & NPU_DEV_STATUS_ROM_READY, 100, NPU_FW_BOOT_TIMEOUT_US);
	if (ret) {
		drm_err(&npu->drm, "boot ROM is not ready, status 0x%08x\n", status);
		return ret;
	}

	memcpy_toio(npu->hbm.cpu + image, fw->image->data, fw->image->size);
	wmb(); /* the image is in HBM before the ROM looks at it */

	npu_write64(npu, NPU_REG_BOOT_IMAGE_LO, image);
	npu_write(npu, NPU_REG_BOOT_IMAGE_SIZE, fw->image->size);
	npu_write(npu, NPU_REG_BOOT_CMD, NPU_BOOT_CMD_START);

	ret = npu_poll_timeout(npu, NPU_REG_BOOT_POST, post,
			       post == NPU_POST_FW_READY || post >= NPU_POST_ERROR,
			       200, NPU_FW_BOOT_TIMEOUT_US);
	fw->boot_post = post;
	if (ret || post != NPU_POST_FW_READY) {
		drm_err(&npu->drm, "%s does not boot: POST 0x%02x, %s\n", NPU_FW_NAME, post,
			npu_fw_post_text(post));
		return ret ?: -EIO;
	}

	abi = npu_read(npu, NPU_REG_FW_ABI);
	if (FIELD_GET(NPU_FW_ABI_MAJOR, abi) != NPU_FW_ABI_VERSION_MAJOR) {
		drm_err(&npu->drm, "%s runs with a wrong version: admin ABI %llu.%llu\n",
			NPU_FW_NAME, FIELD_GET(NPU_FW_ABI_MAJOR, abi),
			FIELD_GET(NPU_FW_ABI_MINOR, abi));
		return -EINVAL;
	}

	return 0;
}

/**
 * npu_fw_read_shared() - read a structure that the firmware updates
 * @npu: device
 * @offset: of the structure in the firmware region
 * @dest: copy
 * @size: of it
 *
 * Both structures that are read so start with their sequence number.
 *
 * Return: 0 on success, -EAGAIN if the firmware never leaves it alone.
 */
static int npu_fw_read_shared(struct npu_device *npu, u64 offset, void *dest, size_t size)
{
	const void __iomem *src = npu->hbm.cpu + npu->fw.region + offset;
	unsigned int tries;

	for (tries = 0; tries < NPU_FW_SEQUENCE_TRIES; tries++) {
		u32 sequence = readl(src);

		if (!(sequence & 1)) {
			rmb(); /* the sequence number is read before the rest */
			memcpy_fromio(dest, src, size);
			rmb(); /* and again after it */
			if (readl(src) == sequence)
				return 0;
		}

		usleep_range(10, 50);
	}

	return -EAGAIN;
}

/**
 * npu_fw_read_telemetry() - read the last telemetry sample
 * @npu: device
 * @telemetry: sample
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_fw_read_telemetry(struct npu_device *npu, struct npu_fw_telemetry *telemetry)
{
	return npu_fw_read_shared(npu, NPU_FW_REGION_TELEMETRY, telemetry, sizeof(*telemetry));
}

/**
 * npu_fw_read_ras() - read the reliability counters
 * @npu: device
 * @ras: counters
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_fw_read_ras(struct npu_device *npu, struct npu_fw_ras *ras)
{
	return npu_fw_read_shared(npu, NPU_FW_REGION_RAS, ras, sizeof(*ras));
}

/**
 * npu_fw_show_log() - print the firmware's log ring
 * @npu: device
 * @m: where to print it
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_fw_show_log(struct npu_device *npu, struct seq_file *m)
{
	const struct npu_fw_console __iomem *console =
		npu->hbm.cpu + npu->fw.region + NPU_FW_REGION_CONSOLE;
	u64 written, count, i;
	char *text;

	if (readl(&console->magic) != NPU_FW_CONSOLE_MAGIC ||
	    readl(&console->size) != NPU_FW_CONSOLE_BYTES)
		return -ENODATA;

	text = kvmalloc(NPU_FW_CONSOLE_BYTES, GFP_KERNEL);
	if (!text)
		return -ENOMEM;

	written = readq(&console->written);
	memcpy_fromio(text, console->data, NPU_FW_CONSOLE_BYTES);

	count = min_t(u64, written, NPU_FW_CONSOLE_BYTES);
	for (i = written - count; i != written; i++)
		seq_putc(m, text[i & (NPU_FW_CONSOLE_BYTES - 1)]);

	kvfree(text);
	return 0;
}

/**
 * npu_fw_log_health() - report a change of the device's health
 * @npu: device
 */
static void npu_fw_log_health(struct npu_device *npu)
{
	static const char * const names[] = { "OK", "warning", "alarm", "critical" };
	struct npu_fw_ras ras;
	u32 health;

	if (npu_fw_read_ras(npu, &ras))
		return;

	health = le32_to_cpu(ras.health);
	if (health == npu->fw.health || health >= ARRAY_SIZE(names))
		return;

	npu->fw.health = health;
	if (!__ratelimit(&npu->fw.health_ratelimit))
		return;

	drm_notice(&npu->drm, "health: %s (HBM errors: %llu corrected, %llu not; lost cores: %llu)\n",
		   names[health], le64_to_cpu(ras.hbm_ce), le64_to_cpu(ras.hbm_ue),
		   le64_to_cpu(ras.core_lost));
}

/**
 * npu_fw_look() - does the firmware's heart beat?
 * @npu: device, not off line
 */
static void npu_fw_look(struct npu_device *npu)
{
	u32 heartbeat = npu_read(npu, NPU_REG_FW_HEARTBEAT);
	struct npu_fw *fw = &npu->fw;

	if (heartbeat != fw->heartbeat || READ_ONCE(npu->state) != NPU_DEVICE_ALIVE ||
	    npu_debugged(npu)) {
		fw->heartbeat = heartbeat;
		fw->heartbeat_at = jiffies;
	} else if (time_after(jiffies, fw->heartbeat_at +
			      msecs_to_jiffies(NPU_FW_HEARTBEAT_TIMEOUT_MS))) {
		npu->reset.fw_silent = true;
		npu_reset_schedule(npu, "no heartbeat from the firmware");
		fw->heartbeat_at = jiffies;
	}

	npu_fw_log_health(npu);
}

/**
 * npu_fw_watch_work() - look at the firmware
 * @work: &npu_fw.watch
 */
static void npu_fw_watch_work(struct work_struct *work)
{
	struct npu_device *npu = container_of(work, struct npu_device, fw.watch.work);
	struct npu_fw *fw = &npu->fw;
	int idx;

	if (!drm_dev_enter(&npu->drm, &idx))
		return;

	if (npu_online_tryenter(npu)) {
		npu_fw_look(npu);
		npu_online_exit(npu);
	} else {
		fw->heartbeat_at = jiffies;
	}
	queue_delayed_work(system_dfl_wq, &fw->watch, msecs_to_jiffies(NPU_FW_WATCH_MS));
	drm_dev_exit(idx);
}

/**
 * npu_fw_event() - the firmware has something new in its region
 * @npu: device
 */
void npu_fw_event(struct npu_device *npu)
{
	mod_delayed_work(system_dfl_wq, &npu->fw.watch, 0);
}

/**
 * npu_fw_watch_start() - start to watch the heartbeat
 * @npu: device
 */
void npu_fw_watch_start(struct npu_device *npu)
{
	npu->fw.heartbeat_at = jiffies;
	queue_delayed_work(system_dfl_wq, &npu->fw.watch, msecs_to_jiffies(NPU_FW_WATCH_MS));
}

/**
 * npu_fw_watch_stop() - undo npu_fw_watch_start()
 * @npu: device, without interrupts
 */
void npu_fw_watch_stop(struct npu_device *npu)
{
	cancel_delayed_work_sync(&npu->fw.watch);
}
