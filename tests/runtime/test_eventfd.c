// SPDX-License-Identifier: MIT
/* Completion as an eventfd: for read, epoll and io_uring. */
#include "rt_gate.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS 8

static npurt_event *event(npurt_context *context)
{
	npurt_event *e = NULL;

	NEED(npurt_event_create(context, NULL, &e));
	return e;
}

static npurt_event *import(npurt_context *context, npurt_event *event)
{
	npurt_event *e = NULL;
	int fd;

	NEED(npurt_event_export_fd(event, &fd));
	NEED(npurt_event_import_fd(context, fd, NULL, &e));
	close(fd);
	return e;
}

static int make_eventfd(int flags)
{
	int fd = eventfd(0, EFD_CLOEXEC | flags);

	need(fd < 0, "eventfd");
	return fd;
}

/* What it has counted since, after waiting for something to count. */
static uint64_t count(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static bool ready(int fd)
{
	uint64_t n;
	int flags = fcntl(fd, F_GETFL);
	bool yes;

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	yes = read(fd, &n, sizeof(n)) == sizeof(n);
	fcntl(fd, F_SETFL, flags);
	return yes;
}

static void test_read(struct fixture *f)
{
	npurt_event *e = event(f->context), *i;
	struct gate g = gate_make(f->context);
	int fd = make_eventfd(0);
	uint64_t n;

	WORKS(npurt_event_eventfd(e, fd));
	ok(count(fd) == 1, "an event that was never recorded counts as one that has happened");
	NEED(npurt_graph_launch(g.exec, f->stream));
	NEED(npurt_event_record(e, f->stream));
	WORKS(npurt_event_eventfd(e, fd));
	WORKS(npurt_event_eventfd(e, fd));
	ok(!ready(fd), "nothing is signalled before the event");
	gate_open(&g, true);
	for (n = 0; n < 2;)
		n += count(fd);
	ok(n == 2 && !ready(fd), "each call signals once");
	WORKS(npurt_event_query(e));
	NEED(npurt_stream_synchronize(f->stream));
	WORKS(npurt_event_eventfd(e, fd));
	ok(count(fd) == 1, "nor does one that has happened keep anyone waiting");
	i = import(f->context, e);
	WORKS(npurt_event_eventfd(i, fd));
	ok(count(fd) == 1, "nor an imported one");
	NEED(npurt_event_destroy(i));
	NEED(npurt_event_destroy(e));
	gate_free(&g);
	close(fd);
}

/* Of another context's event, whose first record is still to come. */
static void test_imported(struct fixture *f, npurt_context *context)
{
	npurt_event *e = event(f->context), *i = import(context, e);
	int fd = make_eventfd(0);

	WORKS(npurt_event_eventfd(i, fd));
	ok(!ready(fd), "an imported event waits for its first record");
	NEED(npurt_event_record(e, f->stream));
	ok(count(fd) == 1, "and signals when that has happened");
	NEED(npurt_event_destroy(i));
	NEED(npurt_event_destroy(e));
	close(fd);
}

/* Several events and one loop that waits for all of them. */
static void test_epoll(struct fixture *f)
{
	struct gate g = gate_make(f->context);
	npurt_event *events[EVENTS];
	int fds[EVENTS], epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event got;
	unsigned int seen = 0;

	need(epoll < 0, "epoll_create1");
	NEED(npurt_graph_launch(g.exec, f->stream));
	for (unsigned int n = 0; n < EVENTS; n++) {
		struct epoll_event want = { .events = EPOLLIN, .data.u32 = n };

		events[n] = event(f->context);
		fds[n] = make_eventfd(EFD_NONBLOCK);
		need(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[n], &want), "epoll_ctl");
		NEED(npurt_event_record(events[n], f->stream));
		NEED(npurt_event_eventfd(events[n], fds[n]));
	}
	ok(epoll_wait(epoll, &got, 1, 0) == 0, "epoll: nothing before the events");
	gate_open(&g, true);
	while (seen != (1u << EVENTS) - 1 && epoll_wait(epoll, &got, 1, -1) == 1) {
		if (count(fds[got.data.u32]) == 1 && npurt_event_query(events[got.data.u32]) == 0)
			seen |= 1u << got.data.u32;
	}
	ok(seen == (1u << EVENTS) - 1, "epoll: each of %u events has its turn", EVENTS);
	for (unsigned int n = 0; n < EVENTS; n++) {
		NEED(npurt_event_destroy(events[n]));
		close(fds[n]);
	}
	NEED(npurt_stream_synchronize(f->stream));
	gate_free(&g);
	close(epoll);
}

