// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Admin commands: the handshake, each command with good and with bad input, what is in use, the
 * rings themselves, and a queue that keeps the firmware waiting.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include <npu/npu_mmu.h>

#include "fw_host.h"
#include "tap.h"

#define CONTEXT 3
#define CQ 2
#define QUEUE 5
#define ROOT 0x100000
#define CQ_BASE 0x40000
#define SQ_BASE 0x50000
#define STATUS_BLOCK 0x60040

static struct npu_admin_cmd identify(uint16_t major, uint16_t minor)
{
	return (struct npu_admin_cmd){
		.opcode = NPU_ADMIN_IDENTIFY,
		.identify = { .abi_major = major, .abi_minor = minor },
	};
}

static struct npu_admin_cmd context_set(uint32_t id)
{
	return (struct npu_admin_cmd){
		.opcode = NPU_ADMIN_CONTEXT_SET, .id = id, .context.root = ROOT,
	};
}

static struct npu_admin_cmd cq_create(uint32_t id)
{
	return (struct npu_admin_cmd){
		.opcode = NPU_ADMIN_CQ_CREATE,
		.id = id,
		.cq = { .base = CQ_BASE, .entries = 64, .vector = 1 },
	};
}

static struct npu_admin_cmd queue_create(uint32_t id)
{
	return (struct npu_admin_cmd){
		.opcode = NPU_ADMIN_QUEUE_CREATE,
		.id = id,
		.queue = {
			.base = SQ_BASE,
			.status = STATUS_BLOCK,
			.entries = 32,
			.context = CONTEXT,
			.cq = CQ,
			.priority = NPU_PRIORITY_NORMAL,
			.engine = NPU_ENGINE_COMPUTE,
		},
	};
}

static struct npu_admin_cmd with_id(uint8_t opcode, uint32_t id)
{
	return (struct npu_admin_cmd){ .opcode = opcode, .id = id };
}

static struct npu_admin_cmd core_reset(uint32_t core, uint32_t queue)
{
	return (struct npu_admin_cmd){
		.opcode = NPU_ADMIN_CORE_RESET, .id = core, .core.queue = queue,
	};
}

static uint16_t run(struct fw_host *host, struct npu_admin_cmd cmd)
{
	return fw_admin(host, cmd).status;
}

static void expect(struct fw_host *host, struct npu_admin_cmd cmd, uint16_t status,
		   const char *what)
{
	uint16_t got = run(host, cmd);

	ok(got == status, "%s: status %u", what, got);
}

/* Context, completion ring and queue, all made. */
static struct fw_host *host_with_queue(void)
{
	struct fw_host *host = fw_host_identified(true);

	if (run(host, context_set(CONTEXT)) || run(host, cq_create(CQ)) ||
	    run(host, queue_create(QUEUE)))
		printf("Bail out! cannot create a queue\n%s", host->console);
	return host;
}

static void test_identify(void)
{
	struct fw_host *host = fw_host_booted(true);
	struct npu_admin_cqe cqe;

	for (int opcode = NPU_ADMIN_CONTEXT_SET; opcode <= NPU_ADMIN_TELEMETRY; opcode++)
		ok(run(host, with_id(opcode, 0)) == NPU_ST_ADMIN_INVALID,
		   "opcode %d before identify is refused", opcode);

	cqe = fw_admin(host, identify(NPU_FW_ABI_VERSION_MAJOR + 1, 0));
	ok(cqe.status == NPU_ST_ADMIN_INVALID, "another major version is refused");
	ok(cqe.identity.abi_major == NPU_FW_ABI_VERSION_MAJOR && cqe.identity.version[0],
	   "and the answer tells the firmware's own");
	ok(fw_said(host, "refused, mine is"), "the log tells as well");
	expect(host, context_set(CONTEXT), NPU_ST_ADMIN_INVALID, "still not identified");

	cqe = fw_admin(host, identify(NPU_FW_ABI_VERSION_MAJOR, NPU_FW_ABI_VERSION_MINOR + 7));
	ok(cqe.status == NPU_ST_OK, "the same major version is taken");
	ok(cqe.identity.abi_major == NPU_FW_ABI_VERSION_MAJOR &&
	   cqe.identity.abi_minor == NPU_FW_ABI_VERSION_MINOR, "the lower minor is in force");
	ok(cqe.identity.heartbeat_ms == 100 && cqe.identity.telemetry_ms == 500, "the periods");
	ok(cqe.identity.flags == NPU_IDENTITY_HBM_KEPT && memchr(cqe.identity.version, 0, 32), "a clean answer");
	expect(host, context_set(CONTEXT), NPU_ST_OK, "now commands are obeyed");
	fw_host_free(host);
}

