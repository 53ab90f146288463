// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The debugger's side of the device: gdb's remote serial protocol, byte by byte, with AI cores
 * behind it. What gdb itself makes of it is in tests/tools/gdb.py.
 */
#include <glib.h>

#include "testhost.h"

#define CORES	NPU_DEBUG_CORES
#define PC	32
#define BLOCK	68
#define ERROR	74
#define HOSTILE	20000

struct rig {
	struct testhost *h;
	struct th_space *s;
	struct th_cq *cq;
	struct th_queue *q;
	uint64_t data;
	uint64_t *words;
	char answer[0x4000];
};

static struct rig *rig_new(unsigned int workers)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->h = th_new(workers, 4);
	r->s = th_space_new(r->h, 1);
	r->cq = th_cq_new(r->h, 0, 64, 1);
	r->q = th_queue_new(r->s, 1, 16, r->cq);
	r->data = th_alloc(r->s, NPU_PAGE_SIZE, (void **)&r->words);
	npu_core_debug_open(r->h->core, CORES);
	return r;
}

static void rig_free(struct rig *r)
{
	npu_core_debug_close(r->h->core, CORES);
	th_free(r->h);
	free(r->q);
	free(r->cq);
	free(r->s);
	free(r);
}

static void send_bytes(struct rig *r, const void *data, size_t len)
{
	npu_core_debug_input(r->h->core, CORES, data, len);
}

static void send_packet(struct rig *r, const char *data, size_t len)
{
	char packet[GDB_PACKET_MAX + 16];
	uint8_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += data[i];
	packet[0] = '$';
	memcpy(packet + 1, data, len);
	sprintf(packet + 1 + len, "#%02x", sum);
	send_bytes(r, packet, len + 4);
}

/* The next packet for the debugger: waits for the device to stop if it is asked for that. */
static const char *answer(struct rig *r)
{
	char *out = r->h->debug_out[CORES], *start, *end;
	uint64_t limit = th_now_ns() + 20000 * TH_MS;

	do {
		npu_core_debug_poll(r->h->core, CORES);
		out[r->h->debug_len[CORES]] = '\0';
		start = strchr(out, '$');
		end = start ? strchr(start, '#') : NULL;
	} while (!end && !r->h->cfg.sync && th_now_ns() < limit);
	if (!end)
		return strcpy(r->answer, "nothing");
	memcpy(r->answer, start + 1, end - start - 1);
	r->answer[end - start - 1] = '\0';
	r->h->debug_len[CORES] -= end + 3 - out;
	memmove(out, end + 3, r->h->debug_len[CORES]);
	return r->answer;
}

