// SPDX-License-Identifier: MIT
/* Reports of hangs: who waits for whom, what is a deadlock and what is not. */
#include "rt_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "modules/rt_kernels.h"

#define MODULE_FILE MODULES "/rt_kernels.elf"
#define STREAMS 8

/* What was told of some streams of a test. */
struct seen {
	npurt_hang hangs[STREAMS];
	unsigned int count;
};

static void keep(const npurt_hang *hang, void *data)
{
	struct seen *seen = data;

	if (seen->count < STREAMS)
		seen->hangs[seen->count++] = *hang;
}

static npurt_hang look(npurt_device *device, npurt_stream *stream)
{
	struct seen seen = { .count = 0 };

	NEED(npurt_hang_report(device, keep, &seen));
	for (unsigned int i = 0; i < seen.count; i++) {
		if (seen.hangs[i].stream == stream)
			return seen.hangs[i];
	}
	return (npurt_hang){ .activity = UINT32_MAX };
}

/* When the device has come that far. */
static npurt_hang look_for(npurt_device *device, npurt_stream *stream, uint32_t activity)
{
	npurt_hang hang;

	do {
		hang = look(device, stream);
	} while (hang.activity != activity && hang.activity != UINT32_MAX);
	return hang;
}

struct text {
	char *at;
	size_t left;
};

static int append(const char *piece, size_t bytes, void *data)
{
	struct text *text = data;

	if (bytes >= text->left)
		return -1;
	memcpy(text->at, piece, bytes);
	text->at += bytes;
	text->left -= bytes;
	*text->at = '\0';
	return 0;
}

static const char *report(npurt_device *device)
{
	static char buffer[65536];
	struct text text = { buffer, sizeof(buffer) };

	NEED(npurt_hang_write(device, append, &text));
	return buffer;
}

static npurt_stream *labelled(npurt_context *context, const char *label, uint32_t flags)
{
	npurt_stream_attr attr = { .size = sizeof(attr), .flags = flags, .label = label };
	npurt_stream *stream = NULL;

	NEED(npurt_stream_create(context, &attr, &stream));
	return stream;
}

static npurt_event *event_of(npurt_context *context, const char *label)
{
	npurt_event_attr attr = { .size = sizeof(attr), .label = label };
	npurt_event *event = NULL;

	NEED(npurt_event_create(context, &attr, &event));
	return event;
}

/* Waits for a word of @words to be 1, then writes 1 to the next one. */
struct hand {
	npurt_graph *graph;
	npurt_graph_exec *exec;
};

static struct hand hand_make(npurt_context *context, npurt_memory *words, unsigned int from,
			     unsigned int to)
{
	npurt_graph_node *wait;
	struct hand hand;

	NEED(npurt_graph_create(context, NULL, &hand.graph));
	NEED(npurt_graph_add_wait(hand.graph, NULL, 0, words, 8 * from, 1, NPURT_CONDITION_GE, 0,
				  &wait));
	NEED(npurt_graph_add_write(hand.graph, &wait, 1, words, 8 * to, 1, 8, NULL));
	NEED(npurt_graph_instantiate(hand.graph, NULL, &hand.exec));
	return hand;
}

static void hand_free(struct hand *hand)
{
	NEED(npurt_graph_exec_destroy(hand->exec));
	NEED(npurt_graph_destroy(hand->graph));
}

static void let_go(npurt_memory *words)
{
	atomic_store((_Atomic uint64_t *)mapped(words), 1);
}

