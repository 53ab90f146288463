// SPDX-License-Identifier: MIT
/*
 * Admin commands: what each must look like, and what it does.
 */
#include "admin.h"
#include "admin_ring.h"
#include "context.h"
#include "cq.h"
#include "heartbeat.h"
#include "log.h"
#include "queue.h"
#include "telemetry.h"
#include "timer.h"

/* Set once driver and firmware have agreed on an ABI; before that nothing else is obeyed. */
static bool identified;
static uint16_t minor_in_force;

static const char version[sizeof(((struct npu_admin_identity *)0)->version)] = NPU_FW_VERSION;

static bool all_zero(const npu_le32 *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words[i])
			return false;
	return true;
}

#define IS_ZERO(array) all_zero(array, sizeof(array) / sizeof((array)[0]))

static bool identify_valid(const struct npu_admin_cmd *cmd)
{
	return cmd->id == 0 && IS_ZERO(cmd->identify.rsvd);
}

static bool context_valid(const struct npu_admin_cmd *cmd)
{
	return IS_ZERO(cmd->context.rsvd);
}

static bool cq_valid(const struct npu_admin_cmd *cmd)
{
	return IS_ZERO(cmd->cq.rsvd);
}

static bool queue_valid(const struct npu_admin_cmd *cmd)
{
	return cmd->queue.rsvd0 == 0 && IS_ZERO(cmd->queue.rsvd);
}

static bool core_valid(const struct npu_admin_cmd *cmd)
{
	return IS_ZERO(cmd->core.rsvd);
}

static bool id_only_valid(const struct npu_admin_cmd *cmd)
{
	return IS_ZERO(cmd->raw);
}

static bool nothing_valid(const struct npu_admin_cmd *cmd)
{
	return cmd->id == 0 && IS_ZERO(cmd->raw);
}

/* A driver of another major version gets the firmware's own, to say what it found. */
static enum npu_status do_identify(const struct npu_admin_cmd *cmd, struct npu_admin_cqe *cqe)
{
	const struct npu_admin_identify *driver = &cmd->identify;
	struct npu_admin_identity *answer = &cqe->identity;

	answer->abi_major = NPU_FW_ABI_VERSION_MAJOR;
	answer->abi_minor = NPU_FW_ABI_VERSION_MINOR;
	__builtin_memcpy(answer->version, version, sizeof(version));
	if (driver->abi_major != NPU_FW_ABI_VERSION_MAJOR) {
		log_err("admin", "driver ABI %u.%u refused, mine is %u.%u", driver->abi_major,
			driver->abi_minor, NPU_FW_ABI_VERSION_MAJOR, NPU_FW_ABI_VERSION_MINOR);
		return NPU_ST_ADMIN_INVALID;
	}

	if (driver->abi_minor < answer->abi_minor)
		answer->abi_minor = driver->abi_minor;
	answer->telemetry_ms = TELEMETRY_MS;
	answer->heartbeat_ms = HEARTBEAT_MS;
	if (answer->abi_minor >= 1)
		answer->flags = NPU_IDENTITY_HBM_KEPT;
	minor_in_force = answer->abi_minor;
	identified = true;
	log_info("admin", "driver identified, ABI %u.%u in force", answer->abi_major,
		 answer->abi_minor);
	return NPU_ST_OK;
}

static enum npu_status do_context_set(const struct npu_admin_cmd *cmd, struct npu_admin_cqe *cqe)
{
	return context_set(cmd->id, &cmd->context);
}

static enum npu_status do_context_clear(const struct npu_admin_cmd *cmd,
					struct npu_admin_cqe *cqe)
{
	return context_clear(cmd->id);
}

static enum npu_status do_cq_create(const struct npu_admin_cmd *cmd, struct npu_admin_cqe *cqe)
{
	return cq_create(cmd->id, &cmd->cq);
}

static enum npu_status do_cq_destroy(const struct npu_admin_cmd *cmd, struct npu_admin_cqe *cqe)
{
	return cq_destroy(cmd->id);
}

static enum npu_status do_queue_create(const struct npu_admin_cmd *cmd,
				       struct npu_admin_cqe *cqe)
{
	return queue_create(cmd->id, &cmd->queue);
}

static enum npu_status do_queue_destroy(const struct npu_admin_cmd *cmd,
					struct npu_admin_cqe *cqe)
{
	return queue_destroy(cmd->id);
}

static enum npu_status do_queue_suspend(const struct npu_admin_cmd *cmd,
					struct npu_admin_cqe *cqe)
{
	return queue_suspend(cmd->id);
}

