// SPDX-License-Identifier: MIT
/*
 * Memory and an event in a container: a process with namespaces of its own gets them as file
 * descriptors over a socket, and by nothing else.
 */
#define _GNU_SOURCE
#include "rt_test.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../libnpurt/examples/socket.h"

#define BYTES 65536
#define MARK 0x2a

/* Waits on the device for the event, then adds to what is in the memory before it. */
static int work_inside(int socket)
{
	struct fixture f = fixture_open();
	npurt_memory *m;
	npurt_event *event;
	int fds[2];

	for (unsigned int i = 0; i < COUNT(fds); i++)
		fds[i] = receive_fd(socket);
	NEED(npurt_memory_import_fd(f.context, fds[0], NULL, &m));
	NEED(npurt_event_import_fd(f.context, fds[1], NULL, &event));
	NEED(npurt_event_wait_recorded(event, 1, 20 * S));
	NEED(npurt_stream_wait_event(f.stream, event));
	NEED(npurt_reduce_async(f.stream, m, 0, m, BYTES / 2, BYTES / 2, NPURT_U8,
				NPURT_REDUCE_ADD));
	NEED(npurt_stream_flush(f.stream));
	need(write(socket, "", 1) == 1 ? 0 : NPURT_ERROR_SYSTEM, "tell that it waits");
	NEED(npurt_stream_synchronize(f.stream));
	NEED(npurt_event_destroy(event));
	NEED(npurt_memory_destroy(m));
	fixture_free(&f);
	return 0;
}

/* Its first process is number 1 there, without network, hosts or mounts of others. */
static int run_container(int socket)
{
	const int own = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	int status;
	pid_t first;

	if (unshare(own))
		return 77;
	first = fork();
	if (!first)
		_exit(getpid() == 1 ? work_inside(socket) : 1);
	return first < 0 || waitpid(first, &status, 0) != first || status ? 1 : 0;
}

static void test_container(struct fixture *f, int socket)
{
	const npurt_memory_attr attr = { .size = sizeof(attr), .flags = NPURT_MEMORY_EXPORTABLE };
	npurt_memory *gate = memory(f->context, NPURT_PLACE_HOST, 4096, "gate"), *m;
	uint8_t *bytes = calloc(1, BYTES);
	npurt_event *event;
	bool all = true;
	int fds[2];
	char byte;

	NEED(npurt_memory_create(f->context, BYTES, &attr, &m));
	NEED(npurt_event_create(f->context, NULL, &event));
	NEED(npurt_memory_export_fd(m, &fds[0]));
	NEED(npurt_event_export_fd(event, &fds[1]));
	for (unsigned int i = 0; i < COUNT(fds); i++) {
		send_fd(socket, fds[i]);
		close(fds[i]);
	}
	NEED(npurt_wait_value_async(f->stream, gate, 0, 1, NPURT_CONDITION_EQ, 60000));
	NEED(npurt_fill_async(f->stream, m, 0, MARK, 1, BYTES));
	NEED(npurt_event_record(event, f->stream));
	ok(read(socket, &byte, 1) == 1, "the container's stream waits for the event");
	*(_Atomic uint64_t *)mapped(gate) = 1;
	/* It says no more when it has ended. */
	ok(read(socket, &byte, 1) == 0, "and it ends");
	NEED(npurt_download(f->stream, bytes, m, 0, BYTES));
	for (unsigned int i = 0; i < BYTES; i++)
		all &= bytes[i] == (i < BYTES / 2 ? 2 * MARK : MARK);
	ok(all, "memory is that of both, and the container's work came after the event");
	free(bytes);
	NEED(npurt_event_destroy(event));
	NEED(npurt_memory_destroy(m));
	NEED(npurt_memory_destroy(gate));
}

int main(void)
{
	struct fixture f;
	int sockets[2], status = 0;
	pid_t container;

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) ? NPURT_ERROR_SYSTEM : 0, "sockets");
	container = fork();
	if (!container) {
		close(sockets[0]);
		_exit(run_container(sockets[1]));
	}
	close(sockets[1]);
	f = fixture_open();
	test_container(&f, sockets[0]);
	waitpid(container, &status, 0);
	ok(status == 0, "the container found no fault");
	close(sockets[0]);
	fixture_close(&f);
	return rt_done();
}
