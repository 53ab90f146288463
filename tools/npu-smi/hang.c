// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hang.h"

static bool parse(const char *line, struct npu_queue *queue)
{
	/* The name is the rest of the line. */
	return sscanf(line, "%u %u %15s %llu %llu %llu %llu %d %llx %llx %llx %d %31[^\n]",
		      &queue->number, &queue->context, queue->activity, &queue->submitted,
		      &queue->completed, &queue->commands, &queue->still_ms, &queue->waits_for,
		      &queue->command, &queue->cores, &queue->pc, &queue->pid,
		      queue->process) == 13;
}

static int read_queues(FILE *file, struct npu_queue **queues)
{
	struct npu_queue *all = NULL;
	char line[256];
	int count = 0;

	while (fgets(line, sizeof(line), file)) {
		struct npu_queue queue = { 0 };
		struct npu_queue *grown;

		/* All but the head. */
		if (!parse(line, &queue))
			continue;
		grown = reallocarray(all, count + 1, sizeof(*all));
		if (!grown) {
			free(all);
			return -ENOMEM;
		}
		all = grown;
		all[count++] = queue;
	}
	*queues = all;
	return count;
}

int hang_list(const struct npu_device *dev, struct npu_queue **queues)
{
	char path[128];
	FILE *file;
	int count;

	*queues = NULL;
	snprintf(path, sizeof(path), "/sys/kernel/debug/accel/%s/activity", dev->bus_id);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	count = read_queues(file, queues);
	fclose(file);
	return count;
}

static const struct npu_queue *find(const struct npu_queue *queues, int count, int number)
{
	for (int i = 0; i < count; i++)
		if ((int)queues[i].number == number)
			return &queues[i];
	return NULL;
}

static bool is(const struct npu_queue *queue, const char *activity)
{
	return !strcmp(queue->activity, activity);
}

/* What a queue waits for, for people. */
static void put_wait(const struct npu_queue *queue, const struct npu_queue *queues, int count)
{
	const struct npu_queue *other = find(queues, count, queue->waits_for);

	if (is(queue, "waiting"))
		printf("a semaphore, by the command at 0x%llx", queue->command);
	else if (is(queue, "blocked") && other)
		printf("queue %u of %s[%d]", other->number, other->process, other->pid);
	else if (is(queue, "blocked"))
		printf("a fence of no queue of this NPU");
	else if (is(queue, "running") && queue->cores)
		printf("- (cores 0x%llx, pc 0x%llx)", queue->cores, queue->pc);
	else
		printf("-");
}

void hang_text(const struct npu_device *dev, const struct npu_queue *queues, int count)
{
	int idle = 0;

	printf("NPU %u (%s)\n", dev->index, dev->bus_id);
	printf("%-6s %-8s %-16s %-10s %10s %12s %12s  %s\n", "Queue", "PID", "Process",
	       "Activity", "Still(s)", "Jobs left", "Commands", "Waits for");
	for (int i = 0; i < count; i++) {
		const struct npu_queue *queue = &queues[i];

		if (is(queue, "idle")) {
			idle++;
			continue;
		}
		printf("%-6u %-8d %-16s %-10s %6llu.%03llu %12llu %12llu  ", queue->number,
		       queue->pid, queue->process, queue->activity, queue->still_ms / 1000,
		       queue->still_ms % 1000, queue->submitted - queue->completed,
		       queue->commands);
		put_wait(queue, queues, count);
		putchar('\n');
	}
	printf("%d of %d queues are idle\n", idle, count);
}

static json_t *queue_json(const struct npu_queue *queue, const struct npu_queue *queues, int count)
{
	const struct npu_queue *other = find(queues, count, queue->waits_for);
	json_t *object = json_pack(
		"{s:i, s:i, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "queue",
		(int)queue->number, "context", (int)queue->context, "pid", queue->pid, "process",
		queue->process, "activity", queue->activity, "submitted",
		(json_int_t)queue->submitted, "completed", (json_int_t)queue->completed, "commands",
		(json_int_t)queue->commands, "still_ms", (json_int_t)queue->still_ms, "command",
		(json_int_t)queue->command, "cores", (json_int_t)queue->cores, "pc",
		(json_int_t)queue->pc);

	if (other) {
		json_object_set_new(object, "waits_for", json_integer(other->number));
		json_object_set_new(object, "waits_for_pid", json_integer(other->pid));
	}
	return object;
}

json_t *hang_json(const struct npu_device *dev, const struct npu_queue *queues, int count)
{
	json_t *array = json_array();

	for (int i = 0; i < count; i++)
		json_array_append_new(array, queue_json(&queues[i], queues, count));
	return json_pack("{s:i, s:s, s:o}", "npu", (int)dev->index, "bus_id", dev->bus_id, "queues",
			 array);
}
