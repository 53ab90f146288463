// SPDX-License-Identifier: MIT
/*
 * Log lines, through the console into the log ring that the driver shows.
 */
#include <stdarg.h>

#include <npu/npu_mcu.h>

#include "log.h"
#include "mmio.h"
#include "timer.h"

#ifndef LOG_LEVEL
#define LOG_LEVEL LOG_INFO
#endif

#define NS_PER_US 1000
#define US_PER_S 1000000

struct conversion {
	char fill;
	unsigned int width;
	bool is_long;
};

static void put_char(char c)
{
	mmio_write32(NPU_MCU_CONSOLE_TX, (unsigned char)c);
}

static void put_string(const char *s)
{
	while (*s)
		put_char(*s++);
}

static void put_number(uint64_t value, bool negative, unsigned int base,
		       const struct conversion *conv)
{
	char digits[21];
	unsigned int n = 0, used;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);

	used = n + negative;
	if (negative && conv->fill == '0')
		put_char('-');
	for (; used < conv->width; used++)
		put_char(conv->fill);
	if (negative && conv->fill != '0')
		put_char('-');
	while (n)
		put_char(digits[--n]);
}

static const char *parse_conversion(const char *format, struct conversion *conv)
{
	*conv = (struct conversion){ .fill = ' ' };
	if (*format == '0') {
		conv->fill = '0';
		format++;
	}
	while (*format >= '0' && *format <= '9')
		conv->width = conv->width * 10 + (*format++ - '0');
	if (*format == 'l') {
		conv->is_long = true;
		format++;
	}
	return format;
}

static void put_signed(int64_t value, const struct conversion *conv)
{
	put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0, 10, conv);
}

static void print_args(const char *format, va_list args)
{
	struct conversion conv;

	for (; *format; format++) {
		if (*format != '%') {
			put_char(*format);
			continue;
		}
		format = parse_conversion(format + 1, &conv);
		switch (*format) {
		case 'c':
			put_char(va_arg(args, int));
			break;
		case 's':
			put_string(va_arg(args, const char *));
			break;
		case 'd':
			put_signed(conv.is_long ? va_arg(args, long) : va_arg(args, int), &conv);
			break;
		case 'u':
		case 'x':
			put_number(conv.is_long ? va_arg(args, unsigned long) :
						  va_arg(args, unsigned int),
				   false, *format == 'u' ? 10 : 16, &conv);
			break;
		default:
			put_char(*format);
			break;
		}
	}
}

static void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_args(format, args);
	va_end(args);
}

void log_print(enum log_level level, const char *unit, const char *format, ...)
{
	uint64_t us = time_now() / NS_PER_US;
	va_list args;

	if (level > LOG_LEVEL)
		return;

	print("[%5lu.%06lu] %c %s: ", us / US_PER_S, us % US_PER_S, "EWI"[level], unit);
	va_start(args, format);
	print_args(format, args);
	va_end(args);
	put_char('\n');
}
