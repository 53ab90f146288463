// SPDX-License-Identifier: MIT
/*
 * Error codes, their text, and the detail of the last failure of an object.
 */
#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct error_text {
	const char *name;
	const char *text;
};

#define ERROR_TEXT(code, text) [-NPURT_##code] = { "NPURT_" #code, text }

static const struct error_text error_texts[] = {
	ERROR_TEXT(SUCCESS, "success"),
	ERROR_TEXT(ERROR_INVALID, "invalid argument"),
	ERROR_TEXT(ERROR_RANGE, "outside of the memory object"),
	ERROR_TEXT(ERROR_NO_DEVICE, "no such device"),
	ERROR_TEXT(ERROR_ACCESS, "permission denied"),
	ERROR_TEXT(ERROR_HOST_MEMORY, "out of system memory"),
	ERROR_TEXT(ERROR_DEVICE_MEMORY, "out of device memory"),
	ERROR_TEXT(ERROR_RESOURCE, "the system has none left"),
	ERROR_TEXT(ERROR_NOT_FOUND, "not found"),
	ERROR_TEXT(ERROR_NOT_READY, "not done yet"),
	ERROR_TEXT(ERROR_TIMED_OUT, "the time-out passed"),
	ERROR_TEXT(ERROR_BUSY, "still in use by other objects"),
	ERROR_TEXT(ERROR_MODULE, "not a module that can be loaded"),
	ERROR_TEXT(ERROR_UNSUPPORTED, "not supported"),
	ERROR_TEXT(ERROR_FORKED, "the handle belongs to the parent process"),
	ERROR_TEXT(ERROR_STREAM_FAULT, "a command of the stream failed"),
	ERROR_TEXT(ERROR_STREAM_TIMEOUT, "a command of the stream took too long"),
	ERROR_TEXT(ERROR_STREAM_LOST, "the stream was stopped"),
	ERROR_TEXT(ERROR_DEVICE_LOST, "the device is lost"),
	ERROR_TEXT(ERROR_SYSTEM, "operating system error"),
	ERROR_TEXT(ERROR_CANCELED, "stopped by the caller"),
	ERROR_TEXT(ERROR_CONTEXT_LOST, "the context is lost"),
	ERROR_TEXT(ERROR_CAPTURE, "not possible in a capture"),
	ERROR_TEXT(ERROR_LIMIT, "a limit is reached"),
	ERROR_TEXT(ERROR_COLLECTIVE, "a peer of the collective failed"),
	ERROR_TEXT(ERROR_VALIDATE, "misuse that the validation found"),
};

static const char *const status_texts[NPU_ST_COUNT] = {
	[NPU_ST_OK] = "done",
	[NPU_ST_ABORTED] = "aborted",
	[NPU_ST_TIMEOUT] = "time-out",
	[NPU_ST_SQE_INVALID] = "invalid queue entry",
	[NPU_ST_CMD_INVALID] = "invalid command",
	[NPU_ST_ENGINE] = "command not allowed on this class of queue",
	[NPU_ST_MMU_READ] = "read of an address that is not mapped for it",
	[NPU_ST_MMU_WRITE] = "write to an address that is not mapped for it",
	[NPU_ST_MMU_EXEC] = "instruction fetch from an address that is not mapped for it",
	[NPU_ST_MMU_TABLE] = "malformed page table",
	[NPU_ST_BUS] = "PCI transaction to host memory failed",
	[NPU_ST_HBM_ECC] = "uncorrectable HBM error",
	[NPU_ST_ILLEGAL_INSN] = "illegal instruction",
	[NPU_ST_MISALIGNED] = "misaligned atomic or jump",
	[NPU_ST_LOCAL_RANGE] = "outside of a local buffer",
	[NPU_ST_TILE_ALIGN] = "misaligned tile",
	[NPU_ST_TILE_SHAPE] = "tile shape, type or option not supported",
	[NPU_ST_FLAG_DEADLOCK] = "wait for a flag that nothing sets",
	[NPU_ST_KERNEL_TRAP] = "the kernel raised an error",
	[NPU_ST_CORE_LOST] = "an AI core stopped answering",
	[NPU_ST_STRICT_FLAG] = "two pipes meet without a flag",
	[NPU_ST_STRICT_OVERLAP] = "two blocks meet in memory",
	[NPU_ST_STRICT_UNINIT] = "read of what was not written",
};

static const struct error_text *find_text(int error)
{
	if (error > 0 || error < NPURT_ERROR_LAST)
		return NULL;
	return &error_texts[-error];
}

const char *npurt_strerror(int error)
{
	const struct error_text *text = find_text(error);

	return text ? text->text : "unknown error code";
}

const char *npurt_error_name(int error)
{
	const struct error_text *text = find_text(error);

	return text ? text->name : "NPURT_ERROR_?";
}

const char *rt_status_text(uint32_t status)
{
	if (status >= NPU_ST_COUNT || !status_texts[status])
		return "unknown status";
	return status_texts[status];
}

static int error_of_errno(int err)
{
	switch (-err) {
	case 0:
		return NPURT_SUCCESS;
	case EBADF:
	case EINVAL:
		return NPURT_ERROR_INVALID;
	case ENOSPC:
		return NPURT_ERROR_DEVICE_MEMORY;
	case EACCES:
	case EPERM:
		return NPURT_ERROR_ACCESS;
	case ENOENT:
		return NPURT_ERROR_NOT_FOUND;
	case EBUSY:
		return NPURT_ERROR_BUSY;
	case ENODEV:
	case EIO:
		return NPURT_ERROR_DEVICE_LOST;
	case ETIME:
	case ETIMEDOUT:
		return NPURT_ERROR_TIMED_OUT;
	case EOPNOTSUPP:
	case ENOTTY:
		return NPURT_ERROR_UNSUPPORTED;
	case EAGAIN:
		return NPURT_ERROR_RESOURCE;
	default:
		return NPURT_ERROR_SYSTEM;
	}
}

void rt_diag_init(struct rt_diag *diag, npurt_device *device)
{
	diag->device = device;
	diag->text[0] = '\0';
	pthread_mutex_init(&diag->lock, NULL);
}

void rt_diag_fini(struct rt_diag *diag)
{
	pthread_mutex_destroy(&diag->lock);
}

void rt_diag_keep(struct rt_diag *diag, const char *text)
{
	pthread_mutex_lock(&diag->lock);
	snprintf(diag->text, sizeof(diag->text), "%s", text);
	pthread_mutex_unlock(&diag->lock);
}

int rt_fail(struct rt_diag *diag, int error, const char *format, ...)
{
	char text[sizeof(diag->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	rt_diag_keep(diag, text);
	rt_log(diag->device, NPURT_LOG_ERROR, "%s: %s", npurt_error_name(error), text);
	return error;
}

int rt_fail_errno(struct rt_diag *diag, int err, const char *format, ...)
{
	char text[sizeof(diag->text) - 256], why[192];
	va_list args;
	int error;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(why, sizeof(why), "%s", strerror(-err));
	error = rt_errno_limit(err, why, sizeof(why));
	return rt_fail(diag, error ? error : error_of_errno(err), "%s: %s", text, why);
}

int rt_diag_copy(struct rt_diag *diag, char *text, size_t size)
{
	if (!text || !size)
		return NPURT_ERROR_INVALID;
	if (rt_forked(diag->device))
		return NPURT_ERROR_FORKED;
	pthread_mutex_lock(&diag->lock);
	snprintf(text, size, "%s", diag->text);
	pthread_mutex_unlock(&diag->lock);
	return 0;
}
