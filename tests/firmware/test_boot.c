// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Boot: the real image gets to ready, and each thing that can be wrong with an image has its
 * POST code.
 */
#include <string.h>

#include <npu/npu_mcu.h>

#include "fw_host.h"
#include "tap.h"

static void test_boot_ok(bool sync)
{
	static const uint32_t expected[] = {
		NPU_POST_ROM_READY, NPU_POST_ROM_HEADER, NPU_POST_ROM_DIGEST, NPU_POST_ROM_JUMP,
		NPU_POST_FW_START, NPU_POST_FW_READY,
	};
	const char *mode = sync ? "sync" : "threaded";
	struct fw_host *host = fw_host_new(sync);
	struct fw_image image = fw_image_load();
	uint32_t abi;

	ok(fw_read(host, NPU_REG_BOOT_POST) == NPU_POST_ROM_READY, "%s: the ROM is ready", mode);
	ok(fw_read(host, NPU_REG_DEV_STATUS) == NPU_DEV_STATUS_ROM_READY, "%s: and says so", mode);
	ok(fw_boot(host, &image) == NPU_POST_FW_READY, "%s: the firmware gets ready", mode);
	ok(fw_read(host, NPU_REG_DEV_STATUS) == NPU_DEV_STATUS_FW_RUNNING, "%s: it runs", mode);
	abi = fw_read(host, NPU_REG_FW_ABI);
	ok(NPU_GET(NPU_FW_ABI_MAJOR, abi) == NPU_FW_ABI_VERSION_MAJOR &&
	   NPU_GET(NPU_FW_ABI_MINOR, abi) == NPU_FW_ABI_VERSION_MINOR, "%s: ABI register", mode);
	ok(!memcmp(host->post, expected, sizeof(expected)), "%s: every POST code, in order", mode);
	ok(fw_said(host, "I rom: image ") && fw_said(host, "I main: firmware "),
	   "%s: ROM and firmware name what boots", mode);

	fw_write(host, NPU_REG_BOOT_CMD, NPU_BOOT_CMD_START);
	ok(fw_read(host, NPU_REG_BOOT_POST) == NPU_POST_FW_READY,
	   "%s: START is ignored while firmware runs", mode);
	fw_image_free(&image);
	fw_host_free(host);
}

static void bad_magic(struct fw_image *image)
{
	fw_image_header(image)->magic++;
}

static void bad_header_version(struct fw_image *image)
{
	fw_image_header(image)->header_version++;
}

static void bad_header_size(struct fw_image *image)
{
	fw_image_header(image)->header_size += 8;
}

static void bad_flags(struct fw_image *image)
{
	fw_image_header(image)->flags = 1;
}

static void bad_reserved(struct fw_image *image)
{
	fw_image_header(image)->rsvd = 1;
}

static void bad_version_string(struct fw_image *image)
{
	memset(fw_image_header(image)->version, 'x', sizeof(fw_image_header(image)->version));
}

static void bad_hardware(struct fw_image *image)
{
	fw_image_header(image)->hw_version = NPU_HW_VERSION_1_2 + 1;
}

static void bad_payload_empty(struct fw_image *image)
{
	fw_image_header(image)->payload_size = 0;
}

static void bad_payload_long(struct fw_image *image)
{
	fw_image_header(image)->payload_size++;
}

static void bad_payload_huge(struct fw_image *image)
{
	fw_image_header(image)->payload_size = UINT32_MAX;
}

static void bad_bss(struct fw_image *image)
{
	fw_image_header(image)->bss_size = UINT32_MAX;
}

static void bad_load_low(struct fw_image *image)
{
	fw_image_header(image)->load_address = NPU_MCU_SRAM_BASE - 8;
}

static void bad_load_high(struct fw_image *image)
{
	fw_image_header(image)->load_address = NPU_MCU_SRAM_BASE + NPU_MCU_SRAM_SIZE - 8;
}

static void bad_load_wrap(struct fw_image *image)
{
	fw_image_header(image)->load_address = UINT64_MAX - 8;
}

static void bad_entry_low(struct fw_image *image)
{
	fw_image_header(image)->entry = fw_image_header(image)->load_address - 2;
}

static void bad_entry_high(struct fw_image *image)
{
	struct npu_fw_header *header = fw_image_header(image);

	header->entry = header->load_address + header->payload_size;
}

static void bad_entry_odd(struct fw_image *image)
{
	fw_image_header(image)->entry++;
}

static const struct {
	const char *name;
	void (*spoil)(struct fw_image *image);
	uint32_t post;
} sealed_errors[] = {
	{ "magic", bad_magic, NPU_POST_ERR_MAGIC },
	{ "header version", bad_header_version, NPU_POST_ERR_HEADER },
	{ "header size", bad_header_size, NPU_POST_ERR_HEADER },
	{ "flags", bad_flags, NPU_POST_ERR_HEADER },
	{ "reserved field", bad_reserved, NPU_POST_ERR_HEADER },
	{ "version string without end", bad_version_string, NPU_POST_ERR_HEADER },
	{ "hardware version", bad_hardware, NPU_POST_ERR_HARDWARE },
	{ "empty payload", bad_payload_empty, NPU_POST_ERR_SIZE },
	{ "payload beyond the file", bad_payload_long, NPU_POST_ERR_SIZE },
	{ "payload of 4 GiB", bad_payload_huge, NPU_POST_ERR_SIZE },
	{ "bss beyond SRAM", bad_bss, NPU_POST_ERR_SIZE },
	{ "load address below SRAM", bad_load_low, NPU_POST_ERR_SIZE },
	{ "load address at the end of SRAM", bad_load_high, NPU_POST_ERR_SIZE },
	{ "load address that wraps", bad_load_wrap, NPU_POST_ERR_SIZE },
	{ "entry before the payload", bad_entry_low, NPU_POST_ERR_ENTRY },
	{ "entry after the payload", bad_entry_high, NPU_POST_ERR_ENTRY },
	{ "odd entry", bad_entry_odd, NPU_POST_ERR_ENTRY },
};

