// SPDX-License-Identifier: MIT
/* From device time to CLOCK_MONOTONIC: clocks that drift, and readings that take time. */
#include "rt_test.h"

#include "internal.h"

#define HOUR (3600 * S)
#define ROUNDS 200000

/* A device's clock: it began at @start and runs @ppm too fast, and wanders by @wander more. */
struct clock {
	uint64_t start;
	double ppm, wander;
};

static uint64_t device_time(const struct clock *clock, uint64_t host)
{
	const double t = (double)host;
	/* Slower and faster by turns, for an hour each. */
	const double phase = t / (double)HOUR - (double)(uint64_t)(t / (double)HOUR);
	const double swing = clock->wander * 1e-6 * (double)HOUR *
			     (phase < 0.5 ? phase * phase : (1 - phase) * (1 - phase));

	return clock->start + (uint64_t)(t * (1 + clock->ppm * 1e-6) + swing);
}

/* Takes up to 40 us, and the device is asked at some time in between. */
static struct rt_reading read_at(const struct clock *clock, uint64_t host, uint64_t *random)
{
	const uint64_t width = rt_random(random) % 40000;

	return (struct rt_reading){
		.device = device_time(clock, host + rt_random(random) % (width + 1)),
		.before = host,
		.after = host + width,
		.tick = 2,
	};
}

static void test_place(const char *what, const struct clock *clock, uint64_t span, bool two)
{
	uint64_t random = 1, worst = 0, widest = 0, wrong = 0;

	for (int i = 0; i < ROUNDS; i++) {
		const uint64_t start = HOUR + ((uint64_t)rt_random(&random) << 12);
		const uint64_t length = 1 + ((uint64_t)rt_random(&random) << 16) % span;
		const struct rt_reading from = read_at(clock, start, &random);
		const struct rt_reading to = read_at(clock, from.after + length, &random);
		const uint64_t host = from.after + rt_random(&random) % length;
		uint64_t ns, error, off;

		rt_clock_place(two ? &from : NULL, &to, device_time(clock, host), &ns, &error);
		off = ns > host ? ns - host : host - ns;
		wrong += off > error;
		if (off > worst)
			worst = off;
		if (error > widest)
			widest = error;
	}
	ok(!wrong, "%s: no time is further off than it says", what);
	printf("# off by %llu ns at most, and said to be by up to %llu ns\n",
	       (unsigned long long)worst, (unsigned long long)widest);
}

/* What is no reading of clocks that run: times stay between the readings. */
static void test_strange(void)
{
	const struct rt_reading from = { .device = 1000, .before = 5000, .after = 5100 };
	const struct rt_reading to = { .device = 1000, .before = 6000, .after = 6100 };
	uint64_t ns, error;

	rt_clock_place(&from, &to, 1000, &ns, &error);
	ok(ns >= 5000 && ns <= 6100 && error <= 1100, "a clock that stands still");
}

int main(void)
{
	const struct clock exact = { .start = 12345 };
	const struct clock fast = { .start = 7 * HOUR, .ppm = 300 };
	const struct clock slow = { .ppm = -300, .wander = 200 };

	test_place("the same clock", &exact, S, true);
	test_place("a clock that is fast", &fast, 10 * S, true);
	test_place("a clock that is slow, and wanders", &slow, HOUR, true);
	test_place("with one reading", &fast, S, false);
	test_strange();
	return rt_done();
}
