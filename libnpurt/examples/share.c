// SPDX-License-Identifier: MIT
/*
 * Memory of an NPU in two processes: one creates it and sends it over a socket as a file
 * descriptor, the other one opens the device itself, fills the memory and says so.
 *
 *	example-share [BYTES]
 */
#include <sys/wait.h>

#include "example.h"
#include "socket.h"

/* What both processes have, each its own: handles of the library do not cross a fork. */
static void open_device(npurt_device **device, npurt_context **context, npurt_stream **stream)
{
	CHECK_DEVICE(npurt_device_open(0, NULL, device));
	CHECK_DEVICE(npurt_context_create(*device, NULL, context));
	CHECK(*context, npurt_stream_create(*context, NULL, stream));
}

static void close_device(npurt_device *device, npurt_context *context, npurt_stream *stream)
{
	npurt_stream_destroy(stream);
	npurt_context_destroy(context);
	npurt_device_close(device);
}

static int fill(int socket)
{
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npurt_memory *memory;
	int fd = receive_fd(socket);
	char byte = 0;

	open_device(&device, &context, &stream);
	CHECK(context, npurt_memory_import_fd(context, fd, NULL, &memory));
	close(fd);
	CHECK_STREAM(stream, npurt_fill_async(stream, memory, 0, 0x2a, 1,
					      npurt_memory_size(memory)));
	/* The other process must not look before the fill has ended. */
	CHECK_STREAM(stream, npurt_stream_synchronize(stream));
	if (write(socket, &byte, 1) != 1)
		return 1;
	npurt_memory_destroy(memory);
	close_device(device, context, stream);
	return 0;
}

int main(int argc, char **argv)
{
	const size_t bytes = argc > 1 ? strtoull(argv[1], NULL, 0) : 1 << 20;
	npurt_memory_attr attr = {
		.size = sizeof(attr),
		.flags = NPURT_MEMORY_EXPORTABLE,
		.label = "shared",
	};
	unsigned char *host = malloc(bytes);
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npurt_memory *memory;
	int sockets[2], fd, status;
	char byte;
	pid_t other;

	if (!bytes || !host || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		return 1;
	other = fork();
	if (!other) {
		close(sockets[0]);
		return fill(sockets[1]);
	}
	close(sockets[1]);

	open_device(&device, &context, &stream);
	CHECK(context, npurt_memory_create(context, bytes, &attr, &memory));
	CHECK(context, npurt_memory_export_fd(memory, &fd));
	send_fd(sockets[0], fd);
	close(fd);
	if (read(sockets[0], &byte, 1) != 1) {
		fprintf(stderr, "the other process failed\n");
		return 1;
	}
	CHECK_STREAM(stream, npurt_download(stream, host, memory, 0, bytes));
	for (size_t i = 0; i < bytes; i++) {
		if (host[i] != 0x2a) {
			fprintf(stderr, "byte %zu is %d\n", i, host[i]);
			return 1;
		}
	}
	printf("process %d filled all %zu bytes\n", (int)other, bytes);

	npurt_memory_destroy(memory);
	close_device(device, context, stream);
	waitpid(other, &status, 0);
	close(sockets[0]);
	free(host);
	return status != 0;
}