static void test_life_cycle(void)
{
	struct fw_host *host = fw_host_identified(true);

	expect(host, with_id(NPU_ADMIN_CONTEXT_CLEAR, CONTEXT), NPU_ST_ADMIN_NOENT,
	       "clear a context that is not set");
	expect(host, with_id(NPU_ADMIN_CQ_DESTROY, CQ), NPU_ST_ADMIN_NOENT,
	       "destroy a completion ring that is not there");
	expect(host, queue_create(QUEUE), NPU_ST_ADMIN_NOENT, "create a queue without a context");
	expect(host, context_set(CONTEXT), NPU_ST_OK, "set a context");
	expect(host, context_set(CONTEXT), NPU_ST_ADMIN_BUSY, "set it again");
	expect(host, queue_create(QUEUE), NPU_ST_ADMIN_NOENT, "create a queue without a ring");
	expect(host, cq_create(CQ), NPU_ST_OK, "create a completion ring");
	expect(host, cq_create(CQ), NPU_ST_ADMIN_BUSY, "create it again");

	for (int opcode = NPU_ADMIN_QUEUE_DESTROY; opcode <= NPU_ADMIN_QUEUE_QUERY; opcode++)
		ok(run(host, with_id(opcode, QUEUE)) == NPU_ST_ADMIN_NOENT,
		   "opcode %d of a queue that is not there", opcode);
	expect(host, queue_create(QUEUE), NPU_ST_OK, "create a queue");
	expect(host, queue_create(QUEUE), NPU_ST_ADMIN_BUSY, "create it again");
	expect(host, queue_create(QUEUE + 1), NPU_ST_OK, "create another");

	expect(host, with_id(NPU_ADMIN_CONTEXT_CLEAR, CONTEXT), NPU_ST_ADMIN_BUSY,
	       "clear the context in use");
	expect(host, with_id(NPU_ADMIN_CQ_DESTROY, CQ), NPU_ST_ADMIN_BUSY,
	       "destroy the completion ring in use");
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE), NPU_ST_OK, "destroy the queue");
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE), NPU_ST_ADMIN_NOENT,
	       "destroy it again");
	expect(host, with_id(NPU_ADMIN_CONTEXT_CLEAR, CONTEXT), NPU_ST_ADMIN_BUSY,
	       "the other still uses the context");
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE + 1), NPU_ST_OK, "destroy the other");
	expect(host, with_id(NPU_ADMIN_CONTEXT_CLEAR, CONTEXT), NPU_ST_OK, "clear the context");
	expect(host, with_id(NPU_ADMIN_CQ_DESTROY, CQ), NPU_ST_OK, "destroy the completion ring");
	expect(host, context_set(CONTEXT), NPU_ST_OK, "the context's id can be used again");
	ok(fw_said(host, "I admin: queue 5 created (context 3, 32 entries)\n"),
	   "the log tells of the queue");
	fw_host_free(host);
}

static struct npu_admin_queue_info query(struct fw_host *host)
{
	return fw_admin(host, with_id(NPU_ADMIN_QUEUE_QUERY, QUEUE)).queue;
}

static void push_nops(struct fw_host *host, uint32_t count)
{
	memset(host->memory + SQ_BASE, 0, count * sizeof(struct npu_sqe));
	fw_write(host, NPU_DB_SQ_TAIL(QUEUE), count);
}

