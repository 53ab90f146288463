/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of gdb's remote serial protocol: bytes to packets, and back.
 */
#ifndef GDB_PACKET_H
#define GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GDB_PACKET_MAX	0x2000	/* bytes between '$' and '#' */

/**
 * enum gdb_event - what a byte has completed
 * @GDB_EV_NONE: nothing yet
 * @GDB_EV_PACKET: a good packet
 * @GDB_EV_BAD: one that is too long or has a wrong checksum
 * @GDB_EV_BREAK: a request to stop
 * @GDB_EV_NAK: the last packet sent is wanted again
 */
enum gdb_event {
	GDB_EV_NONE,
	GDB_EV_PACKET,
	GDB_EV_BAD,
	GDB_EV_BREAK,
	GDB_EV_NAK,
};

/**
 * struct gdb_in - a packet that comes in
 * @data: without escapes, and with a zero behind it
 * @len: of it
 * @state: where in the packet we are
 * @escaped: the next byte is
 * @overlong: bytes were dropped
 * @sum: of the bytes so far
 * @check: checksum that came with it
 */
struct gdb_in {
	char data[GDB_PACKET_MAX + 1];
	size_t len;
	unsigned int state;
	bool escaped;
	bool overlong;
	uint8_t sum;
	uint8_t check;
};

/**
 * struct gdb_out - a packet that goes out
 * @data: '$', what was put, and after gdb_out_end() the checksum
 * @len: of it; what does not fit is dropped
 */
struct gdb_out {
	char data[GDB_PACKET_MAX + 8];
	size_t len;
};

enum gdb_event gdb_in_byte(struct gdb_in *in, uint8_t byte);

void gdb_out_begin(struct gdb_out *out);
void gdb_out_end(struct gdb_out *out);
/* Room for characters that need no escape. */
size_t gdb_out_room(const struct gdb_out *out);
void gdb_put(struct gdb_out *out, const char *text);
void gdb_printf(struct gdb_out *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* In binary, with escapes; returns how many bytes have found room. */
size_t gdb_put_binary(struct gdb_out *out, const void *data, size_t len);
/* As pairs of hexadecimal digits. */
void gdb_put_hex(struct gdb_out *out, const void *data, size_t len);

/* The number in hexadecimal digits at *@text, which is moved past it; false if there is none. */
bool gdb_get_number(const char **text, uint64_t *value);
/* Is @c what comes next? It is passed over then. */
bool gdb_get_char(const char **text, char c);
/* @len bytes from pairs of digits; false if there are not so many. */
bool gdb_get_hex(const char *text, void *data, size_t len);

#endif /* GDB_PACKET_H */
