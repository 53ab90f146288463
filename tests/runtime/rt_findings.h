/* SPDX-License-Identifier: MIT */
/* What NPURT_VALIDATE tells a program, whose name PROGRAM is. */
#ifndef RT_FINDINGS_H
#define RT_FINDINGS_H

#include "rt_test.h"

#define MAX_TEXTS 64

static char texts[MAX_TEXTS][1200];
static unsigned int num_texts;

static void keep(enum npurt_log_level level, const char *text, void *data)
{
	(void)data;
	if (level == NPURT_LOG_ERROR && num_texts < MAX_TEXTS)
		snprintf(texts[num_texts++], sizeof(texts[0]), "%s", text);
}

__attribute__((unused)) static bool told(const char *what)
{
	for (unsigned int i = 0; i < num_texts; i++) {
		if (strstr(texts[i], what))
			return true;
	}
	return false;
}

/* What the last call has told: by which function and where the object was made. */
__attribute__((unused)) static void tells(const char *function, const char *maker, const char *what)
{
	char made[128];

	snprintf(made, sizeof(made), "made by %s at " PROGRAM "+0x", maker);
	ok(num_texts && strncmp(texts[num_texts - 1], function, strlen(function)) == 0 &&
		   strstr(texts[num_texts - 1], made) && told(what),
	   "%s", num_texts ? texts[num_texts - 1] : "nothing is told");
}

/* The last call was refused, and these are parts of what it told. */
__attribute__((unused)) static void refused(int got, const char *function, const char *const *parts)
{
	const char *text = num_texts ? texts[num_texts - 1] : "nothing is told";
	bool all = got == NPURT_ERROR_VALIDATE &&
		   strncmp(text, function, strcspn(function, "(")) == 0;
	const char *const *first = parts;

	for (; *parts; parts++)
		all &= strstr(text, *parts) != NULL;
	ok(all, "%s", text);
	if (!all)
		printf("# it was %s of %s, with these: %s, %s ...\n", npurt_error_name(got),
		       function, first[0], first[1] ? first[1] : "");
}

#define REFUSED(call, ...) \
	refused(call, #call, (const char *const[]){ __VA_ARGS__, NULL })

__attribute__((unused)) static npurt_event *new_event(npurt_context *context)
{
	npurt_event *event = NULL;

	NEED(npurt_event_create(context, NULL, &event));
	return event;
}

__attribute__((unused)) static struct fixture findings_open(void)
{
	npurt_device_attr attr = { .size = sizeof(attr), .log = keep,
				   .log_level = NPURT_LOG_ERROR };
	struct fixture f;

	setenv("NPURT_VALIDATE", "1", 1);
	NEED(npurt_device_open(0, &attr, &f.device));
	NEED(npurt_context_create(f.device, NULL, &f.context));
	NEED(npurt_stream_create(f.context, NULL, &f.stream));
	return f;
}

#endif /* RT_FINDINGS_H */
