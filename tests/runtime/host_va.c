// SPDX-License-Identifier: MIT
/* The allocator of device addresses against a plain map of pages. */
#include "rt_test.h"

#include "internal.h"

#define START (16 * RT_PAGE)
#define PAGES 512
#define PIECES 200

struct piece {
	uint64_t start, pages;
};

static uint8_t used[PAGES];

/* First fit, as it should be; 0: no room. */
static uint64_t expected(uint64_t pages, uint64_t alignment)
{
	for (uint64_t i = 0; i + pages <= PAGES; i++) {
		uint64_t n = 0;

		if ((START + i * RT_PAGE) % alignment)
			continue;
		while (n < pages && !used[i + n])
			n++;
		if (n == pages)
			return START + i * RT_PAGE;
	}
	return 0;
}

static void mark(uint64_t start, uint64_t pages, uint8_t value)
{
	memset(&used[(start - START) / RT_PAGE], value, pages);
}

static bool step(struct rt_va *va, struct piece *piece, uint64_t *seed)
{
	const uint64_t pages = 1 + rt_random(seed) % 12;
	const uint64_t alignment = RT_PAGE << rt_random(seed) % 5;
	uint64_t want;

	if (piece->start) {
		rt_va_free(va, piece->start, piece->pages * RT_PAGE);
		mark(piece->start, piece->pages, 0);
		piece->start = 0;
		return true;
	}
	want = expected(pages, alignment);
	piece->start = rt_va_alloc(va, pages * RT_PAGE, alignment);
	piece->pages = pages;
	if (piece->start)
		mark(piece->start, pages, 1);
	return piece->start == want;
}

int main(void)
{
	struct piece pieces[PIECES] = { { 0 } };
	struct rt_va va = { 0 };
	uint64_t seed = 5;
	bool all = true;

	NEED(rt_va_init(&va, START, START + PAGES * RT_PAGE));
	for (int i = 0; i < 50000; i++)
		all &= step(&va, &pieces[rt_random(&seed) % PIECES], &seed);
	ok(all, "50000 ranges come and go, each the first that fits");
	for (int i = 0; i < PIECES; i++) {
		if (pieces[i].start)
			step(&va, &pieces[i], &seed);
	}
	ok(rt_va_alloc(&va, PAGES * RT_PAGE, RT_PAGE) == START, "in the end all is one hole again");
	ok(!rt_va_alloc(&va, RT_PAGE, RT_PAGE), "and then none is left");
	rt_va_fini(&va);
	return rt_done();
}
