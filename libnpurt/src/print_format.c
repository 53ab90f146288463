// SPDX-License-Identifier: MIT
/*
 * printf() for kernels: a format of a module, and values that a kernel wrote. Neither is
 * believed: a conversion is built anew from what is known of it, and given a value of its type.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

#include <npu/npu_log.h>

#define MAX_DIGITS 3 /* of a width or a precision */

/* A conversion such as "%-8.3f". */
struct conversion {
	char text[24]; /* for snprintf(), with ll for integers */
	char type; /* of it: "diouxXcfFeEgGaAsp%" */
	unsigned int bytes; /* of an integer that hh or h makes smaller; 0: as it is */
};

struct text {
	char *to;
	size_t size, used;
};

static void put(struct text *out, const char *bytes, size_t count)
{
	for (; count && out->used + 1 < out->size; count--)
		out->to[out->used++] = *bytes++;
	out->to[out->used] = '\0';
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* Of the conversion at @format, behind its '%'; NULL if it is none that is known. */
static const char *parse(const char *format, struct conversion *c)
{
	const size_t flags = strspn(format, "-+ #0"), width = digits(format + flags);
	const size_t point = format[flags + width] == '.';
	const size_t precision = point ? digits(format + flags + width + 1) : 0;
	const size_t length = flags + width + point + precision;
	const char *rest = format + length;

	memset(c, 0, sizeof(*c));
	if (flags > 5 || width > MAX_DIGITS || precision > MAX_DIGITS)
		return NULL;
	if (rest[0] == 'h')
		c->bytes = rest[1] == 'h' ? 1 : 2;
	rest += strspn(rest, "hljzt");
	if (!rest[0] || !strchr("diouxXcfFeEgGaAsp%", rest[0]))
		return NULL;
	c->type = *rest++;
	snprintf(c->text, sizeof(c->text), "%%%.*s%s%c", (int)length, format,
		 strchr("diouxX", c->type) ? "ll" : "", c->type);
	return rest;
}

static bool is_integer(uint8_t type)
{
	return type >= NPU_LOG_S32 && type <= NPU_LOG_U64;
}

/* As the conversion reads it: "%x" of -1 has as many digits as its type. */
static unsigned long long integer(const struct conversion *c, uint8_t type, uint64_t value)
{
	const unsigned int whole = type == NPU_LOG_S32 || type == NPU_LOG_U32 ? 4 : 8;
	const unsigned int spare = 64 - 8 * (c->bytes ? c->bytes : whole);

	value <<= spare;
	if (strchr("di", c->type))
		return (unsigned long long)((int64_t)value >> spare);
	return value >> spare;
}

/* False if the conversion is not for a value of that type. */
static bool convert(char *text, size_t size, const struct conversion *c, uint8_t type,
		    uint64_t value, const struct rt_print_strings *strings)
{
	const char *string;
	double number;

	switch (c->type) {
	case 's':
		string = type == NPU_LOG_STRING ? strings->find(strings->data, value) : NULL;
		if (string)
			snprintf(text, size, c->text, string);
		return string;
	case 'p':
		snprintf(text, size, "0x%llx", (unsigned long long)value);
		return type == NPU_LOG_ADDRESS || type == NPU_LOG_STRING;
	case 'c':
		snprintf(text, size, c->text, (int)(value & 0x7f));
		return is_integer(type);
	case 'd':
	case 'i':
	case 'o':
	case 'u':
	case 'x':
	case 'X':
		snprintf(text, size, c->text, integer(c, type, value));
		return is_integer(type);
	default:
		memcpy(&number, &value, sizeof(number));
		snprintf(text, size, c->text, number);
		return type == NPU_LOG_F64;
	}
}

void rt_print_format(char *to, size_t size, const char *format, const struct npu_log_site *site,
		     const uint64_t *args, const struct rt_print_strings *strings)
{
	struct text out = { .to = to, .size = size };
	unsigned int next = 0;
	size_t length;

	to[0] = '\0';
	while (*format) {
		struct conversion c;
		const char *rest;
		char text[1024];

		length = strcspn(format, "%");
		put(&out, format, length);
		format += length;
		if (!*format)
			break;
		rest = parse(++format, &c);
		if (rest && c.type == '%') {
			put(&out, "%", 1);
		} else if (rest && next < site->num_args &&
			   convert(text, sizeof(text), &c, site->types[next], args[next],
				   strings)) {
			put(&out, text, strlen(text));
			next++;
		} else {
			put(&out, "<?>", 3);
			next += rest != NULL;
		}
		format = rest ? rest : format;
	}
	while (out.used && to[out.used - 1] == '\n')
		to[--out.used] = '\0';
}