/* The ROM goes on waiting after an error, so one host serves all; at the end it boots. */
static void test_bad_headers(void)
{
	struct fw_host *host = fw_host_new(true);
	struct fw_image good = fw_image_load();

	for (size_t i = 0; i < sizeof(sealed_errors) / sizeof(sealed_errors[0]); i++) {
		struct fw_image image = fw_image_load();
		uint32_t post;

		sealed_errors[i].spoil(&image);
		fw_image_seal(&image);
		post = fw_boot(host, &image);
		ok(post == sealed_errors[i].post, "bad %s: POST %#x", sealed_errors[i].name, post);
		ok(fw_read(host, NPU_REG_DEV_STATUS) == NPU_DEV_STATUS_ROM_READY,
		   "bad %s: nothing runs", sealed_errors[i].name);
		fw_image_free(&image);
	}
	ok(fw_said(host, "E rom: image at "), "the ROM says what is wrong");
	ok(fw_boot(host, &good) == NPU_POST_FW_READY, "a good image boots after all these");
	fw_image_free(&good);
	fw_host_free(host);
}

/* A bit anywhere in header or payload is covered by the digest. */
static void test_bad_digest(void)
{
	struct fw_host *host = fw_host_new(true);
	struct fw_image image = fw_image_load();
	const size_t places[] = {
		offsetof(struct npu_fw_header, abi_minor),
		offsetof(struct npu_fw_header, version),
		offsetof(struct npu_fw_header, digest),
		sizeof(struct npu_fw_header) - 1,
		sizeof(struct npu_fw_header),
		image.size / 2,
		image.size - 1,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		image.data[places[i]] ^= 0x10;
		ok(fw_boot(host, &image) == NPU_POST_ERR_DIGEST, "a bit of byte %zu turned",
		   places[i]);
		image.data[places[i]] ^= 0x10;
	}
	ok(fw_boot(host, &image) == NPU_POST_FW_READY, "and turned back");
	fw_image_free(&image);
	fw_host_free(host);
}

static void test_bad_place(void)
{
	static const struct {
		const char *name;
		uint64_t offset;
		size_t size;
		uint32_t post;
	} places[] = {
		{ "misaligned", 0x1020, 0, NPU_POST_ERR_ADDRESS },
		{ "end beyond HBM", FW_HBM_SIZE - 64, 0, NPU_POST_ERR_ADDRESS },
		{ "start beyond HBM", FW_HBM_SIZE, 0, NPU_POST_ERR_ADDRESS },
		{ "offset that wraps", 0xffffffffffffffc0, 0, NPU_POST_ERR_ADDRESS },
		{ "too long", 0, NPU_FW_IMAGE_MAX + 1, NPU_POST_ERR_ADDRESS },
		{ "shorter than a header", 0, sizeof(struct npu_fw_header) - 1,
		  NPU_POST_ERR_SIZE },
		{ "empty", 0, 0, NPU_POST_ERR_SIZE },
	};
	struct fw_host *host = fw_host_new(true);
	struct fw_image image = fw_image_load();

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		bool own_size = places[i].post == NPU_POST_ERR_SIZE || places[i].size;

		fw_write(host, NPU_REG_BOOT_IMAGE_LO, places[i].offset);
		fw_write(host, NPU_REG_BOOT_IMAGE_HI, places[i].offset >> 32);
		fw_write(host, NPU_REG_BOOT_IMAGE_SIZE, own_size ? places[i].size : image.size);
		fw_write(host, NPU_REG_BOOT_CMD, NPU_BOOT_CMD_START);
		ok(fw_read(host, NPU_REG_BOOT_POST) == places[i].post, "image %s: POST %#x",
		   places[i].name, fw_read(host, NPU_REG_BOOT_POST));
	}
	ok(fw_boot_at(host, &image, 0x40) == NPU_POST_FW_READY, "any 64-byte aligned place");
	fw_image_free(&image);
	fw_host_free(host);
}

/* Who starts the ROM again does not take the error of the last time for that of this one. */
static void test_again(void)
{
	struct fw_host *host = fw_host_new(false);
	struct fw_image image = fw_image_load();

	image.data[image.size - 1] ^= 1;
	ok(fw_boot(host, &image) == NPU_POST_ERR_DIGEST, "threaded: a bad image");
	image.data[image.size - 1] ^= 1;
	ok(fw_boot(host, &image) == NPU_POST_FW_READY, "threaded: a good one right after it");
	fw_image_free(&image);
	fw_host_free(host);
}

static void test_reset(bool sync)
{
	const char *mode = sync ? "sync" : "threaded";
	struct fw_host *host = fw_host_identified(sync);
	struct fw_image image = fw_image_load();

	npu_core_reset(host->core);
	ok(fw_read(host, NPU_REG_BOOT_POST) == NPU_POST_ROM_READY, "%s: reset ends firmware", mode);
	ok(fw_read(host, NPU_REG_FW_ABI) == 0 && fw_read(host, NPU_REG_FW_HEARTBEAT) == 0,
	   "%s: its registers are clear", mode);
	ok(fw_boot(host, &image) == NPU_POST_FW_READY, "%s: and it boots again", mode);
	fw_image_free(&image);
	fw_host_free(host);
}

int main(void)
{
	test_boot_ok(true);
	test_boot_ok(false);
	test_bad_headers();
	test_bad_digest();
	test_bad_place();
	test_again();
	test_reset(true);
	test_reset(false);
	return tap_done();
}
