// SPDX-License-Identifier: MIT
/*
 * Threads of the library's own. Who unloads the library with objects open cannot end them any
 * more, so each holds the library: it stays in memory then.
 */
#include "thread.h"

#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>

/* NULL if the library is a part of the program, which is not unloaded. */
static void *hold_library(void)
{
	static const char inside;
	Dl_info info;

	if (!dladdr(&inside, &info) || !info.dli_fname)
		return NULL;
	return dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
}

int rt_thread_start(struct rt_thread *thread, void *(*run)(void *), void *data)
{
	sigset_t all, old;
	int err;

	thread->library = hold_library();
	/* The program's signals are for its own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread->id, NULL, run, data);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err && thread->library)
		dlclose(thread->library);
	return err;
}

/* The caller has a reference of its own, or it could not call. */
void rt_thread_join(struct rt_thread *thread)
{
	pthread_join(thread->id, NULL);
	if (thread->library)
		dlclose(thread->library);
}