__attribute__((format(printf, 2, 3)))
static const char *ask(struct rig *r, const char *format, ...)
{
	char packet[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(packet, sizeof(packet), format, ap);
	va_end(ap);
	send_packet(r, packet, strlen(packet));
	return answer(r);
}

__attribute__((format(printf, 2, 3)))
static void tell(struct rig *r, const char *format, ...)
{
	char packet[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(packet, sizeof(packet), format, ap);
	va_end(ap);
	send_packet(r, packet, strlen(packet));
}

static bool answers(struct rig *r, const char *want, const char *packet)
{
	const char *got = ask(r, "%s", packet);

	if (!strcmp(got, want))
		return true;
	printf("# %s: %s, not %s\n", packet, got, want);
	return false;
}

static uint64_t reg(struct rig *r, unsigned int number)
{
	uint64_t value = 0;

	return gdb_get_hex(ask(r, "p%x", number), &value, 8) ? value : ~0ULL;
}

static bool set_reg(struct rig *r, unsigned int number, uint64_t value)
{
	char digits[17];
	unsigned int i;

	for (i = 0; i < 8; i++)
		sprintf(digits + 2 * i, "%02x", (unsigned int)(value >> 8 * i & 0xff));
	return !strcmp(ask(r, "P%x=%s", number, digits), "OK");
}

static bool held(struct rig *r)
{
	return th_read(r->h, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_DEBUG;
}

static struct npu_cmd kernel(struct rig *r, uint64_t entry, uint32_t blocks)
{
	return th_kernel(entry, r->data, blocks);
}

/* words[block] = 7 */
static uint64_t store_kernel(struct rig *r)
{
	const uint32_t code[] = {
		RV_SLLI(RV_T0, RV_A1, 3), RV_ADD(RV_T0, RV_T0, RV_A0), RV_ADDI(RV_T1, 0, 7),
		RV_SD(RV_T1, RV_T0, 0), RV_ECALL,
	};

	return th_code(r->s, code, 5);
}

static uint64_t endless_kernel(struct rig *r)
{
	const uint32_t code[] = { RV_NOP, RV_LOOP, RV_ECALL };

	return th_code(r->s, code, 3);
}

static void test_packets(void)
{
	struct rig *r = rig_new(0);

	ok(answers(r, "T02thread:1;", "?") && held(r), "who connects finds all standing");
	ok(strstr(ask(r, "qSupported:swbreak+"), "qXfer:features:read+"), "features");
	ok(strstr(ask(r, "qXfer:features:read:target.xml:0,fff"), "l<?xml") &&
	   strstr(r->answer, "org.npu.block"), "the description in one piece");
	ok(ask(r, "qXfer:features:read:target.xml:0,10")[0] == 'm' && strlen(r->answer) == 17,
	   "and in pieces");
	ok(answers(r, "l", "qXfer:features:read:target.xml:ffffff,10"), "none behind its end");
	ok(answers(r, "m1,2,3,4", "qfThreadInfo") && answers(r, "l", "qsThreadInfo"),
	   "a thread for each core");
	ok(answers(r, "OK", "Hg3") && answers(r, "E03", "Hg9") && answers(r, "E03", "T77") &&
	   answers(r, "OK", "T4"), "threads there are, and there are not");
	ok(answers(r, "", "vMustReplyEmpty") && answers(r, "", "Z5,1000,8") &&
	   answers(r, "", "!"), "what is not known has no answer");
	ok(answers(r, "E16", "mxyz,4") && answers(r, "E16", "m0,ffffffffff") &&
	   answers(r, "E16", "vCont;x") && answers(r, "E16", "P1") && answers(r, "E16", "Z0,1") &&
	   answers(r, "E16", "Z2,1,"), "syntax errors");
	send_bytes(r, "$?#00", 5);
	ok(r->h->debug_out[CORES][r->h->debug_len[CORES] - 1] == '-', "a wrong checksum");
	r->h->debug_len[CORES] = 0;
	ok(answers(r, "OK", "QStartNoAckMode"), "without acknowledgement");
	r->h->debug_len[CORES] = 0;
	send_packet(r, "?", 1);
	ok(r->h->debug_out[CORES][0] == '$', "there is none");
	answer(r);
	ok(answers(r, "OK", "D") && !held(r), "who leaves lets all go");
	ok(answers(r, "E0e", "Z0,100000,4") && answers(r, "E0e", "Z2,100000,4"),
	   "and sets no breakpoints any more, and no watchpoints");
	rig_free(r);
}

static void test_breakpoint(unsigned int workers)
{
	struct rig *r = rig_new(workers);
	uint64_t at = store_kernel(r);
	struct npu_cmd cmd = kernel(r, at, 1);

	ok(!strcmp(ask(r, "Z0,%llx,4", (unsigned long long)at + 12), "OK"), "a breakpoint");
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	ok(!strcmp(answer(r), "T05thread:1;"), "a kernel gets there");
	ok(reg(r, PC) == at + 12 && reg(r, 5) == r->data && reg(r, 6) == 7 && held(r),
	   "what is before it is done");
	ok(reg(r, RV_A0) == r->data && reg(r, BLOCK) == 0 && reg(r, BLOCK + 1) == 1,
	   "the block and its argument");
	ok(r->words[0] == 0, "and nothing more");
	ok(answers(r, "0700000000000000", "p6") && !strcmp(ask(r, "z0,%llx,4",
	   (unsigned long long)at + 12), "OK"), "it is taken away");
	ok(!strcmp(ask(r, "vCont;s:1"), "T05thread:1;") && reg(r, PC) == at + 16 &&
	   r->words[0] == 7, "a step");
	ok(!strcmp(ask(r, "vCont;s:1"), "T05thread:1;") && reg(r, PC) == 0,
	   "a step over the end stops there");
	tell(r, "vCont;c");
	ok(th_wait(r->q) == NPU_ST_OK && !held(r), "the job ends well");
	rig_free(r);
}

/* A pair that is executed as one, with a breakpoint on its second half. */
static void test_pair(void)
{
	struct rig *r = rig_new(0);
	const uint32_t code[] = {
		RV_ADDI(RV_T0, 0, 3), RV_ADDI(RV_T0, RV_T0, -1), RV_BNE(RV_T0, 0, -4), RV_ECALL,
	};
	uint64_t at = th_code(r->s, code, 4);
	struct npu_cmd cmd = kernel(r, at, 1);
	unsigned int hits = 0;

	ask(r, "Z0,%llx,4", (unsigned long long)at + 8);
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	while (!strcmp(answer(r), "T05thread:1;") && reg(r, PC) == at + 8 && hits < 9) {
		hits++;
		ask(r, "z0,%llx,4", (unsigned long long)at + 8);
		ask(r, "vCont;s:1");
		ask(r, "Z0,%llx,4", (unsigned long long)at + 8);
		tell(r, "vCont;c");
	}
	ok(hits == 3 && th_wait(r->q) == NPU_ST_OK, "a breakpoint in a loop, %u times", hits);
	rig_free(r);
}

static void test_blocks(void)
{
	struct rig *r = rig_new(2);
	uint64_t at = store_kernel(r);
	struct npu_cmd cmd = kernel(r, at, 32);
	uint64_t seen = 0, thread = 0;
	unsigned int i, good = 0;

	ask(r, "Z0,%llx,4", (unsigned long long)at + 12);
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	for (i = 0; i < 32; i++) {
		const char *text = answer(r) + strlen("T05thread:");

		gdb_get_number(&text, &thread);
		seen |= 1ULL << reg(r, BLOCK);
		good += reg(r, PC) == at + 12 && thread == reg(r, BLOCK + 2) + 1;
		ask(r, "z0,%llx,4", (unsigned long long)at + 12);
		ask(r, "vCont;s:%x", (unsigned int)thread);
		ask(r, "Z0,%llx,4", (unsigned long long)at + 12);
		tell(r, "vCont;c");
	}
	ok(good == 32 && seen == 0xffffffff, "each of 32 blocks stops on its core, once");
	ok(th_wait(r->q) == NPU_ST_OK && r->words[31] == 7, "and goes on");
	rig_free(r);
}

/* Sets a watchpoint of packet Z@type, or takes it away. */
static bool set_watch(struct rig *r, char packet, unsigned int type, uint64_t addr, uint64_t len)
{
	return !strcmp(ask(r, "%c%u,%llx,%llx", packet, type, (unsigned long long)addr,
			   (unsigned long long)len), "OK");
}

/* The next stop is that of a watchpoint: @what at @addr; the thread. */
static unsigned int watched(struct rig *r, const char *what, uint64_t addr)
{
	unsigned long long address = 0;
	unsigned int thread = 0;
	char kind[16] = "";

	if (sscanf(answer(r), "T05thread:%x;%15[a-z]:%llx;", &thread, kind, &address) == 3 &&
	    !strcmp(kind, what) && address == addr)
		return thread;
	printf("# %s, not %s at 0x%llx\n", r->answer, what, (unsigned long long)addr);
	return 0;
}

static void test_watch_limits(void)
{
	struct rig *r = rig_new(0);
	unsigned int set = 0;

	ok(!set_watch(r, 'Z', 2, r->data, 0) && !set_watch(r, 'Z', 2, ~0ULL, 2) &&
	   set_watch(r, 'Z', 2, ~0ULL, 1) && set_watch(r, 'z', 2, ~0ULL, 1),
	   "a watchpoint has bytes, and does not go round");
	while (set < 1000 && set_watch(r, 'Z', 2 + set % 3, r->data + set, 1))
		set++;
	ok(set == NPU_DEBUG_WATCHPOINTS && set_watch(r, 'Z', 2, r->data, 1),
	   "there may be %u, and one twice", set);
	ok(set_watch(r, 'z', 2, r->data, 1) && set_watch(r, 'Z', 2, r->data + 2000, 1),
	   "one that is taken away makes room");
	rig_free(r);
}

/* One of many blocks writes it. */
static void test_watch_write(unsigned int workers)
{
	struct rig *r = rig_new(workers);
	uint64_t at = store_kernel(r);
	struct npu_cmd cmd = kernel(r, at, 32);
	unsigned int thread;

	ok(set_watch(r, 'Z', 2, r->data + 5 * 8 + 3, 2), "%u workers: a watchpoint", workers);
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	thread = watched(r, "watch", r->data + 5 * 8 + 3);
	ok(thread && reg(r, BLOCK) == 5 && reg(r, BLOCK + 2) + 1 == thread &&
	   reg(r, PC) == at + 16 && r->words[5] == 7 && held(r),
	   "the block that writes stops, after it has");
	tell(r, "vCont;c");
	ok(th_wait(r->q) == NPU_ST_OK && r->words[31] == 7, "and goes on; no other does");
	rig_free(r);
}

/* All write it, so that cores come to it together. */
static void test_watch_all(void)
{
	struct rig *r = rig_new(2);
	const uint32_t code[] = { RV_SD(RV_A1, RV_A0, 0), RV_ECALL };
	uint64_t at = th_code(r->s, code, 2), seen = 0;
	struct npu_cmd cmd = kernel(r, at, 32);
	unsigned int hits = 0;

	set_watch(r, 'Z', 2, r->data, 8);
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	while (hits < 32 && watched(r, "watch", r->data)) {
		hits += reg(r, PC) == at + 4 && r->words[0] == reg(r, BLOCK);
		seen |= 1ULL << reg(r, BLOCK);
		tell(r, "vCont;c");
	}
	ok(hits == 32 && seen == 0xffffffff && th_wait(r->q) == NPU_ST_OK,
	   "each of 32 blocks stops with what it has written");
	rig_free(r);
}

/* Loads, stores and atomics, by the three kinds. */
static void test_watch_kinds(bool strict)
{
	static const struct {
		const char *name;
		unsigned int pcs[4]; /* behind what sets it off */
	} kinds[] = { { "watch", { 8, 12, 16 } }, { "rwatch", { 4, 12 } },
		      { "awatch", { 4, 8, 12, 16 } } };
	const uint32_t code[] = {
		RV_LD(RV_T1, RV_A0, 0x100), RV_SD(RV_T1, RV_A0, 0x100),
		RV_AMOADD_D(RV_T1, RV_A1, RV_A0), RV_SD(RV_T1, RV_A0, 0x0fc), RV_ECALL,
	};

	for (unsigned int kind = 0; kind < 3; kind++) {
		struct rig *r = rig_new(0);
		uint64_t at = th_code(r->s, code, 5), start = r->data + 0x100;
		struct npu_cmd cmd = kernel(r, at, 1);
		unsigned int hits = 0, wanted = 0;

		if (strict)
			cmd.kernel.strict = th_alloc(r->s, 0x1000, NULL);
		set_watch(r, 'Z', 2 + kind, start, 8);
		set_watch(r, 'Z', 2 + kind, r->data, 8);
		set_watch(r, 'Z', 2 + kind, r->data + 0x108, 8);
		tell(r, "vCont;c");
		th_submit(r->q, &cmd, 1);
		while (wanted < 4 && kinds[kind].pcs[wanted])
			wanted++;
		while (hits < wanted && watched(r, kinds[kind].name,
						kinds[kind].pcs[hits] == 12 ? r->data : start) &&
		       reg(r, PC) == at + kinds[kind].pcs[hits]) {
			hits++;
			tell(r, "vCont;c");
		}
		ok(hits == wanted && th_wait(r->q) == NPU_ST_OK, "%s%s: %u of %u accesses",
		   strict ? "strict mode, " : "", kinds[kind].name, hits, wanted);
		rig_free(r);
	}
}

/* Rows of a copy, and what lies between them. */
static void test_watch_tile(void)
{
	const uint64_t between = NPU_UB_BASE + 2 * 128 - 1, third = NPU_UB_BASE + 2 * 128;
	const uint32_t code[] = {
		RV_LD(20, RV_A0, 0), RV_LD(21, RV_A0, 8), RV_LD(22, RV_A0, 16),
		RV_LD(23, RV_A0, 24), RV_CUSTOM(0, NPU_MTE_COPY, 20, 21, 22, 23), RV_ECALL,
	};
	struct rig *r = rig_new(0);
	uint64_t at = th_code(r->s, code, 6), source = r->data + 0x400;
	const uint64_t operands[] = {
		NPU_UB_BASE, source,
		NPU_PREP(NPU_COPY_ROW_BYTES, 64ull) | NPU_PREP(NPU_COPY_ROWS, 4ull),
		NPU_PREP(NPU_COPY_DST_PITCH, 128ull) | NPU_PREP(NPU_COPY_SRC_PITCH, 64ull),
	};
	struct npu_cmd cmd = kernel(r, at, 1);

	memcpy(r->words, operands, sizeof(operands));
	r->words[(0x400 + 2 * 64) / 8] = 0x1234;
	set_watch(r, 'Z', 4, between - 63, 64);
	set_watch(r, 'Z', 3, third, 8);
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	ok(th_wait(r->q) == NPU_ST_OK, "what lies between rows, or is not read, stops nothing");
	send_bytes(r, "\x03", 1);
	answer(r);
	set_watch(r, 'Z', 2, third - 4, 8);
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	ok(watched(r, "watch", third) && reg(r, PC) == at + 20, "a row that is written does");
	ok(answers(r, "3412000000000000", "m100100,8"), "and is there");
	set_watch(r, 'z', 2, third - 4, 8);
	set_watch(r, 'Z', 3, source + 255, 1);
	tell(r, "vCont;c");
	ok(th_wait(r->q) == NPU_ST_OK, "without the watchpoint it goes on");
	th_submit(r->q, &cmd, 1);
	ok(watched(r, "rwatch", source + 255) && reg(r, PC) == at + 20,
	   "the last byte that is read of global memory");
	ok(answers(r, "OK", "D") && th_wait(r->q) == NPU_ST_OK, "the debugger leaves");
	th_submit(r->q, &cmd, 1);
	ok(th_wait(r->q) == NPU_ST_OK, "and its watchpoints with it");
	rig_free(r);
}

/* An access that fails is no access; one that is stepped is. */
static void test_watch_fails(void)
{
	struct rig *r = rig_new(0);
	uint64_t at = store_kernel(r);
	struct npu_cmd cmd = kernel(r, at, 1);

	set_watch(r, 'Z', 2, 64, 8);
	set_watch(r, 'Z', 2, r->data, 8);
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	ok(watched(r, "watch", r->data) && set_reg(r, PC, at + 12) && set_reg(r, 5, r->data),
	   "once more");
	tell(r, "vCont;s:1");
	ok(watched(r, "watch", r->data) && reg(r, PC) == at + 16, "a step");
	set_reg(r, PC, at + 12);
	set_reg(r, 5, 64);
	ok(!strcmp(ask(r, "vCont;c"), "T0bthread:1;") && reg(r, ERROR) == NPU_ST_MMU_WRITE,
	   "an access that fails stops with the error");
	tell(r, "vCont;c");
	ok(th_wait(r->q) == NPU_ST_MMU_WRITE, "and ends with it");
	rig_free(r);
}

static void test_fault(void)
{
	struct rig *r = rig_new(0);
	const uint32_t code[] = { RV_NOP, RV_SD(0, 0, 0), RV_ECALL };
	uint64_t at = th_code(r->s, code, 3);
	struct npu_cmd cmd = kernel(r, at, 1);

	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	ok(!strcmp(answer(r), "T0bthread:1;") && reg(r, PC) == at + 4 &&
	   reg(r, ERROR) == NPU_ST_MMU_WRITE, "a kernel that faults stops before it ends");
	ok(r->cq->ring[0].cookie == 0, "the job waits");
	tell(r, "vCont;C0b");
	ok(th_wait(r->q) == NPU_ST_MMU_WRITE && r->q->fault->pc == at + 4, "then it ends so");

	th_queue_free(r->q);
	r->q = th_queue_new(r->s, 2, 16, r->cq);
	th_submit(r->q, &cmd, 1);
	answer(r);
	ok(set_reg(r, PC, at + 8), "the debugger helps it over");
	tell(r, "vCont;c");
	ok(th_wait(r->q) == NPU_ST_OK, "and it ends well");
	rig_free(r);
}

static void wait_ms(unsigned int ms)
{
	uint64_t end = th_now_ns() + ms * TH_MS;

	while (th_now_ns() < end)
		;
}

/* Time-outs of a kernel that is held, and of a queue that waits for it, stand still. */
static void test_timeouts(void)
{
	struct rig *r = rig_new(2);
	struct th_queue *other = th_queue_new(r->s, 2, 16, r->cq);
	struct npu_cmd cmd = kernel(r, endless_kernel(r), 1);
	struct npu_cmd wait = th_sem(NPU_CMD_SEM_WAIT, r->data + 64, 1, NPU_SEM_GE);
	struct npu_cqe cqe;

	cmd.timeout_us = 300000;
	wait.timeout_us = 300000;
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	th_submit(other, &wait, 1);
	while (!npu_load(&r->h->core->sem_waiting) || npu_busy_cores(r->h->core) != 1)
		;
	send_bytes(r, "\3", 1);
	ok(!strcmp(answer(r), "T02thread:1;"), "an endless kernel is interrupted");
	wait_ms(600);
	ok(reg(r, PC) - cmd.kernel.entry <= 4 && r->cq->ring[0].cookie == 0,
	   "nothing times out meanwhile");
	set_reg(r, PC, cmd.kernel.entry + 8);
	npu_store(&r->words[8], 1);
	tell(r, "vCont;c");
	ok(th_cq_wait(r->cq, &cqe, 20000) == NPU_ST_OK &&
	   th_cq_wait(r->cq, &cqe, 20000) == NPU_ST_OK, "both end well");

	th_submit(r->q, &cmd, 1);
	ok(!strcmp(answer(r), "T18thread:1;") && reg(r, ERROR) == NPU_ST_TIMEOUT,
	   "one that times out stops first");
	tell(r, "vCont;c");
	ok(th_wait(r->q) == NPU_ST_TIMEOUT, "and ends so");
	free(other);
	rig_free(r);
}

static void test_memory(void)
{
	struct rig *r = rig_new(0);
	uint64_t at = endless_kernel(r);
	struct npu_cmd cmd = kernel(r, at, 1);

	r->words[1] = 0x1122334455667788ULL;
	ok(answers(r, "E0e", "m100000,4"), "no local memory before there was a block");
	ask(r, "Z0,%llx,4", (unsigned long long)at + 4);
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	answer(r);
	ok(!strcmp(ask(r, "m%llx,8", (unsigned long long)r->data + 8), "8877665544332211"),
	   "memory of the context");
	ok(!strcmp(ask(r, "M%llx,2:abcd", (unsigned long long)r->data + 8), "OK") &&
	   r->words[1] == 0x112233445566cdabULL, "is written");
	ok(!strcmp(ask(r, "m%llx,8", NPU_VA_END - 8ULL), "E0e") &&
	   answers(r, "E0e", "mffffffffffffffff,8") && answers(r, "E0e", "m0,8") &&
	   !strcmp(ask(r, "m%llx,10", (unsigned long long)r->data + NPU_PAGE_SIZE - 8), "E0e"),
	   "what is not there is not read");
	ok(answers(r, "OK", "M12fff8,8:0102030405060708") &&
	   answers(r, "0102030405060708", "m12fff8,8") && answers(r, "E0e", "m12fff8,9"),
	   "the unified buffer to its end");
	ok(answers(r, "OK", "M380000,4:01020304") && answers(r, "01020304", "m380000,4") &&
	   answers(r, "E0e", "m3a0000,4"), "L0C, which no program can load from");
	ok(answers(r, "OK", "Hg2") && answers(r, "E0e", "m380000,4") && reg(r, PC) == 0,
	   "another core has not got it");
	ok(!strcmp(ask(r, "M%llx,4:73000000", (unsigned long long)at + 4), "OK") &&
	   !strcmp(ask(r, "z0,%llx,4", (unsigned long long)at + 4), "OK"), "code is written");
	tell(r, "vCont;c");
	ok(th_wait(r->q) == NPU_ST_OK, "and executed");
	rig_free(r);
}

/* Whatever the debugger holds, who owns it can end it. */
static void test_ends(void)
{
	struct rig *r = rig_new(0);
	struct npu_cmd cmd = kernel(r, endless_kernel(r), 4);

	th_submit(r->q, &cmd, 1);
	ok(ask(r, "qThreadExtraInfo,1")[0] == '6', "blocks that start are held at their entry");
	th_queue_free(r->q);
	npu_core_poll(r->h->core);
	ok(npu_busy_cores(r->h->core) == 0, "a queue is destroyed under a debugger");

	r->q = th_queue_new(r->s, 2, 16, r->cq);
	th_submit(r->q, &cmd, 1);
	npu_core_reset(r->h->core);
	ok(npu_busy_cores(r->h->core) == 0 && held(r) && reg(r, PC) == 0,
	   "the device is reset under it");
	rig_free(r);
}

static void test_leaves(void)
{
	struct rig *r = rig_new(2);
	uint64_t at = store_kernel(r);
	struct npu_cmd cmd = kernel(r, at, 8);

	ask(r, "Z0,%llx,4", (unsigned long long)at + 12);
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	answer(r);
	npu_core_debug_close(r->h->core, CORES);
	ok(th_wait(r->q) == NPU_ST_OK && r->words[7] == 7 && !held(r),
	   "a debugger that dies leaves all working");
	ok(th_run(r->q, &cmd, 1) == NPU_ST_OK, "its breakpoints are gone");
	rig_free(r);
}

/* Kernels that look up code while the debugger that set breakpoints goes. */
static void test_leaves_running(void)
{
	struct rig *r = rig_new(2);
	const uint32_t code[] = {
		RV_SD(RV_A2, RV_A0, 8), RV_LD(RV_T1, RV_A0, 0), RV_BNE(RV_T1, 0, -4), RV_ECALL,
	};
	uint64_t at = th_code(r->s, code, 4);
	struct npu_cmd cmd = kernel(r, at, 2);
	uint64_t limit = th_now_ns() + 20000 * TH_MS;

	r->words[0] = 1;
	ask(r, "Z0,%llx,4", (unsigned long long)at + 12);
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	while (npu_load(&r->words[1]) != 2 && th_now_ns() < limit)
		;
	npu_core_debug_close(r->h->core, CORES);
	npu_store(&r->words[0], 0);
	ok(th_wait(r->q) == NPU_ST_OK && !held(r),
	   "one that leaves kernels at work stops none");
	rig_free(r);
}

/* monitor module, with the code from @entry on; "O" and text, or what comes after it */
static void add_module(struct rig *r, const void *code, size_t len)
{
	char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, code, len);
	char line[256], packet[600] = "qRcmd,";
	unsigned int i;

	snprintf(line, sizeof(line), "module 40 %zx %s /a b/k<.elf", len, digest);
	for (i = 0; line[i]; i++)
		sprintf(packet + 6 + 2 * i, "%02x", line[i]);
	send_packet(r, packet, strlen(packet));
	g_free(digest);
}

static void test_modules(void)
{
	struct rig *r = rig_new(0);
	uint64_t at = store_kernel(r);
	struct npu_cmd cmd = kernel(r, at, 2);
	uint8_t code[20];
	char want[256];

	memcpy(code, r->h->hbm + (*th_pte(r->s, at, 0) & NPU_PTE_ADDRESS), sizeof(code));
	add_module(r, code, sizeof(code));
	ok(!strcmp(answer(r), "OK"), "a module becomes known");
	ok(answers(r, "l<library-list></library-list>", "qXfer:libraries:read::0,fff"),
	   "it is not there yet");
	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	ok(!strcmp(answer(r), "T05thread:1;library:;") && reg(r, PC) == at,
	   "its kernel stops at its entry, for breakpoints to be set");
	snprintf(want, sizeof(want), "l<library-list><library name=\"/a b/k&lt;.elf\"><segment "
		 "address=\"0x%llx\"/></library></library-list>", (unsigned long long)at - 0x40);
	ok(answers(r, want, "qXfer:libraries:read::0,fff"), "it is there");
	tell(r, "vCont;c");
	ok(th_wait(r->q) == NPU_ST_OK && th_run(r->q, &cmd, 1) == NPU_ST_OK,
	   "that is told once");

	npu_core_debug_close(r->h->core, CORES);
	npu_core_debug_open(r->h->core, CORES);
	th_submit(r->q, &cmd, 1);
	ok(!strcmp(ask(r, "vCont;c"), "T05thread:1;library:;"),
	   "to the next debugger when it goes on, if all was held");
	tell(r, "vCont;c");
	ok(th_wait(r->q) == NPU_ST_OK, "then it runs");
	rig_free(r);
}

static void test_monitor(void)
{
	struct rig *r = rig_new(0);

	ok(ask(r, "qRcmd,78797a")[0] == 'O' && !strcmp(answer(r), "OK"),
	   "an unknown command says which there are");
	ok(ask(r, "qRcmd,74696c65")[0] == 'O' && !strcmp(answer(r), "OK"),
	   "tile state of a core without a block");
	rig_free(r);
}

/* Packets of random letters, of letters that packets have, and no packets at all. */
static void hostile_packet(struct rig *r, GRand *rand)
{
	static const char letters[] = "?HgGpPmMXZzvcsqQTDk0123456789abcdef,:;=-#$}*\3";
	char data[64];
	size_t len = g_rand_int_range(rand, 0, sizeof(data)), i;

	for (i = 0; i < len; i++)
		data[i] = g_rand_int_range(rand, 0, 8) ?
			  letters[g_rand_int_range(rand, 0, sizeof(letters) - 1)] :
			  (char)g_rand_int(rand);
	switch (g_rand_int_range(rand, 0, 4)) {
	case 0:
		send_bytes(r, data, len);
		break;
	case 1:
		tell(r, "%c%x,%x", "mMZzXpP"[g_rand_int_range(rand, 0, 7)], g_rand_int(rand),
		     g_rand_int(rand) >> g_rand_int_range(rand, 0, 32));
		break;
	case 2:
		tell(r, "vCont;%c:%x;c", "cs"[g_rand_int_range(rand, 0, 2)],
		     g_rand_int_range(rand, 0, 40));
		break;
	default:
		send_packet(r, data, len);
	}
	npu_core_debug_poll(r->h->core, CORES);
	r->h->debug_len[CORES] = 0;
}

/* A block of a queue that goes is not held, if it was not running when the debugger came. */
static void test_interrupted(void)
{
	struct rig *r = rig_new(1);
	struct npu_cmd cmd = kernel(r, endless_kernel(r), 1);
	uint64_t limit;

	tell(r, "vCont;c");
	th_submit(r->q, &cmd, 1);
	while (npu_busy_cores(r->h->core) != 1)
		;
	npu_core_pause(r->h->core);
	ok(npu_queue_destroy(r->h->core, r->q->id) == NPU_MCU_BUSY, "a queue goes");
	send_bytes(r, "\3", 1);
	npu_core_resume(r->h->core);
	limit = th_now_ns() + 5000 * TH_MS;
	while (npu_busy_cores(r->h->core) && th_now_ns() < limit)
		;
	ok(!npu_busy_cores(r->h->core) && !strcmp(answer(r), "T02thread:1;"),
	   "its block ends, though all are held");
	rig_free(r);
}

static void test_hostile(void)
{
	struct rig *r = rig_new(0);
	GRand *rand = g_rand_new_with_seed(5);
	static char flood[4 * GDB_PACKET_MAX];
	uint64_t at = store_kernel(r);
	struct npu_cmd cmd = kernel(r, at, 4);
	unsigned int i;

	r->h->core->sync_cap_ns = 50000;
	memset(flood, 'm', sizeof(flood));
	send_bytes(r, "$", 1);
	send_bytes(r, flood, sizeof(flood));
	send_bytes(r, "#00", 3);
	ok(r->h->debug_len[CORES] == 1 && r->h->debug_out[CORES][0] == '-',
	   "a packet that is too long");
	for (i = 0; i < HOSTILE; i++) {
		if (i % 16 == 0 && r->q->tail - r->q->cq->head < 8)
			th_submit(r->q, &cmd, 1);
		hostile_packet(r, rand);
	}
	npu_core_debug_close(r->h->core, CORES);
	th_queue_free(r->q);
	r->q = th_queue_new(r->s, 3, 16, r->cq);
	npu_core_debug_open(r->h->core, CORES);
	ok(strstr(ask(r, "?"), "thread:"), "%u packets later there is an answer", HOSTILE);
	g_rand_free(rand);
	rig_free(r);
}

int main(void)
{
	test_packets();
	test_watch_limits();
	test_watch_write(0);
	test_watch_write(2);
	test_watch_all();
	test_watch_kinds(false);
	test_watch_kinds(true);
	test_watch_tile();
	test_watch_fails();
	test_breakpoint(0);
	test_breakpoint(2);
	test_pair();
	test_blocks();
	test_fault();
	test_timeouts();
	test_memory();
	test_ends();
	test_leaves();
	test_leaves_running();
	test_modules();
	test_monitor();
	test_interrupted();
	test_hostile();
	return tap_done();
}
