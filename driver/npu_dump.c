// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "npu_dump.h"

#define NPU_DUMP_INDENT 1

static __printf(2, 3) void npu_dump_printf(struct npu_dump *dump, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	dump->used += vscnprintf(dump->data + dump->used, dump->size - dump->used, format, args);
	va_end(args);
}

/**
 * npu_dump_name() - begin a member
 * @dump: dump
 * @name: its name, NULL in an array and for the whole
 */
static void npu_dump_name(struct npu_dump *dump, const char *name)
{
	if (dump->depth)
		npu_dump_printf(dump, "%s\n%*s", dump->more ? "," : "",
				dump->depth * NPU_DUMP_INDENT, "");
	if (name)
		npu_dump_printf(dump, "\"%s\": ", name);
	dump->more = true;
}

/**
 * npu_dump_open() - begin an object or an array
 * @dump: dump
 * @name: its name, NULL in an array and for the whole
 * @bracket: '{' or '['
 */
void npu_dump_open(struct npu_dump *dump, const char *name, char bracket)
{
	npu_dump_name(dump, name);
	npu_dump_printf(dump, "%c", bracket);
	dump->depth++;
	dump->more = false;
}

/**
 * npu_dump_close() - end what npu_dump_open() has begun
 * @dump: dump
 * @bracket: '}' or ']'
 */
void npu_dump_close(struct npu_dump *dump, char bracket)
{
	dump->depth--;
	npu_dump_printf(dump, "\n%*s%c%s", dump->depth * NPU_DUMP_INDENT, "", bracket,
			dump->depth ? "" : "\n");
	dump->more = true;
}

/**
 * npu_dump_u64() - write a number
 * @dump: dump
 * @name: its name
 * @value: number
 */
void npu_dump_u64(struct npu_dump *dump, const char *name, u64 value)
{
	npu_dump_name(dump, name);
	npu_dump_printf(dump, "%llu", value);
}

/**
 * npu_dump_hex() - write a number of which readers of JSON would lose bits, or that is an address
 * @dump: dump
 * @name: its name
 * @value: number
 */
void npu_dump_hex(struct npu_dump *dump, const char *name, u64 value)
{
	npu_dump_name(dump, name);
	npu_dump_printf(dump, "\"0x%llx\"", value);
}

/**
 * npu_dump_text() - write text that may have any bytes in it
 * @dump: dump
 * @name: its name
 * @text: text
 * @len: bytes of it
 */
void npu_dump_text(struct npu_dump *dump, const char *name, const char *text, size_t len)
{
	size_t i;

	npu_dump_name(dump, name);
	npu_dump_printf(dump, "\"");
	for (i = 0; i < len; i++) {
		char c = text[i];

		if (c == '\n')
			npu_dump_printf(dump, "\\n");
		else if (c == '"' || c == '\\')
			npu_dump_printf(dump, "\\%c", c);
		else
			npu_dump_printf(dump, "%c", isascii(c) && isprint(c) ? c : '?');
	}
	npu_dump_printf(dump, "\"");
}

/**
 * npu_dump_string() - write a string
 * @dump: dump
 * @name: its name
 * @string: string
 */
void npu_dump_string(struct npu_dump *dump, const char *name, const char *string)
{
	npu_dump_text(dump, name, string, strlen(string));
}

/**
 * npu_dump_bytes() - write memory as hexadecimal digits
 * @dump: dump
 * @name: its name
 * @bytes: memory
 * @len: bytes of it
 */
void npu_dump_bytes(struct npu_dump *dump, const char *name, const u8 *bytes, size_t len)
{
	npu_dump_name(dump, name);
	npu_dump_printf(dump, "\"");
	while (len) {
		size_t part = min(len, 64);

		npu_dump_printf(dump, "%*phN", (int)part, bytes);
		bytes += part;
		len -= part;
	}
	npu_dump_printf(dump, "\"");
}