static void test_query(void)
{
	struct fw_host *host = host_with_queue();
	struct npu_admin_queue_info info = query(host);

	ok(info.state == NPU_QUEUE_IDLE && info.head == 0 && info.tail == 0 &&
	   info.status == NPU_ST_OK, "a new queue is idle and empty");
	push_nops(host, 3);
	info = query(host);
	ok(info.state == NPU_QUEUE_IDLE && info.head == 3 && info.tail == 3,
	   "it has run three entries");

	expect(host, with_id(NPU_ADMIN_QUEUE_SUSPEND, QUEUE), NPU_ST_OK, "suspend");
	push_nops(host, 5);
	info = query(host);
	ok(info.state == NPU_QUEUE_SUSPENDED && info.head == 3 && info.tail == 5,
	   "a suspended queue takes nothing from its ring");
	expect(host, with_id(NPU_ADMIN_QUEUE_SUSPEND, QUEUE), NPU_ST_OK, "suspend again");
	expect(host, with_id(NPU_ADMIN_QUEUE_RESUME, QUEUE), NPU_ST_OK, "resume");
	info = query(host);
	ok(info.state == NPU_QUEUE_IDLE && info.head == 5, "it goes on");
	expect(host, with_id(NPU_ADMIN_QUEUE_RESUME, QUEUE), NPU_ST_OK, "resume again");
	fw_host_free(host);
}

static void test_fault_report(void)
{
	struct fw_host *host = host_with_queue();
	struct npu_sqe *ring = (struct npu_sqe *)(host->memory + SQ_BASE);
	struct npu_admin_queue_info info;

	ring[0] = (struct npu_sqe){ .opcode = 0xee };
	fw_write(host, NPU_DB_SQ_TAIL(QUEUE), 1);
	info = query(host);
	ok(info.state == NPU_QUEUE_FAULTED && info.status == NPU_ST_SQE_INVALID,
	   "query tells the fault of a queue");
	ok(fw_said(host, "W queue: queue 5 (context 3) stopped: status 3"), "the log tells it");
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE), NPU_ST_OK, "and it can be destroyed");
	fw_host_free(host);
}

/* Which of the 14 words after the id mean nothing, by command. */
static const struct {
	uint8_t opcode;
	unsigned int first_reserved;
} reserved[] = {
	{ NPU_ADMIN_IDENTIFY, 1 },
	{ NPU_ADMIN_CONTEXT_SET, 2 },
	{ NPU_ADMIN_CONTEXT_CLEAR, 0 },
	{ NPU_ADMIN_CQ_CREATE, 4 },
	{ NPU_ADMIN_CQ_DESTROY, 0 },
	{ NPU_ADMIN_QUEUE_CREATE, 10 },
	{ NPU_ADMIN_QUEUE_DESTROY, 0 },
	{ NPU_ADMIN_QUEUE_SUSPEND, 0 },
	{ NPU_ADMIN_QUEUE_RESUME, 0 },
	{ NPU_ADMIN_QUEUE_QUERY, 0 },
	{ NPU_ADMIN_TELEMETRY, 0 },
	{ NPU_ADMIN_QUEUE_STOP, 0 },
	{ NPU_ADMIN_CORE_RESET, 1 },
};

/* A command that would be obeyed, for objects that are there or are not, as it needs. */
static struct npu_admin_cmd good_command(uint8_t opcode)
{
	switch (opcode) {
	case NPU_ADMIN_IDENTIFY:
		return identify(NPU_FW_ABI_VERSION_MAJOR, NPU_FW_ABI_VERSION_MINOR);
	case NPU_ADMIN_CONTEXT_SET:
		return context_set(CONTEXT + 1);
	case NPU_ADMIN_CQ_CREATE:
		return cq_create(CQ + 1);
	case NPU_ADMIN_QUEUE_CREATE:
		return queue_create(QUEUE + 1);
	case NPU_ADMIN_TELEMETRY:
		return with_id(opcode, 0);
	case NPU_ADMIN_CORE_RESET:
		return core_reset(0, QUEUE);
	case NPU_ADMIN_CONTEXT_CLEAR:
		return with_id(opcode, CONTEXT);
	case NPU_ADMIN_CQ_DESTROY:
		return with_id(opcode, CQ);
	default:
		return with_id(opcode, QUEUE);
	}
}

