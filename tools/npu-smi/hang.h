/* SPDX-License-Identifier: MIT */
/* npu-smi hang: what the queues of all processes are at, from the driver's debugfs. */
#ifndef NPU_SMI_HANG_H
#define NPU_SMI_HANG_H

#include <jansson.h>

#include "device.h"

/**
 * struct npu_queue - a queue of the device
 * @number: its number on the device
 * @context: number of its address space
 * @activity: one word
 * @submitted: jobs that were submitted
 * @completed: jobs that have ended
 * @commands: commands that have ended
 * @still_ms: time since it was last seen to get on
 * @waits_for: number of the queue whose fence it waits for; -1: none
 * @command: device address of the command that it is at; 0: none
 * @cores: AI cores that run its kernel
 * @pc: where the lowest of them is
 * @pid: process that created it
 * @process: name of that process
 */
struct npu_queue {
	unsigned int number;
	unsigned int context;
	char activity[16];
	unsigned long long submitted, completed, commands, still_ms;
	int waits_for;
	unsigned long long command, cores, pc;
	int pid;
	char process[32];
};

/**
 * hang_list() - what the queues of a device are at
 * @dev: device
 * @queues: set to an array to be freed by the caller
 *
 * Return: number of queues, or a negative errno.
 */
int hang_list(const struct npu_device *dev, struct npu_queue **queues);

/** hang_text() - a table of those that are not idle */
void hang_text(const struct npu_device *dev, const struct npu_queue *queues, int count);
/** hang_json() - all of them as an object; NULL without memory */
json_t *hang_json(const struct npu_device *dev, const struct npu_queue *queues, int count);

#endif