static enum npu_status do_queue_resume(const struct npu_admin_cmd *cmd,
				       struct npu_admin_cqe *cqe)
{
	return queue_resume(cmd->id);
}

static enum npu_status do_queue_query(const struct npu_admin_cmd *cmd, struct npu_admin_cqe *cqe)
{
	enum npu_status status = queue_query(cmd->id, &cqe->queue);

	if (minor_in_force < 1 && cqe->queue.state == NPU_QUEUE_READY)
		cqe->queue.state = NPU_QUEUE_RUNNING;
	return status;
}

static enum npu_status do_queue_stop(const struct npu_admin_cmd *cmd, struct npu_admin_cqe *cqe)
{
	return queue_stop(cmd->id);
}

static enum npu_status do_core_reset(const struct npu_admin_cmd *cmd, struct npu_admin_cqe *cqe)
{
	return queue_core_reset(cmd->id, cmd->core.queue);
}

static enum npu_status do_telemetry(const struct npu_admin_cmd *cmd, struct npu_admin_cqe *cqe)
{
	telemetry_sample();
	return NPU_ST_OK;
}

static const struct admin_command {
	const char *name;
	bool (*valid)(const struct npu_admin_cmd *cmd);
	enum npu_status (*run)(const struct npu_admin_cmd *cmd, struct npu_admin_cqe *cqe);
} commands[] = {
	[NPU_ADMIN_IDENTIFY] = { "identify", identify_valid, do_identify },
	[NPU_ADMIN_CONTEXT_SET] = { "context-set", context_valid, do_context_set },
	[NPU_ADMIN_CONTEXT_CLEAR] = { "context-clear", id_only_valid, do_context_clear },
	[NPU_ADMIN_CQ_CREATE] = { "cq-create", cq_valid, do_cq_create },
	[NPU_ADMIN_CQ_DESTROY] = { "cq-destroy", id_only_valid, do_cq_destroy },
	[NPU_ADMIN_QUEUE_CREATE] = { "queue-create", queue_valid, do_queue_create },
	[NPU_ADMIN_QUEUE_DESTROY] = { "queue-destroy", id_only_valid, do_queue_destroy },
	[NPU_ADMIN_QUEUE_SUSPEND] = { "queue-suspend", id_only_valid, do_queue_suspend },
	[NPU_ADMIN_QUEUE_RESUME] = { "queue-resume", id_only_valid, do_queue_resume },
	[NPU_ADMIN_QUEUE_QUERY] = { "queue-query", id_only_valid, do_queue_query },
	[NPU_ADMIN_TELEMETRY] = { "telemetry", nothing_valid, do_telemetry },
	[NPU_ADMIN_QUEUE_STOP] = { "queue-stop", id_only_valid, do_queue_stop },
	[NPU_ADMIN_CORE_RESET] = { "core-reset", core_valid, do_core_reset },
};

static const struct admin_command *command_find(uint8_t opcode)
{
	if (opcode >= sizeof(commands) / sizeof(commands[0]) || !commands[opcode].run)
		return NULL;
	return &commands[opcode];
}

static enum npu_status admin_run(const struct npu_admin_cmd *cmd, struct npu_admin_cqe *cqe)
{
	const struct admin_command *command = command_find(cmd->opcode);
	enum npu_status status;

	if (!command) {
		log_warn("admin", "no command %u", cmd->opcode);
		return NPU_ST_ADMIN_INVALID;
	}
	if (cmd->opcode != NPU_ADMIN_IDENTIFY && !identified) {
		log_warn("admin", "%s before identify", command->name);
		return NPU_ST_ADMIN_INVALID;
	}
	if (cmd->flags || !command->valid(cmd)) {
		log_warn("admin", "%s: a reserved field is not zero", command->name);
		return NPU_ST_ADMIN_INVALID;
	}

	status = command->run(cmd, cqe);
	if (status != NPU_ST_OK)
		log_warn("admin", "%s of %u failed: status %u", command->name, cmd->id, status);
	return status;
}

void admin_poll(void)
{
	struct npu_admin_cmd cmd;
	enum npu_status status;

	while (admin_ring_fetch(&cmd, &status)) {
		struct npu_admin_cqe cqe = { .cid = cmd.cid };

		cqe.status = status == NPU_ST_OK ? admin_run(&cmd, &cqe) : status;
		admin_ring_complete(&cqe);
		/* A full ring must not keep the heartbeat waiting. */
		timer_poll();
	}
}