static void test_reserved(void)
{
	struct fw_host *host = host_with_queue();
	struct npu_admin_queue_info info;
	struct npu_admin_cmd cmd;

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		unsigned int refused = 0;

		for (unsigned int word = reserved[i].first_reserved; word < 14; word++) {
			cmd = good_command(reserved[i].opcode);
			cmd.raw[word] = 0x80000000;
			refused += run(host, cmd) == NPU_ST_ADMIN_INVALID;
		}
		ok(refused == 14 - reserved[i].first_reserved,
		   "opcode %u: each reserved word is checked", reserved[i].opcode);
		cmd = good_command(reserved[i].opcode);
		cmd.flags = 0x80;
		ok(run(host, cmd) == NPU_ST_ADMIN_INVALID, "opcode %u: flags", reserved[i].opcode);
	}

	cmd = good_command(NPU_ADMIN_QUEUE_CREATE);
	cmd.queue.rsvd0 = 1;
	expect(host, cmd, NPU_ST_ADMIN_INVALID, "queue-create: reserved field");
	cmd = good_command(NPU_ADMIN_IDENTIFY);
	cmd.id = 1;
	expect(host, cmd, NPU_ST_ADMIN_INVALID, "identify: id");
	cmd = good_command(NPU_ADMIN_TELEMETRY);
	cmd.id = 1;
	expect(host, cmd, NPU_ST_ADMIN_INVALID, "telemetry: id");

	info = query(host);
	ok(info.state == NPU_QUEUE_IDLE, "the queue is as it was");
	expect(host, good_command(NPU_ADMIN_QUEUE_CREATE), NPU_ST_OK, "nothing was created");
	fw_host_free(host);
}

static void test_bad_opcodes(void)
{
	struct fw_host *host = fw_host_identified(true);
	unsigned int refused = 0, count = 0;

	for (int opcode = 0; opcode < 256; opcode++) {
		if (opcode >= NPU_ADMIN_IDENTIFY && opcode <= NPU_ADMIN_CORE_RESET)
			continue;
		count++;
		refused += run(host, with_id(opcode, 0)) == NPU_ST_ADMIN_INVALID;
	}
	ok(refused == count, "all %u other opcodes are refused", count);
	fw_host_free(host);
}

static void test_bad_context(void)
{
	struct fw_host *host = fw_host_identified(true);
	struct npu_admin_cmd cmd;

	expect(host, context_set(NPU_MAX_CONTEXTS), NPU_ST_ADMIN_INVALID, "context id too high");
	expect(host, context_set(UINT32_MAX), NPU_ST_ADMIN_INVALID, "context id of all ones");
	expect(host, with_id(NPU_ADMIN_CONTEXT_CLEAR, UINT32_MAX), NPU_ST_ADMIN_NOENT,
	       "clear of all ones");
	cmd = context_set(CONTEXT);
	cmd.context.root = ROOT + 8;
	expect(host, cmd, NPU_ST_ADMIN_INVALID, "misaligned root");
	cmd.context.root = FW_HBM_SIZE;
	expect(host, cmd, NPU_ST_ADMIN_INVALID, "root beyond HBM");
	cmd.context.root = fw_read(host, NPU_REG_FW_REGION_LO);
	expect(host, cmd, NPU_ST_ADMIN_INVALID, "root in the firmware region");
	cmd.context.root = fw_read(host, NPU_REG_FW_REGION_LO) - 4096;
	expect(host, cmd, NPU_ST_OK, "root just before it");
	expect(host, context_set(NPU_MAX_CONTEXTS - 1), NPU_ST_OK, "the last context");
	fw_host_free(host);
}

