// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets of gdb's remote serial protocol: "$data#checksum", and single bytes between them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gdb_packet.h"

#define ESCAPE		'}'
#define ESCAPE_XOR	0x20
#define BREAK		0x03
#define TAIL		3	/* '#' and two digits */

enum { BETWEEN, DATA, CHECK_HIGH, CHECK_LOW };

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum gdb_event between(struct gdb_in *in, uint8_t byte)
{
	switch (byte) {
	case '$':
		in->state = DATA;
		in->len = 0;
		in->escaped = false;
		in->overlong = false;
		in->sum = 0;
		return GDB_EV_NONE;
	case BREAK:
		return GDB_EV_BREAK;
	case '-':
		return GDB_EV_NAK;
	default:
		return GDB_EV_NONE;
	}
}

static void data(struct gdb_in *in, uint8_t byte)
{
	if (byte == '#') {
		in->state = CHECK_HIGH;
		in->data[in->len] = '\0';
		return;
	}
	in->sum += byte;
	if (!in->escaped && byte == ESCAPE) {
		in->escaped = true;
		return;
	}
	if (in->len < GDB_PACKET_MAX)
		in->data[in->len++] = in->escaped ? byte ^ ESCAPE_XOR : byte;
	else
		in->overlong = true;
	in->escaped = false;
}

enum gdb_event gdb_in_byte(struct gdb_in *in, uint8_t byte)
{
	switch (in->state) {
	case BETWEEN:
		return between(in, byte);
	case DATA:
		data(in, byte);
		return GDB_EV_NONE;
	case CHECK_HIGH:
		in->check = (unsigned int)digit(byte) << 4;
		in->overlong |= digit(byte) < 0;
		in->state = CHECK_LOW;
		return GDB_EV_NONE;
	default:
		in->check |= digit(byte) & 0xf;
		in->overlong |= digit(byte) < 0;
		in->state = BETWEEN;
		return in->overlong || in->check != in->sum ? GDB_EV_BAD : GDB_EV_PACKET;
	}
}

void gdb_out_begin(struct gdb_out *out)
{
	out->data[0] = '$';
	out->len = 1;
}

void gdb_out_end(struct gdb_out *out)
{
	uint8_t sum = 0;
	size_t i;

	for (i = 1; i < out->len; i++)
		sum += out->data[i];
	out->len += snprintf(out->data + out->len, TAIL + 1, "#%02x", sum);
}

size_t gdb_out_room(const struct gdb_out *out)
{
	return sizeof(out->data) - TAIL - 1 - out->len;
}

static void put_bytes(struct gdb_out *out, const char *text, size_t len)
{
	if (len > gdb_out_room(out))
		len = gdb_out_room(out);
	memcpy(out->data + out->len, text, len);
	out->len += len;
}

void gdb_put(struct gdb_out *out, const char *text)
{
	put_bytes(out, text, strlen(text));
}

void gdb_printf(struct gdb_out *out, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	gdb_put(out, text);
}

size_t gdb_put_binary(struct gdb_out *out, const void *data, size_t len)
{
	const char *bytes = data;
	size_t i;

	for (i = 0; i < len && gdb_out_room(out) >= 2; i++) {
		char c = bytes[i];

		if (c == '#' || c == '$' || c == ESCAPE || c == '*') {
			out->data[out->len++] = ESCAPE;
			c ^= ESCAPE_XOR;
		}
		out->data[out->len++] = c;
	}
	return i;
}

void gdb_put_hex(struct gdb_out *out, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	size_t i;

	for (i = 0; i < len && gdb_out_room(out) >= 2; i++) {
		out->data[out->len++] = digits[bytes[i] >> 4];
		out->data[out->len++] = digits[bytes[i] & 0xf];
	}
}

bool gdb_get_number(const char **text, uint64_t *value)
{
	const char *start = *text;

	for (*value = 0; digit(**text) >= 0; (*text)++)
		*value = *value << 4 | digit(**text);
	return *text != start;
}

bool gdb_get_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

bool gdb_get_hex(const char *text, void *data, size_t len)
{
	uint8_t *bytes = data;
	size_t i;

	for (i = 0; i < len; i++, text += 2) {
		if (digit(text[0]) < 0 || digit(text[1]) < 0)
			return false;
		bytes[i] = digit(text[0]) << 4 | digit(text[1]);
	}
	return true;
}
