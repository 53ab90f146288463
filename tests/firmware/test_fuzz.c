// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Garbage in the admin rings. The firmware must outlive all of it: afterwards it still beats,
 * and still answers a good command. The numbers are the same each time; an argument is the
 * number of rounds.
 */
#include <stdlib.h>
#include <string.h>

#include "fw_host.h"
#include "tap.h"

#define ROUNDS 20000

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint32_t random_below(uint32_t n)
{
	return random64() % n;
}

/* Mostly near something that means something, or nobody would get past the first check. */
static uint64_t random_word(void)
{
	switch (random_below(6)) {
	case 0:
		return random64();
	case 1:
		return 1ULL << random_below(64);
	case 2:
		return (uint64_t)random_below(256) << 12;
	case 3:
		return random_below(8);
	default:
		return 0;
	}
}

static void random_command(struct npu_admin_cmd *cmd)
{
	uint32_t reserved = random_below(4);

	memset(cmd, 0, sizeof(*cmd));
	cmd->opcode = random_below(NPU_ADMIN_TELEMETRY + 2);
	cmd->flags = random_below(16) ? 0 : random64();
	cmd->cid = random64();
	cmd->id = random_below(8) ? random_below(4) : random64();
	for (int i = 0; i < (reserved ? 10 : 14); i += 2) {
		uint64_t word = random_word();

		memcpy(&cmd->raw[i], &word, sizeof(word));
	}
	if (cmd->opcode == NPU_ADMIN_QUEUE_CREATE && reserved) {
		cmd->queue.entries = 1u << random_below(13);
		cmd->queue.core_mask = random_below(20);
		cmd->queue.context = random_below(4);
		cmd->queue.cq = random_below(4);
		cmd->queue.priority = random_below(5);
		cmd->queue.engine = random_below(3);
		cmd->queue.rsvd0 = 0;
	} else if (cmd->opcode >= NPU_ADMIN_QUEUE_DESTROY && reserved) {
		memset(cmd->raw, 0, sizeof(cmd->raw));
	}
}

static void random_ring(struct fw_host *host)
{
	static const uint16_t registers[] = {
		NPU_REG_ASQ_BASE_LO, NPU_REG_ASQ_BASE_HI, NPU_REG_ACQ_BASE_LO,
		NPU_REG_ACQ_BASE_HI, NPU_REG_ADMIN_ENTRIES, NPU_REG_ACQ_HEAD,
	};

	fw_write(host, registers[random_below(6)], random_word());
}

static void fuzz_round(struct fw_host *host)
{
	struct npu_admin_cqe cqe;
	struct npu_admin_cmd cmd;

	switch (random_below(40)) {
	case 0:
		random_ring(host);
		break;
	case 1:
		fw_write(host, NPU_REG_ASQ_TAIL, random_word());
		break;
	case 2:
		fw_write(host, NPU_DB_SQ_TAIL(random_below(4)), random_word());
		break;
	case 3:
		fw_advance(host, random_below(300) * MS);
		break;
	case 4:
		fw_write(host, NPU_REG_ASQ_BASE_LO, FW_ASQ);
		fw_write(host, NPU_REG_ASQ_BASE_HI, 0);
		fw_write(host, NPU_REG_ACQ_BASE_LO, FW_ACQ);
		fw_write(host, NPU_REG_ACQ_BASE_HI, 0);
		fw_write(host, NPU_REG_ADMIN_ENTRIES, FW_ADMIN_ENTRIES);
		break;
	default:
		random_command(&cmd);
		fw_admin_push(host, &cmd);
		fw_write(host, NPU_REG_ASQ_TAIL, host->sq_tail);
		while (fw_admin_pop(host, &cqe))
			;
		break;
	}
}

/* After a reset of the device nothing of what was fuzzed is left. */
static bool answers(struct fw_host *host)
{
	struct fw_image image = fw_image_load();
	bool good;

	host->console_len = 0;
	npu_core_reset(host->core);
	good = fw_boot(host, &image) == NPU_POST_FW_READY;
	fw_admin_setup(host);
	good = good && fw_admin(host, (struct npu_admin_cmd){
		.opcode = NPU_ADMIN_IDENTIFY,
		.identify.abi_major = NPU_FW_ABI_VERSION_MAJOR }).status == NPU_ST_OK;
	fw_image_free(&image);
	return good;
}

static bool alive(struct fw_host *host)
{
	return !(fw_read(host, NPU_REG_DEV_STATUS) & NPU_DEV_STATUS_FW_DEAD);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
	struct fw_host *host = fw_host_identified(true);
	uint32_t beat;
	int round;

	for (round = 0; round < rounds && alive(host); round++) {
		/* A ring that has run astray takes nothing in: begin anew from time to time. */
		if (round % 100 == 99 && !answers(host))
			break;
		fuzz_round(host);
	}
	if (!ok(round == rounds, "alive after %d rounds", round))
		printf("%s", host->console);
	beat = fw_read(host, NPU_REG_FW_HEARTBEAT);
	fw_advance(host, 3000 * MS);
	ok(fw_read(host, NPU_REG_FW_HEARTBEAT) >= beat + 20, "the heart beats");
	ok(answers(host), "and it answers a good command");
	fw_host_free(host);
	return tap_done();
}