static void test_bad_cq(void)
{
	static const struct {
		const char *name;
		struct npu_admin_cq cq;
	} bad[] = {
		{ "misaligned base", { CQ_BASE + 64, 64, 1, { 0 } } },
		{ "no entries", { CQ_BASE, 0, 1, { 0 } } },
		{ "one entry", { CQ_BASE, 1, 1, { 0 } } },
		{ "not a power of two", { CQ_BASE, 48, 1, { 0 } } },
		{ "too many entries", { CQ_BASE, 2 * NPU_CQ_MAX_ENTRIES, 1, { 0 } } },
		{ "management vector", { CQ_BASE, 64, 0, { 0 } } },
		{ "vector that the device has not", { CQ_BASE, 64, 8, { 0 } } },
		{ "vector too high", { CQ_BASE, 64, NPU_MAX_VECTORS, { 0 } } },
		{ "vector of all ones", { CQ_BASE, 64, UINT32_MAX, { 0 } } },
	};
	struct fw_host *host = fw_host_identified(true);
	struct npu_admin_cmd cmd = cq_create(CQ);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cmd.cq = bad[i].cq;
		ok(run(host, cmd) == NPU_ST_ADMIN_INVALID, "completion ring: %s", bad[i].name);
	}
	expect(host, cq_create(NPU_MAX_CQS), NPU_ST_ADMIN_INVALID, "completion ring id too high");
	expect(host, with_id(NPU_ADMIN_CQ_DESTROY, UINT32_MAX), NPU_ST_ADMIN_NOENT,
	       "completion ring id of all ones");
	cmd.cq = (struct npu_admin_cq){ CQ_BASE, NPU_CQ_MAX_ENTRIES, 7, { 0 } };
	expect(host, cmd, NPU_ST_OK, "the longest ring on the last vector");
	fw_host_free(host);
}

#define BAD_QUEUE(text, member, value, code) do {				\
	struct npu_admin_cmd cmd_ = queue_create(QUEUE + 1);			\
										\
	cmd_.member = (value);							\
	expect(host, cmd_, code, "queue: " text);				\
} while (0)

