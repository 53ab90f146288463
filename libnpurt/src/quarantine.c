// SPDX-License-Identifier: MIT
/*
 * The memory of objects that are gone. A handle is the address of its object; under
 * $NPURT_VALIDATE that address is not given to another one at once, so that who still uses the
 * handle is found out.
 */
#include "internal.h"
#include "validate.h"

#include <stdlib.h>

/*
 * Objects: more than a round of a program's loop makes and destroys. Most are of some hundred
 * bytes, so this is about a megabyte.
 */
#define PLACES 4096u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* taken last */
static void *places[PLACES];
static unsigned int next;

void rt_object_after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
}

void rt_object_free(void *object)
{
	void *oldest;

	if (!(rt_watched() & RT_WATCH_VALIDATE)) {
		free(object);
		return;
	}
	pthread_mutex_lock(&lock);
	oldest = places[next];
	places[next] = object;
	next = (next + 1) % PLACES;
	pthread_mutex_unlock(&lock);
	free(oldest);
}
