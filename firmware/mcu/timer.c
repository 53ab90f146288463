// SPDX-License-Identifier: MIT
/*
 * Periodic work.
 */
#include "heartbeat.h"
#include "telemetry.h"
#include "timer.h"

struct timer {
	uint64_t period;
	void (*tick)(void);
	uint64_t next;
};

static struct timer timers[] = {
	{ HEARTBEAT_MS * NS_PER_MS, heartbeat_tick, 0 },
	{ TELEMETRY_MS * NS_PER_MS, telemetry_sample, 0 },
};

#define NUM_TIMERS (sizeof(timers) / sizeof(timers[0]))

void timer_start(void)
{
	uint64_t now = time_now();

	for (unsigned int i = 0; i < NUM_TIMERS; i++)
		timers[i].next = now + timers[i].period;
	timer_poll();
}

void timer_poll(void)
{
	uint64_t now = time_now();
	uint64_t alarm = UINT64_MAX;

	for (unsigned int i = 0; i < NUM_TIMERS; i++) {
		struct timer *t = &timers[i];

		if (now >= t->next) {
			t->tick();
			/* Ticks missed by a stopped machine are not made up for. */
			t->next += t->period;
			if (t->next <= now)
				t->next = now + t->period;
		}
		if (t->next < alarm)
			alarm = t->next;
	}
	mmio_write64(NPU_MCU_TIMECMP, alarm);
}