static void test_bad_queue(void)
{
	struct fw_host *host = host_with_queue();

	BAD_QUEUE("id that the device has not", id, 64, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("id too high", id, NPU_MAX_QUEUES, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("id of all ones", id, UINT32_MAX, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("misaligned base", queue.base, SQ_BASE + 64, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("misaligned status block", queue.status, STATUS_BLOCK + 8, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("core that is not there", queue.core_mask, 1 << 4, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("one entry", queue.entries, 1, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("not a power of two", queue.entries, 33, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("too many entries", queue.entries, 2 * NPU_SQ_MAX_ENTRIES, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("priority", queue.priority, NPU_PRIORITY_COUNT, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("engine", queue.engine, NPU_ENGINE_COPY + 1, NPU_ST_ADMIN_INVALID);
	BAD_QUEUE("context that is not set", queue.context, CONTEXT + 1, NPU_ST_ADMIN_NOENT);
	BAD_QUEUE("context too high", queue.context, 0xffff, NPU_ST_ADMIN_NOENT);
	BAD_QUEUE("completion ring that is not there", queue.cq, CQ + 1, NPU_ST_ADMIN_NOENT);
	BAD_QUEUE("completion ring too high", queue.cq, 0xffff, NPU_ST_ADMIN_NOENT);
	expect(host, with_id(NPU_ADMIN_QUEUE_QUERY, NPU_MAX_QUEUES), NPU_ST_ADMIN_NOENT,
	       "query of an id too high");

	BAD_QUEUE("some cores", queue.core_mask, 0xa, NPU_ST_OK);
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE + 1), NPU_ST_OK, "destroy it");
	BAD_QUEUE("the longest", queue.entries, NPU_SQ_MAX_ENTRIES, NPU_ST_OK);
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE), NPU_ST_OK, "destroy the first");
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE + 1), NPU_ST_OK, "destroy the second");
	expect(host, with_id(NPU_ADMIN_CONTEXT_CLEAR, CONTEXT), NPU_ST_OK,
	       "none of the refused holds the context");
	expect(host, with_id(NPU_ADMIN_CQ_DESTROY, CQ), NPU_ST_OK, "nor the completion ring");
	fw_host_free(host);
}

/* Many times around the rings, in batches that fill them. */
static void test_ring_wrap(void)
{
	struct fw_host *host = fw_host_identified(true);
	struct npu_admin_cmd cmd = with_id(NPU_ADMIN_QUEUE_QUERY, 1);
	unsigned int right = 0, total = 0;
	struct npu_admin_cqe cqe;
	unsigned int irqs;

	for (unsigned int batch = 1; batch <= FW_ADMIN_ENTRIES; batch++) {
		for (unsigned int i = 0; i < batch; i++) {
			cmd.cid = total + i;
			fw_admin_push(host, &cmd);
		}
		fw_write(host, NPU_REG_ASQ_TAIL, host->sq_tail);
		for (unsigned int i = 0; i < batch; i++)
			right += fw_admin_pop(host, &cqe) && cqe.cid == total + i &&
				 cqe.status == NPU_ST_ADMIN_NOENT;
		total += batch;
	}
	ok(right == total, "%u commands in batches up to the ring's size", total);
	ok(!fw_admin_pop(host, &cqe), "and no completion more");

	irqs = fw_irqs(host);
	fw_write(host, NPU_REG_IRQ_CAUSE, NPU_IRQ_CAUSE_ADMIN);
	fw_admin(host, cmd);
	ok(fw_irqs(host) == irqs + 1, "a completion raises the management vector");
	ok(fw_read(host, NPU_REG_IRQ_CAUSE) & NPU_IRQ_CAUSE_ADMIN, "with its cause");
	fw_host_free(host);
}

/* The completion ring is full: the firmware holds back until the host has made room. */
static void test_ring_full(void)
{
	struct fw_host *host = fw_host_identified(true);
	struct npu_admin_cmd cmd = with_id(NPU_ADMIN_QUEUE_QUERY, 1);
	uint32_t head = host->cq_head;
	struct npu_admin_cqe cqe;
	unsigned int got = 0;

	for (unsigned int i = 0; i < 2 * FW_ADMIN_ENTRIES; i++) {
		fw_admin_push(host, &cmd);
		fw_write(host, NPU_REG_ASQ_TAIL, host->sq_tail);
		if (host->sq_tail - head == FW_ADMIN_ENTRIES)
			fw_advance(host, 200 * MS);
	}
	/* Nothing was popped: a completion beyond the first sixteen would have hit one of them. */
	while (got < FW_ADMIN_ENTRIES && fw_admin_pop(host, &cqe))
		got++;
	ok(got == FW_ADMIN_ENTRIES, "a full ring of completions");
	fw_advance(host, 200 * MS);
	while (got < 3 * FW_ADMIN_ENTRIES && fw_admin_pop(host, &cqe))
		got++;
	ok(got == 2 * FW_ADMIN_ENTRIES, "the rest comes when there is room: %u", got);
	fw_host_free(host);
}

static void test_bad_tail(void)
{
	struct fw_host *host = fw_host_identified(true);
	struct npu_admin_cmd query_cmd = with_id(NPU_ADMIN_QUEUE_QUERY, 1);
	const uint32_t tails[] = { host->sq_tail + FW_ADMIN_ENTRIES + 1, host->sq_tail - 1,
				   UINT32_MAX, 0x80000000 };
	struct npu_admin_cqe cqe;

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		fw_write(host, NPU_REG_ASQ_TAIL, tails[i]);
		ok(!fw_admin_pop(host, &cqe), "tail %#x is ignored", tails[i]);
	}
	ok(fw_said(host, "W admin: ring ignored"), "and logged");
	expect(host, query_cmd, NPU_ST_ADMIN_NOENT, "a good tail is obeyed after that");

	fw_write(host, NPU_REG_ADMIN_ENTRIES, 0);
	expect(host, query_cmd, FW_NO_COMPLETION, "a ring without entries");
	fw_host_free(host);
}

/* Commands whose ring the bus refuses to read, then completions that it refuses to take. */
static void test_bus_errors(void)
{
	struct fw_host *host = fw_host_identified(true);
	struct npu_admin_cqe cqe = { 0 };

	fw_write(host, NPU_REG_ASQ_BASE_LO, FW_MEMORY_SIZE);
	fw_write(host, NPU_REG_ASQ_TAIL, ++host->sq_tail);
	ok(fw_admin_pop(host, &cqe) && cqe.status == NPU_ST_BUS && cqe.cid == 0xffff,
	   "an entry that cannot be read completes with a bus error");
	fw_write(host, NPU_REG_ASQ_BASE_LO, FW_ASQ + 4);
	fw_write(host, NPU_REG_ASQ_TAIL, ++host->sq_tail);
	ok(fw_admin_pop(host, &cqe) && cqe.status == NPU_ST_BUS, "so does one of a misaligned ring");
	fw_write(host, NPU_REG_ASQ_BASE_LO, FW_ASQ);
	expect(host, context_set(CONTEXT), NPU_ST_OK, "the next command works");

	fw_write(host, NPU_REG_ACQ_BASE_HI, 0x40000000);
	expect(host, context_set(CONTEXT + 1), FW_NO_COMPLETION, "nowhere to complete to");
	fw_write(host, NPU_REG_ACQ_BASE_HI, 0);
	ok(fw_said(host, "completion 3 lost"), "the log tells of the lost completion");
	expect(host, context_set(CONTEXT + 1), NPU_ST_ADMIN_BUSY, "the command had been done");
	ok(!(fw_read(host, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_FW_DEAD), "the firmware lives");
	fw_host_free(host);
}

/* A kernel that says that it runs, and never ends, in the context's only page. */
static void start_endless_kernel(struct fw_host *host)
{
	const uint64_t page = 0x400000, list = 0x1000, sign = 0x2000;
	const uint32_t code[] = { 0x00253023 /* sd sp, (a0) */, 0x0000006f /* j . */ };
	uint64_t *root = (uint64_t *)(host->hbm + ROOT);
	uint64_t *level2 = root + NPU_PT_ENTRIES, *level1 = level2 + NPU_PT_ENTRIES;
	struct npu_sqe *ring = (struct npu_sqe *)(host->memory + SQ_BASE);
	struct npu_cmd *cmd = (struct npu_cmd *)(host->hbm + page + list);

	root[NPU_PT_INDEX(NPU_VA_START, 3)] = (ROOT + 0x1000) | NPU_PTE_VALID;
	level2[NPU_PT_INDEX(NPU_VA_START, 2)] = (ROOT + 0x2000) | NPU_PTE_VALID;
	level1[NPU_PT_INDEX(NPU_VA_START, 1)] = page | NPU_PTE_VALID | NPU_PTE_LEAF |
		NPU_PTE_READ | NPU_PTE_WRITE | NPU_PTE_EXEC;
	memcpy(host->hbm + page, code, sizeof(code));
	memset(host->hbm + page + sign, 0, sizeof(uint64_t));
	*cmd = (struct npu_cmd){
		.opcode = NPU_CMD_KERNEL,
		.kernel = { .entry = NPU_VA_START, .args = NPU_VA_START + sign, .blocks = 1 },
	};
	ring[0] = (struct npu_sqe){
		.opcode = NPU_SQE_EXEC, .count = 1, .list = NPU_VA_START + list,
	};
	fw_write(host, NPU_DB_SQ_TAIL(QUEUE), 1);
	while (!__atomic_load_n((uint64_t *)(host->hbm + page + sign), __ATOMIC_ACQUIRE))
		g_usleep(1000);
}

/*
 * A queue that never comes to a command border: suspend gives up after two seconds while the
 * heart beats on, and neither this nor other queues are stuck after that.
 */
static void test_stuck_queue(void)
{
	struct fw_host *host = fw_host_identified(false);
	struct npu_admin_queue_info info;
	uint32_t beat;
	uint64_t start, us;
	uint16_t status;

	run(host, context_set(CONTEXT));
	run(host, cq_create(CQ));
	run(host, queue_create(QUEUE));
	start_endless_kernel(host);
	info = query(host);
	ok(info.state == NPU_QUEUE_RUNNING && info.tail == 1, "a kernel without end runs");

	beat = fw_read(host, NPU_REG_FW_HEARTBEAT);
	start = g_get_monotonic_time();
	status = run(host, with_id(NPU_ADMIN_QUEUE_SUSPEND, QUEUE));
	us = g_get_monotonic_time() - start;
	ok(status == NPU_ST_ADMIN_BUSY, "suspend gives up: status %u", status);
	ok(us >= 2000000, "after two seconds");
	ok(fw_read(host, NPU_REG_FW_HEARTBEAT) >= beat + 15, "with a heartbeat all the time");

	info = query(host);
	ok(info.state == NPU_QUEUE_RUNNING && info.status == NPU_ST_OK, "it still runs");
	expect(host, with_id(NPU_ADMIN_QUEUE_SUSPEND, QUEUE), NPU_ST_ADMIN_BUSY, "suspend again");
	expect(host, with_id(NPU_ADMIN_QUEUE_RESUME, QUEUE), NPU_ST_OK, "that can be withdrawn");
	expect(host, with_id(NPU_ADMIN_QUEUE_SUSPEND, QUEUE), NPU_ST_ADMIN_BUSY, "and asked for anew");
	expect(host, queue_create(QUEUE + 1), NPU_ST_OK, "other queues can be created");
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE + 1), NPU_ST_OK, "and destroyed");
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE), NPU_ST_OK, "and so can it");
	expect(host, with_id(NPU_ADMIN_CONTEXT_CLEAR, CONTEXT), NPU_ST_OK, "its context is free");
	fw_host_free(host);
}

