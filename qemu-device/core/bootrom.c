// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The boot ROM, in native code: checks the image that the driver has staged in HBM, and copies
 * it into SRAM. The guest can change HBM at any time; so the header is read once, and the digest
 * is taken of what was copied.
 */
#include <glib.h>
#include <string.h>

#include "mcu.h"

#define IMAGE_ALIGN 64
#define ENTRY_ALIGN 2

struct rom {
	struct npu_mcu *mcu;
	uint64_t image;
	uint32_t image_size;
	struct npu_fw_header header;
	uint8_t *payload;
};

static enum npu_post check_place(const struct rom *rom)
{
	uint64_t hbm_size = rom->mcu->core->cfg.hbm_size;

	if (rom->image % IMAGE_ALIGN || rom->image_size > NPU_FW_IMAGE_MAX ||
	    rom->image > hbm_size || rom->image_size > hbm_size - rom->image)
		return NPU_POST_ERR_ADDRESS;
	if (rom->image_size < sizeof(struct npu_fw_header))
		return NPU_POST_ERR_SIZE;
	return NPU_POST_ROM_HEADER;
}

static enum npu_post check_header(const struct rom *rom)
{
	const struct npu_fw_header *h = &rom->header;

	if (h->magic != NPU_FW_MAGIC)
		return NPU_POST_ERR_MAGIC;
	if (h->header_version != NPU_FW_HEADER_VERSION || h->header_size != sizeof(*h) ||
	    h->flags || h->rsvd || !memchr(h->version, '\0', sizeof(h->version)))
		return NPU_POST_ERR_HEADER;
	if (h->hw_version > npu_reg_get(rom->mcu->core, NPU_REG_HW_VERSION))
		return NPU_POST_ERR_HARDWARE;
	return NPU_POST_ROM_HEADER;
}

static enum npu_post check_layout(const struct rom *rom)
{
	const struct npu_fw_header *h = &rom->header;
	uint64_t total = (uint64_t)h->payload_size + h->bss_size;

	if (!h->payload_size || h->payload_size > rom->image_size - sizeof(*h) ||
	    total > NPU_MCU_SRAM_SIZE || h->load_address < NPU_MCU_SRAM_BASE ||
	    h->load_address - NPU_MCU_SRAM_BASE > NPU_MCU_SRAM_SIZE - total)
		return NPU_POST_ERR_SIZE;
	if (h->entry % ENTRY_ALIGN || h->entry < h->load_address ||
	    h->entry - h->load_address >= h->payload_size)
		return NPU_POST_ERR_ENTRY;
	return NPU_POST_ROM_DIGEST;
}

static enum npu_post check_digest(const struct rom *rom)
{
	GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
	uint8_t digest[sizeof(rom->header.digest)];
	gsize len = sizeof(digest);

	g_checksum_update(sum, (const guchar *)&rom->header,
			  offsetof(struct npu_fw_header, digest));
	g_checksum_update(sum, rom->payload, rom->header.payload_size);
	g_checksum_get_digest(sum, digest, &len);
	g_checksum_free(sum);
	return memcmp(digest, rom->header.digest, len) ? NPU_POST_ERR_DIGEST : NPU_POST_ROM_JUMP;
}

static void load_header(struct rom *rom)
{
	memcpy(&rom->header, rom->mcu->core->hbm + rom->image, sizeof(rom->header));
}

/* All of SRAM is cleared, so that nothing is left of an earlier firmware. */
static void load_payload(struct rom *rom)
{
	const struct npu_fw_header *h = &rom->header;

	memset(rom->mcu->sram, 0, NPU_MCU_SRAM_SIZE);
	rom->payload = rom->mcu->sram + (h->load_address - NPU_MCU_SRAM_BASE);
	memcpy(rom->payload, rom->mcu->core->hbm + rom->image + sizeof(*h), h->payload_size);
}

static enum npu_post load(struct rom *rom)
{
	enum npu_post post;

	post = check_place(rom);
	if (post >= NPU_POST_ERROR)
		return post;
	load_header(rom);
	post = check_header(rom);
	if (post >= NPU_POST_ERROR)
		return post;
	post = check_layout(rom);
	if (post >= NPU_POST_ERROR)
		return post;

	npu_mcu_post(rom->mcu, NPU_POST_ROM_DIGEST);
	load_payload(rom);
	return check_digest(rom);
}

static const char *post_text(enum npu_post post)
{
	switch (post) {
	case NPU_POST_ERR_ADDRESS:
		return "image is not inside HBM, misaligned or too long";
	case NPU_POST_ERR_MAGIC:
		return "not a firmware image";
	case NPU_POST_ERR_HEADER:
		return "unknown header version or size";
	case NPU_POST_ERR_HARDWARE:
		return "image wants newer hardware";
	case NPU_POST_ERR_SIZE:
		return "payload does not fit the file or SRAM";
	case NPU_POST_ERR_ENTRY:
		return "entry point outside the payload";
	case NPU_POST_ERR_DIGEST:
		return "digest does not match";
	default:
		return "ok";
	}
}

enum npu_post npu_bootrom_load(struct npu_mcu *mcu, uint64_t image, uint32_t size,
			       uint64_t *entry)
{
	struct rom rom = { .mcu = mcu, .image = image, .image_size = size };
	enum npu_post post;

	npu_mcu_console_start(mcu);
	post = load(&rom);
	if (post >= NPU_POST_ERROR) {
		npu_mcu_console_printf(mcu, "E rom: image at %#llx, %u bytes: %s (POST %#x)",
				       (unsigned long long)image, size, post_text(post), post);
		return post;
	}
	npu_mcu_console_printf(mcu, "I rom: image %s, %u bytes, digest ok", rom.header.version,
			       size);
	*entry = rom.header.entry;
	return post;
}
