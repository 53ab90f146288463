/* SPDX-License-Identifier: MIT */
/*
 * The link between npu-vm and the guest's init: one virtio port that carries frames both ways. A
 * frame is its type, the length of its payload in three bytes, little endian, and the payload.
 * npu-vm reads the types from this file, so they are said once.
 */
#ifndef NPU_VM_LINK_H
#define NPU_VM_LINK_H

#define LINK_PORT "npu-vm"
#define LINK_CONTROL_PORT "npu-vm.control" /* lines; control.py has what they say */
#define LINK_MAX_PAYLOAD 32768

/* To the guest. */
#define LINK_STDIN 'i' /* bytes; none: end of file */
#define LINK_SIGNAL 'g' /* a byte: send this signal to the command */
#define LINK_WINSIZE 'w' /* rows and columns, two bytes each, little endian */

/* To the host. */
#define LINK_READY 'r' /* the command is about to start */
#define LINK_STDOUT 'o'
#define LINK_STDERR 'e'
#define LINK_MESSAGE 'm' /* a line that init itself has to say */
#define LINK_KMSG 'k' /* the kernel log, after the command */
#define LINK_FAILED 'f' /* init could not get as far as the command: why */
#define LINK_STATUS 's' /* a byte: the command's exit status; the last frame */

/* After LINK_FAILED or LINK_STATUS the host hangs up, and the guest powers off. */

#endif /* NPU_VM_LINK_H */