static void test_idle(struct fixture *f)
{
	npurt_hang hang = look(f->device, f->stream);

	ok(hang.activity == NPURT_ACTIVITY_IDLE && !hang.flags && !hang.still_ns,
	   "a stream without work is idle: %s", hang.message);
	ok(strstr(report(f->device), "1 stream is idle") != NULL, "the text counts it");
	GIVES(npurt_hang_report(f->device, NULL, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_hang_report(NULL, keep, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_hang_write(f->device, NULL, NULL), NPURT_ERROR_INVALID);
	GIVES(npurt_hang_write_json(f->device, NULL, NULL), NPURT_ERROR_INVALID);
}

/* The program's own mistake: nobody was asked to write the word. */
static void test_never(struct fixture *f)
{
	npurt_memory *words = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	npurt_stream *stream = labelled(f->context, "reader", 0);
	struct hand hand = hand_make(f->context, words, 0, 1);
	char text[1024] = "";
	npurt_hang hang;

	mapped(words);
	NEED(npurt_graph_launch(hand.exec, stream));
	hang = look_for(f->device, stream, NPURT_ACTIVITY_WAITING);
	ok(hang.flags == NPURT_HANG_NEVER && !hang.waits_for, "nobody ends it: %s", hang.message);
	ok(hang.command == NPURT_COMMAND_WAIT && hang.sequence == 1 &&
		   hang.address == npurt_memory_address(words) && hang.value == 1 &&
		   hang.found == 0 && strcmp(hang.object, "words") == 0,
	   "it tells the word, and what is there");
	ok(hang.submitted == hang.done + 1, "and that one batch has not ended");
	GIVES(npurt_stream_wait(stream, 1), NPURT_ERROR_TIMED_OUT);
	NEED(npurt_stream_error_message(stream, text, sizeof(text)));
	ok(strstr(text, "wait for a value in 'words'") && strstr(text, "and is 0"),
	   "a time-out says so, too: %s", text);
	let_go(words);
	WORKS(npurt_stream_synchronize(stream));
	hand_free(&hand);
	NEED(npurt_stream_destroy(stream));
	NEED(npurt_memory_destroy(words));
}

static void test_event(struct fixture *f)
{
	npurt_memory *words = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	npurt_stream *first = labelled(f->context, "first", 0);
	npurt_stream *second = labelled(f->context, "second", 0);
	struct hand hand = hand_make(f->context, words, 0, 1);
	npurt_event *event = event_of(f->context, "half-way");
	char text[1024] = "";
	npurt_hang hang;

	NEED(npurt_graph_launch(hand.exec, first));
	NEED(npurt_event_record(event, first));
	NEED(npurt_stream_wait_event(second, event));
	NEED(npurt_stream_flush(second));
	hang = look_for(f->device, second, NPURT_ACTIVITY_WAITING);
	ok(hang.waits_for == first && !hang.flags && hang.command == NPURT_COMMAND_EVENT_WAIT &&
		   strcmp(hang.object, "half-way") == 0,
	   "an event, and who is to record it: %s", hang.message);
	ok(strstr(hang.message, "'half-way'") && strstr(hang.message, "'first'"),
	   "the sentence names both");
	ok(!strstr(report(f->device), "deadlock"), "that is no deadlock");
	GIVES(npurt_event_wait(event, 1), NPURT_ERROR_TIMED_OUT);
	NEED(npurt_context_error_message(f->context, text, sizeof(text)));
	ok(strstr(text, "'half-way'") && strstr(text, "wait for a value in 'words'"),
	   "a time-out of the event says what its stream is at: %s", text);
	let_go(words);
	WORKS(npurt_stream_synchronize(second));
	hand_free(&hand);
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_destroy(first));
	NEED(npurt_stream_destroy(second));
	NEED(npurt_memory_destroy(words));
}

/* Each has what the other one waits for behind its own wait. */
static void test_deadlock(struct fixture *f)
{
	npurt_memory *words = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	npurt_stream *a = labelled(f->context, "a", 0), *b = labelled(f->context, "b", 0);
	struct hand forth = hand_make(f->context, words, 0, 1);
	struct hand back = hand_make(f->context, words, 1, 0);
	npurt_hang hang;

	NEED(npurt_graph_launch(forth.exec, a));
	NEED(npurt_graph_launch(back.exec, b));
	look_for(f->device, a, NPURT_ACTIVITY_WAITING);
	hang = look_for(f->device, b, NPURT_ACTIVITY_WAITING);
	ok(hang.flags == NPURT_HANG_DEADLOCK && hang.waits_for == a, "a circle: %s", hang.message);
	hang = look(f->device, a);
	ok(hang.flags == NPURT_HANG_DEADLOCK && hang.waits_for == b, "and back: %s", hang.message);
	ok(strstr(report(f->device), "deadlock in context 1: stream ") != NULL,
	   "the text names it");
	let_go(words);
	WORKS(npurt_stream_synchronize(a));
	WORKS(npurt_stream_synchronize(b));
	hand_free(&forth);
	hand_free(&back);
	NEED(npurt_stream_destroy(a));
	NEED(npurt_stream_destroy(b));
	NEED(npurt_memory_destroy(words));
}

static void test_not_flushed(struct fixture *f)
{
	npurt_memory *words = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	npurt_stream *reader = labelled(f->context, "reader", 0);
	npurt_stream *writer = labelled(f->context, "writer", NPURT_STREAM_NO_AUTO_FLUSH);
	struct hand hand = hand_make(f->context, words, 0, 1);
	npurt_hang hang;

	NEED(npurt_graph_launch(hand.exec, reader));
	NEED(npurt_fill_async(writer, words, 0, 1, 8, 8));
	hang = look_for(f->device, reader, NPURT_ACTIVITY_WAITING);
	ok(hang.flags == NPURT_HANG_NOT_FLUSHED && hang.waits_for == writer,
	   "what was not flushed is told: %s", hang.message);
	hang = look(f->device, writer);
	ok(hang.activity == NPURT_ACTIVITY_IDLE && hang.batched == 1, "there, too: %s",
	   hang.message);
	WORKS(npurt_stream_flush(writer));
	WORKS(npurt_stream_synchronize(reader));
	WORKS(npurt_stream_synchronize(writer));
	hand_free(&hand);
	NEED(npurt_stream_destroy(reader));
	NEED(npurt_stream_destroy(writer));
	NEED(npurt_memory_destroy(words));
}

/* A wait for what will not come, as its stream fails before it. */
static void test_failed(struct fixture *f)
{
	npurt_memory *words = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	npurt_memory *victim = memory(f->context, NPURT_PLACE_HBM, 4096, "victim");
	npurt_stream *doomed = labelled(f->context, "doomed", 0);
	npurt_stream *waiting = labelled(f->context, "waiting", 0);
	struct hand hand = hand_make(f->context, words, 0, 1);
	npurt_event *event = event_of(f->context, "lost");
	npurt_hang hang;

	NEED(npurt_graph_launch(hand.exec, doomed));
	NEED(npurt_fill_async(doomed, victim, 0, 0, 1, 4096));
	NEED(npurt_event_record(event, doomed));
	NEED(npurt_stream_wait_event(waiting, event));
	NEED(npurt_stream_flush(waiting));
	NEED(npurt_memory_destroy(victim));
	let_go(words);
	GIVES(npurt_stream_synchronize(doomed), NPURT_ERROR_STREAM_FAULT);
	hang = look(f->device, doomed);
	ok(hang.activity == NPURT_ACTIVITY_STOPPED && hang.error == NPURT_ERROR_STREAM_FAULT,
	   "a stream that failed: %s", hang.message);
	hang = look_for(f->device, waiting, NPURT_ACTIVITY_WAITING);
	ok(hang.flags & NPURT_HANG_NEVER && hang.waits_for == doomed &&
		   strstr(hang.message, "has failed"),
	   "and who waits for it: %s", hang.message);
	hand_free(&hand);
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_destroy(doomed));
	NEED(npurt_stream_destroy(waiting));
	NEED(npurt_memory_destroy(words));
}

