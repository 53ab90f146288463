/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_DUMP_H__
#define __NPU_DUMP_H__

#include <linux/compiler_attributes.h>
#include <linux/types.h>

/**
 * struct npu_dump - JSON that is being written
 *
 * What does not fit is left out: the caller makes the buffer large enough.
 */
struct npu_dump {
	/** @data: text */
	char *data;
	/** @size: room for it */
	size_t size;
	/** @used: bytes of it */
	size_t used;
	/** @depth: objects and arrays that are open */
	unsigned int depth;
	/** @more: the innermost of them has members */
	bool more;
};

void npu_dump_open(struct npu_dump *dump, const char *name, char bracket);
void npu_dump_close(struct npu_dump *dump, char bracket);
void npu_dump_u64(struct npu_dump *dump, const char *name, u64 value);
void npu_dump_hex(struct npu_dump *dump, const char *name, u64 value);
void npu_dump_text(struct npu_dump *dump, const char *name, const char *text, size_t len);
void npu_dump_string(struct npu_dump *dump, const char *name, const char *string);
void npu_dump_bytes(struct npu_dump *dump, const char *name, const u8 *bytes, size_t len);

#endif /* __NPU_DUMP_H__ */
