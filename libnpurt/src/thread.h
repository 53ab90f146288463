/* SPDX-License-Identifier: MIT */
/* Threads of the library's own. */
#ifndef RT_THREAD_H
#define RT_THREAD_H

#include <pthread.h>

struct rt_thread {
	pthread_t id;
	void *library; /* a reference, so that dlclose() leaves the thread its code */
};

/* Gives 0 or an errno. */
int rt_thread_start(struct rt_thread *thread, void *(*run)(void *), void *data);
void rt_thread_join(struct rt_thread *thread);

#endif