#ifdef FAKE_KMD
static uint32_t never_ends(const struct npu_cmd_kernel *kernel, const void *args)
{
	(void)kernel;
	(void)args;
	return FAKE_AGAIN;
}
#endif

static void test_kernel(struct fixture *f)
{
	const struct spin_args args = { 0 };
	const npurt_launch_attr attr = { .size = sizeof(attr), .tag = 77, .label = "long" };
	npurt_stream *stream = labelled(f->context, "busy", 0);
	npurt_kernel *kernel;
	npurt_module *module;
	npurt_hang hang;

#ifdef FAKE_KMD
	fake_set_kernel(never_ends);
#endif
	NEED(npurt_module_load_file(f->context, MODULE_FILE, &module));
	NEED(npurt_module_get_kernel(module, "spin", &kernel));
	NEED(npurt_launch(stream, kernel, 1, &args, sizeof(args), &attr));
	NEED(npurt_stream_flush(stream));
	do {
		hang = look_for(f->device, stream, NPURT_ACTIVITY_RUNNING);
	} while (!hang.pc);
	ok(!hang.flags && hang.command == NPURT_COMMAND_KERNEL && hang.tag == 77 &&
		   strcmp(hang.kernel, "spin") == 0 && strcmp(hang.object, "long") == 0,
	   "a long kernel is not a deadlock: %s", hang.message);
	ok(hang.cores && !(hang.cores & (hang.cores - 1)) &&
		   strncmp(hang.location, "spin", 4) == 0,
	   "it tells the core, and where it is");
	WORKS(npurt_stream_destroy(stream));
#ifdef FAKE_KMD
	fake_set_kernel(NULL);
#endif
	NEED(npurt_module_unload(module));
}

