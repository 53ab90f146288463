/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware images to test with: the real one, changed or not, and tiny ones.
 */
#ifndef FW_IMAGE_H
#define FW_IMAGE_H

#include <npu/npu_fw.h>

struct fw_image {
	size_t size;
	uint8_t *data;
};

/* The image that the driver would load. Exits if it is not there. */
struct fw_image fw_image_load(void);

/* An image whose payload is @count instructions. */
struct fw_image fw_image_make(const uint32_t *insns, size_t count);

void fw_image_free(struct fw_image *image);

static inline struct npu_fw_header *fw_image_header(struct fw_image *image)
{
	return (struct npu_fw_header *)image->data;
}

static inline uint8_t *fw_image_payload(struct fw_image *image)
{
	return image->data + sizeof(struct npu_fw_header);
}

/* Makes the digest right again after a change. */
void fw_image_seal(struct fw_image *image);

/* Where in the image the code of function @name of the real firmware is. */
uint8_t *fw_image_function(struct fw_image *image, const char *name);

#endif /* FW_IMAGE_H */