/* A read that io_uring keeps until the event happens. */
static void test_io_uring(struct fixture *f)
{
	struct gate g;
	npurt_event *e;
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	uint64_t n = 0;
	int fd, err = io_uring_queue_init(4, &ring, 0);

	if (err) {
		ok(true, "io_uring # SKIP %s", strerror(-err));
		return;
	}
	fd = make_eventfd(0);
	e = event(f->context);
	g = gate_make(f->context);
	NEED(npurt_graph_launch(g.exec, f->stream));
	NEED(npurt_event_record(e, f->stream));
	NEED(npurt_event_eventfd(e, fd));
	io_uring_prep_read(io_uring_get_sqe(&ring), fd, &n, sizeof(n), 0);
	need(io_uring_submit(&ring) != 1, "io_uring_submit");
	ok(io_uring_peek_cqe(&ring, &cqe) == -EAGAIN, "io_uring: nothing before the event");
	gate_open(&g, true);
	need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
	ok(cqe->res == sizeof(n) && n == 1, "io_uring: the read ends with the event");
	io_uring_cqe_seen(&ring, cqe);
	WORKS(npurt_event_query(e));
	io_uring_queue_exit(&ring);
	NEED(npurt_event_destroy(e));
	NEED(npurt_stream_synchronize(f->stream));
	gate_free(&g);
	close(fd);
}

/* The work before it fails: a wait that nobody ends would be worse. */
static void test_failure(struct fixture *f)
{
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "gone");
	struct gate g = gate_make(f->context);
	npurt_event *e = event(f->context);
	npurt_stream *stream;
	int fd = make_eventfd(0);

	NEED(npurt_stream_create(f->context, NULL, &stream));
	NEED(npurt_graph_launch(g.exec, stream));
	NEED(npurt_fill_async(stream, m, 0, 1, 1, 4096));
	NEED(npurt_event_record(e, stream));
	NEED(npurt_event_eventfd(e, fd));
	NEED(npurt_memory_destroy(m));
	gate_open(&g, true);
	ok(count(fd) == 1, "a failure signals, too");
	GIVES(npurt_event_query(e), NPURT_ERROR_STREAM_FAULT);
	GIVES(npurt_event_eventfd(e, fd), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_event_destroy(e));
	NEED(npurt_stream_destroy(stream));
	gate_free(&g);
	close(fd);
}

/* Who signals looks at all of them in a round: what was due is signalled after two. */
static void settle(struct fixture *f)
{
	npurt_event *e = event(f->context);
	int fd = make_eventfd(0);

	for (int i = 0; i < 2; i++) {
		NEED(npurt_event_eventfd(e, fd));
		count(fd);
	}
	NEED(npurt_event_destroy(e));
	close(fd);
}

/* A batch that fails, and three that are handed over again; then an event at a gate. */
static void test_recovered(struct fixture *f)
{
	const npurt_stream_attr attr = {
		.size = sizeof(attr),
		.flags = NPURT_STREAM_NO_AUTO_FLUSH,
		.failure_mode = NPURT_FAIL_CONTINUE,
	};
	npurt_memory *gone = memory(f->context, NPURT_PLACE_HBM, 4096, "gone");
	npurt_memory *m = memory(f->context, NPURT_PLACE_HBM, 4096, "good");
	struct gate first = gate_make(f->context), second = gate_make(f->context);
	npurt_event *e = event(f->context);
	npurt_stream *stream;
	int fd = make_eventfd(0);

	NEED(npurt_stream_create(f->context, &attr, &stream));
	NEED(npurt_graph_launch(first.exec, stream));
	NEED(npurt_fill_async(stream, gone, 0, 1, 1, 4096));
	for (unsigned int i = 0; i < 3; i++) {
		NEED(npurt_stream_flush(stream));
		NEED(npurt_fill_async(stream, m, 0, 1, 1, 4096));
	}
	NEED(npurt_stream_flush(stream));
	NEED(npurt_memory_destroy(gone));
	gate_open(&first, true);
	GIVES(npurt_stream_synchronize(stream), NPURT_ERROR_STREAM_FAULT);
	NEED(npurt_graph_launch(second.exec, stream));
	NEED(npurt_event_record(e, stream));
	WORKS(npurt_event_eventfd(e, fd));
	settle(f);
	ok(!ready(fd), "nothing is signalled before an event of a stream that went on");
	GIVES(npurt_event_query(e), NPURT_ERROR_NOT_READY);
	gate_open(&second, true);
	WORKS(npurt_event_wait(e, NPURT_INFINITE));
	ok(count(fd) == 1, "it is by the event");
	NEED(npurt_event_destroy(e));
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(m));
	gate_free(&first);
	gate_free(&second);
	close(fd);
}

static void test_arguments(struct fixture *f)
{
	npurt_event *e = event(f->context);
	int pipes[2];

	need(pipe(pipes), "pipe");
	GIVES(npurt_event_eventfd(NULL, pipes[1]), NPURT_ERROR_INVALID);
	GIVES(npurt_event_eventfd(e, pipes[1]), NPURT_ERROR_INVALID);
	GIVES(npurt_event_eventfd(e, -1), NPURT_ERROR_INVALID);
	close(pipes[0]);
	close(pipes[1]);
	NEED(npurt_event_destroy(e));
}

int main(void)
{
	struct fixture f = fixture_open();
	npurt_context *context;

	NEED(npurt_context_create(f.device, NULL, &context));
	test_read(&f);
	test_imported(&f, context);
	test_epoll(&f);
	test_io_uring(&f);
	test_failure(&f);
	test_recovered(&f);
	test_arguments(&f);
	NEED(npurt_context_destroy(context));
	fixture_close(&f);
	return rt_done();
}
