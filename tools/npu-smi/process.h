/* SPDX-License-Identifier: MIT */
/* Processes that have an NPU open, from their fdinfo. */
#ifndef NPU_SMI_PROCESS_H
#define NPU_SMI_PROCESS_H

#include <sys/types.h>

/**
 * struct npu_process - use of one device by one process
 * @pid: process id
 * @bus_id: PCI address of the device
 * @name: command name
 * @hbm_bytes: device memory of its buffers
 * @system_bytes: system memory of its buffers
 * @aicore_ns: AI core time it has used
 * @sdma_ns: SDMA time it has used
 */
struct npu_process {
	pid_t pid;
	char bus_id[16];
	char name[32];
	unsigned long long hbm_bytes;
	unsigned long long system_bytes;
	unsigned long long aicore_ns;
	unsigned long long sdma_ns;
};

/**
 * process_list() - find the processes that have an NPU open
 * @processes: set to an array to be freed by the caller, in order of pid
 *
 * Only processes whose fdinfo the caller may read are found: its own, or all
 * for root.
 *
 * Return: number of entries, or a negative errno.
 */
int process_list(struct npu_process **processes);

#endif
