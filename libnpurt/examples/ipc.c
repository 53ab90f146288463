// SPDX-License-Identifier: MIT
/*
 * Two processes, one pipeline: the producer computes frame after frame into memory that both
 * have, the consumer adds each to its sum, in place. Memory and events cross the socket once,
 * as file descriptors. From then on the NPU keeps the order: the consumer's stream waits for
 * the producer's event "full", the producer's for the consumer's event "free". No process
 * waits for work to end, only to learn that the other one has asked for it.
 *
 *	example-ipc [FRAMES]
 */
#include <sys/wait.h>

#include <npu_kernels.h>

#include "example.h"
#include "socket.h"

#define COUNT 65536
#define PATIENCE (60 * 1000000000ULL) /* with a process that may have died */
#define BYTES (COUNT * sizeof(float))

/* What each process has; handles of the library do not cross a fork. */
struct side {
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npurt_module *module;
	npurt_kernel *add;
	npurt_memory *frame; /* of both */
	npurt_memory *own;
	npurt_event *done; /* what this process tells the other one */
	npurt_event *other; /* what that one tells */
	uint32_t blocks;
};

static void open_side(struct side *s)
{
	npurt_device_properties properties = { .size = sizeof(properties) };
	char path[1200];

	CHECK_DEVICE(npurt_device_open(0, NULL, &s->device));
	CHECK_DEVICE(npurt_device_get_properties(s->device, &properties));
	CHECK_DEVICE(npurt_context_create(s->device, NULL, &s->context));
	CHECK(s->context, npurt_stream_create(s->context, NULL, &s->stream));
	kernel_path("vector_add.elf", path, sizeof(path));
	CHECK(s->context, npurt_module_load_file(s->context, path, &s->module));
	CHECK(s->context, npurt_module_get_kernel(s->module, "vector_add", &s->add));
	CHECK(s->context, npurt_memory_create(s->context, BYTES, NULL, &s->own));
	CHECK(s->context, npurt_event_create(s->context, NULL, &s->done));
	s->blocks = npu_count_blocks(COUNT, properties.cores);
}

static void close_side(struct side *s)
{
	npurt_event_destroy(s->other);
	npurt_event_destroy(s->done);
	npurt_memory_destroy(s->own);
	npurt_memory_destroy(s->frame);
	npurt_module_unload(s->module);
	npurt_stream_destroy(s->stream);
	npurt_context_destroy(s->context);
	npurt_device_close(s->device);
}

static void swap_events(struct side *s, int socket)
{
	int fd;

	CHECK(s->context, npurt_event_export_fd(s->done, &fd));
	send_fd(socket, fd);
	close(fd);
	fd = receive_fd(socket);
	CHECK(s->context, npurt_event_import_fd(s->context, fd, NULL, &s->other));
	close(fd);
}

/* What comes next on the stream starts after what the other process records as @number. */
static void wait_for_other(struct side *s, uint64_t number)
{
	CHECK(s->context, npurt_event_wait_recorded(s->other, number, PATIENCE));
	CHECK_STREAM(s->stream, npurt_stream_wait_event_point(s->stream, s->other, number));
}

static void add(struct side *s, npurt_memory *x, npurt_memory *y, npurt_memory *out)
{
	const struct npu_vector_add_args args = {
		.x = npurt_memory_address(x),
		.y = npurt_memory_address(y),
		.out = npurt_memory_address(out),
		.count = COUNT,
	};

	CHECK_STREAM(s->stream,
		     npurt_launch(s->stream, s->add, s->blocks, &args, sizeof(args), NULL));
}

/* The frame is twice its number, in each element. */
static int produce(int socket, unsigned int frames)
{
	const npurt_memory_attr attr = {
		.size = sizeof(attr),
		.flags = NPURT_MEMORY_EXPORTABLE,
		.label = "frame",
	};
	struct side s;
	int fd;

	open_side(&s);
	CHECK(s.context, npurt_memory_create(s.context, BYTES, &attr, &s.frame));
	CHECK(s.context, npurt_memory_export_fd(s.frame, &fd));
	send_fd(socket, fd);
	close(fd);
	swap_events(&s, socket);

	for (unsigned int n = 1; n <= frames; n++) {
		const float value = (float)n;
		uint32_t bits;

		memcpy(&bits, &value, sizeof(bits));
		CHECK_STREAM(s.stream, npurt_fill_async(s.stream, s.own, 0, bits, 4, BYTES));
		if (n > 1)
			wait_for_other(&s, n - 1); /* the frame is free */
		add(&s, s.own, s.own, s.frame);
		CHECK_STREAM(s.stream, npurt_event_record(s.done, s.stream)); /* is full */
	}
	CHECK_STREAM(s.stream, npurt_stream_synchronize(s.stream));
	close_side(&s);
	return 0;
}

static int consume(int socket, unsigned int frames)
{
	static float sum[COUNT];
	const float want = (float)frames * (float)(frames + 1);
	struct side s;
	int fd;

	open_side(&s);
	fd = receive_fd(socket);
	CHECK(s.context, npurt_memory_import_fd(s.context, fd, NULL, &s.frame));
	close(fd);
	swap_events(&s, socket);

	for (unsigned int n = 1; n <= frames; n++) {
		wait_for_other(&s, n); /* the frame is full */
		add(&s, s.own, s.frame, s.own);
		CHECK_STREAM(s.stream, npurt_event_record(s.done, s.stream)); /* is free */
	}
	CHECK_STREAM(s.stream, npurt_download(s.stream, sum, s.own, 0, BYTES));
	for (size_t i = 0; i < COUNT; i++) {
		if (sum[i] != want) {
			fprintf(stderr, "element %zu is %g, not %g\n", i, sum[i], want);
			return 1;
		}
	}
	printf("%u frames of %zu bytes, none was copied: each element adds up to %g\n", frames,
	       BYTES, want);
	close_side(&s);
	return 0;
}

int main(int argc, char **argv)
{
	const unsigned int frames = argc > 1 ? (unsigned int)atoi(argv[1]) : 50;
	int sockets[2], status, failed;
	pid_t producer;

	/* Sums of up to 1000 frames are exact. */
	if (!frames || frames > 1000 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		return 1;
	producer = fork();
	if (!producer) {
		close(sockets[0]);
		return produce(sockets[1], frames);
	}
	close(sockets[1]);
	failed = consume(sockets[0], frames);
	waitpid(producer, &status, 0);
	close(sockets[0]);
	return failed || status;
}