/* Of another context, which has it from a file descriptor, as another process would. */
static void test_imported(struct fixture *f)
{
	npurt_memory *words = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	npurt_stream *near = labelled(f->context, "near", 0), *far;
	struct hand hand = hand_make(f->context, words, 0, 1);
	npurt_event *event = event_of(f->context, "shared"), *imported;
	npurt_context *other;
	npurt_hang hang;
	int fd;

	NEED(npurt_context_create(f->device, NULL, &other));
	far = labelled(other, "far", 0);
	NEED(npurt_event_export_fd(event, &fd));
	NEED(npurt_event_import_fd(other, fd, NULL, &imported));
	close(fd);
	NEED(npurt_graph_launch(hand.exec, near));
	NEED(npurt_event_record(event, near));
	NEED(npurt_stream_wait_event(far, imported));
	NEED(npurt_stream_flush(far));
	hang = look_for(f->device, far, NPURT_ACTIVITY_BLOCKED);
	ok(hang.submitted == hang.done + 1, "a wait for a fence: %s", hang.message);
#ifndef FAKE_KMD
	while (!hang.waits_for_queue)
		hang = look(f->device, far);
	ok(hang.waits_for == near && hang.waits_for_queue == look(f->device, near).queue,
	   "the driver tells whose: %s", hang.message);
#endif
	let_go(words);
	WORKS(npurt_stream_synchronize(far));
	hand_free(&hand);
	NEED(npurt_event_destroy(event));
	NEED(npurt_event_destroy(imported));
	NEED(npurt_stream_destroy(near));
	NEED(npurt_stream_destroy(far));
	NEED(npurt_context_destroy(other));
	NEED(npurt_memory_destroy(words));
}

/* Puts on a stream more than it can hold: the call waits for room, with the stream's lock. */
static void *overfill(void *arg)
{
	struct fixture *f = arg;
	npurt_memory *m = memory(f->context, NPURT_PLACE_HOST, 4096, "filled");

	for (uint32_t i = 0; i < 12000; i++)
		NEED(npurt_fill_async(f->stream, m, 0, i, 4, 4));
	NEED(npurt_stream_synchronize(f->stream));
	NEED(npurt_memory_destroy(m));
	return NULL;
}

static void test_stuck_thread(struct fixture *f)
{
	npurt_memory *words = memory(f->context, NPURT_PLACE_HOST, 4096, "words");
	struct fixture own = { f->device, f->context, labelled(f->context, "full", 0) };
	struct hand hand = hand_make(f->context, words, 0, 1);
	npurt_hang hang, last;
	pthread_t thread;

	NEED(npurt_graph_launch(hand.exec, own.stream));
	pthread_create(&thread, NULL, overfill, &own);
	/* Until the thread gets no further. */
	last = look_for(f->device, own.stream, NPURT_ACTIVITY_WAITING);
	do {
		hang = last;
		last = look(f->device, own.stream);
	} while (last.flags & NPURT_HANG_IN_CALL || last.submitted < 8 ||
		 last.submitted != hang.submitted);
	ok(last.activity == NPURT_ACTIVITY_WAITING && strcmp(last.object, "words") == 0,
	   "a thread that waits with the stream's lock is no hindrance: %s", last.message);
	let_go(words);
	pthread_join(thread, NULL);
	hand_free(&hand);
	NEED(npurt_stream_destroy(own.stream));
	NEED(npurt_memory_destroy(words));
}

static int refuse(const char *text, size_t bytes, void *data)
{
	(void)text;
	(void)bytes;
	(void)data;
	return 42;
}

static void test_json(struct fixture *f)
{
	npurt_stream *stream = labelled(f->context, "a \"quoted\" \\ name\n", 0);
	char buffer[65536] = "";
	struct text text = { buffer, sizeof(buffer) };

	WORKS(npurt_hang_write_json(f->device, append, &text));
	ok(strstr(buffer, "\"activity\": \"idle\"") &&
		   strstr(buffer, "\"label\": \"a \\\"quoted\\\" \\\\ name\\u000a\""),
	   "JSON, with names that need care");
	ok(npurt_hang_write_json(f->device, refuse, NULL) == 42 &&
		   npurt_hang_write(f->device, refuse, NULL) == 42,
	   "what the writer says comes back");
	NEED(npurt_stream_destroy(stream));
}

int main(void)
{
	struct fixture f = fixture_open();

	test_idle(&f);
	test_never(&f);
	test_event(&f);
	test_deadlock(&f);
	test_not_flushed(&f);
	test_failed(&f);
	test_kernel(&f);
	test_imported(&f);
	test_stuck_thread(&f);
	test_json(&f);
	fixture_close(&f);
	return rt_done();
}