/* A task that can be stopped, and one on a core that hangs. */
static void test_recovery(void)
{
	struct fw_host *host = fw_host_identified(false);
	struct npu_admin_queue_info info;

	run(host, context_set(CONTEXT));
	run(host, cq_create(CQ));
	run(host, queue_create(QUEUE));
	expect(host, with_id(NPU_ADMIN_QUEUE_STOP, QUEUE), NPU_ST_OK, "nothing to stop");
	start_endless_kernel(host);
	expect(host, with_id(NPU_ADMIN_QUEUE_STOP, QUEUE), NPU_ST_OK, "an endless kernel is stopped");
	info = query(host);
	ok(info.state == NPU_QUEUE_FAULTED && info.status == NPU_ST_TIMEOUT, "its queue has faulted");
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE), NPU_ST_OK, "and can be destroyed");

	run(host, queue_create(QUEUE));
	start_endless_kernel(host);
	npu_core_hang(host->core, 1);
	info = query(host);
	ok(info.state == NPU_QUEUE_RUNNING && info.cores == 1 && info.run_us == UINT32_MAX &&
	   info.pc - NPU_VA_START < 8, "where a kernel is");
	expect(host, with_id(NPU_ADMIN_QUEUE_STOP, QUEUE), NPU_ST_ADMIN_BUSY, "its core hangs");
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE), NPU_ST_ADMIN_BUSY,
	       "so its queue cannot be destroyed");
	expect(host, core_reset(64, QUEUE), NPU_ST_ADMIN_INVALID, "no such core");
	expect(host, core_reset(0, QUEUE + 1), NPU_ST_ADMIN_NOENT, "no such queue");
	expect(host, core_reset(0, QUEUE), NPU_ST_OK, "the core is reset");
	expect(host, with_id(NPU_ADMIN_QUEUE_DESTROY, QUEUE), NPU_ST_OK, "now it can");
	expect(host, with_id(NPU_ADMIN_CONTEXT_CLEAR, CONTEXT), NPU_ST_OK, "its context is free");
	ok(fw_said(host, "core 0 reset for queue 5"), "the log tells it");
	fw_host_free(host);
}

static void test_many_queues(void)
{
	struct fw_host *host = fw_host_identified(true);
	unsigned int created = 0, destroyed = 0;

	run(host, context_set(CONTEXT));
	run(host, cq_create(CQ));
	for (uint32_t id = 0; id < 64; id++)
		created += run(host, queue_create(id)) == NPU_ST_OK;
	for (uint32_t id = 0; id < 64; id++)
		destroyed += run(host, with_id(NPU_ADMIN_QUEUE_DESTROY, id)) == NPU_ST_OK;
	ok(created == 64 && destroyed == 64, "all queues of the device");
	expect(host, with_id(NPU_ADMIN_CONTEXT_CLEAR, CONTEXT), NPU_ST_OK, "all let go");
	fw_host_free(host);
}

int main(void)
{
	test_identify();
	test_life_cycle();
	test_query();
	test_fault_report();
	test_reserved();
	test_bad_opcodes();
	test_bad_context();
	test_bad_cq();
	test_bad_queue();
	test_ring_wrap();
	test_ring_full();
	test_bad_tail();
	test_bus_errors();
	test_stuck_queue();
	test_recovery();
	test_many_queues();
	return tap_done();
}
