/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TAP for a test that is one C program: ok() for each point, tap_done() as main's result.
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_points, tap_failures;

/* One point of the plan. Returns @pass, so that a test can say more when it fails. */
__attribute__((format(printf, 2, 3), unused))
static bool ok(bool pass, const char *fmt, ...)
{
	va_list ap;

	printf("%s %d - ", pass ? "ok" : "not ok", ++tap_points);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	tap_failures += !pass;
	return pass;
}

/* The plan, at the end; 0 if all points passed. */
__attribute__((unused)) static int tap_done(void)
{
	printf("1..%d\n", tap_points);
	return tap_failures != 0;
}

#endif /* TAP_H */
