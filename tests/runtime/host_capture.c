// SPDX-License-Identifier: MIT
/* A capture that ends while a command is captured on another stream: at each place in turn. */
#include "rt_test.h"

#include <pthread.h>

/* In the midst of the call: what another thread does whenever no lock keeps it out. */
static struct {
	unsigned int unlocks; /* to come before it is done; 0: not at all */
	npurt_stream *origin;
	npurt_graph *graph;
	int err;
} meanwhile;

int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	const int err = __real_pthread_mutex_unlock(mutex);

	if (meanwhile.unlocks && !--meanwhile.unlocks)
		meanwhile.err = npurt_stream_end_capture(meanwhile.origin, &meanwhile.graph);
	return err;
}

/* False if the call was over before. */
static bool end_within(struct fixture *f, npurt_stream *joined, npurt_memory *m,
		       unsigned int unlocks)
{
	npurt_event *event = NULL;
	int err, ended;

	NEED(npurt_event_create(f->context, NULL, &event));
	NEED(npurt_stream_begin_capture(f->stream, 0));
	NEED(npurt_event_record(event, f->stream));
	NEED(npurt_stream_wait_event(joined, event));
	meanwhile.graph = NULL;
	meanwhile.origin = f->stream;
	meanwhile.unlocks = unlocks;
	err = npurt_fill_async(joined, m, 0, 0, 1, 8);
	ended = !meanwhile.unlocks;
	meanwhile.unlocks = 0;
	if (!ended)
		meanwhile.err = npurt_stream_end_capture(f->stream, &meanwhile.graph);
	/* The command comes too late, or is captured and the origin does not wait for it. */
	ok((!meanwhile.err && (!err || err == NPURT_ERROR_CAPTURE)) ||
		   (meanwhile.err == NPURT_ERROR_CAPTURE && !err),
	   "the capture ends at unlock %u: %s, and the command is %s", unlocks,
	   npurt_error_name(meanwhile.err), npurt_error_name(err));
	if (meanwhile.graph)
		NEED(npurt_graph_destroy(meanwhile.graph));
	NEED(npurt_event_destroy(event));
	NEED(npurt_stream_synchronize(joined));
	return ended;
}

int main(void)
{
	struct fixture f = fixture_open();
	npurt_memory *m = memory(f.context, NPURT_PLACE_HBM, 4096, "captured");
	npurt_stream *joined = NULL;

	NEED(npurt_stream_create(f.context, NULL, &joined));
	for (unsigned int n = 1; end_within(&f, joined, m, n); n++)
		;
	NEED(npurt_stream_destroy(joined));
	NEED(npurt_memory_destroy(m));
	fixture_close(&f);
	return rt_done();
}
