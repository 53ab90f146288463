// SPDX-License-Identifier: MIT
/* npu-smi: the state of the NPUs of this machine. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hang.h"
#include "perf.h"
#include "view.h"

/* Exit statuses, documented in npu-smi(1). */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DEVICE = 3,
	EXIT_NO_ANSWER = 4,
};

/* Of all commands. */
struct options {
	bool list;
	bool map;
	bool json;
	const struct npu_detail *detail;
	int index; /* -1: all */
	long period_ms;
	long count;
};

static void print_help(FILE *file)
{
	fprintf(file,
		"Usage: npu-smi info [-l | -m | -t TYPE [-i ID]] [--json]\n"
		"       npu-smi perf [-i ID] [-d MS] [-n COUNT] [--json]\n"
		"       npu-smi hang [-i ID] [--json]\n"
		"       npu-smi -v | -h\n"
		"\n"
		"Shows the state of the NPUs of this machine.\n"
		"\n"
		"  info              summary of all NPUs and of the processes that use them\n"
		"  info -l           list of NPUs\n"
		"  info -m           map of NPU, slot and chip numbers\n"
		"  info -t TYPE      details: %s\n"
		"  perf              rates of an NPU over time (needs CAP_PERFMON): a line every MS\n"
		"                    milliseconds (1000), COUNT times or until interrupted\n"
		"  hang              what the queues of all processes are at, and what they wait\n"
		"                    for (for root, by debugfs)\n"
		"\n"
		"  -i ID             one NPU, by the number that info shows (default: all)\n"
		"      --json        JSON, with a schema that is versioned (see npu-smi(1))\n"
		"  -v, --version     print the version\n"
		"  -h, --help        print this\n"
		"\n"
		"Exit status: 0 done, 1 failed, 2 bad usage, 3 no such NPU, 4 an NPU does not answer\n",
		detail_names());
}

static int usage_error(const char *message, const char *what)
{
	fprintf(stderr, "npu-smi: %s%s; see npu-smi -h\n", message, what);
	return EXIT_USAGE;
}

static bool parse_number(const char *text, long least, long most, long *value)
{
	char *end;

	errno = 0;
	*value = strtol(text, &end, 10);
	return !errno && !*end && end != text && *value >= least && *value <= most;
}

static int parse_index(const char *text, int *index)
{
	long value;

	if (!parse_number(text, 0, 65535, &value))
		return usage_error("-i takes a number, not ", text);
	*index = value;
	return EXIT_OK;
}

static int parse_option(int c, char **argv, struct options *options)
{
	switch (c) {
	case 'l':
		options->list = true;
		return EXIT_OK;
	case 'm':
		options->map = true;
		return EXIT_OK;
	case 'j':
		options->json = true;
		return EXIT_OK;
	case 't':
		options->detail = detail_find(optarg);
		return options->detail ? EXIT_OK : usage_error("-t does not know ", optarg);
	case 'i':
		return parse_index(optarg, &options->index);
	case 'd':
		if (parse_number(optarg, 1, 60000, &options->period_ms))
			return EXIT_OK;
		return usage_error("-d takes 1 to 60000, not ", optarg);
	case 'n':
		if (parse_number(optarg, 1, 1000000000, &options->count))
			return EXIT_OK;
		return usage_error("-n takes a number above 0, not ", optarg);
	case 'h':
		print_help(stdout);
		exit(EXIT_OK);
	case ':':
		return usage_error("a value is missing for ", argv[optind - 1]);
	default:
		return usage_error("unknown option ", argv[optind - 1]);
	}
}

/* @letters: the options that the command has, besides --json and --help. */
static int parse(int argc, char **argv, const char *letters, struct options *options)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, ret = EXIT_OK;

	while (!ret && (c = getopt_long(argc, argv, letters, longs, NULL)) != -1)
		ret = parse_option(c, argv, options);
	if (!ret && optind < argc)
		ret = usage_error("unexpected argument ", argv[optind]);
	return ret;
}

static int take_snapshot(struct npu_snapshot *snapshot)
{
	snapshot->num_devices = device_list(&snapshot->devices);
	if (snapshot->num_devices < 0) {
		fprintf(stderr, "npu-smi: cannot list devices: %s\n",
			strerror(-snapshot->num_devices));
		return EXIT_FAILED;
	}
	snapshot->num_processes = process_list(&snapshot->processes);
	if (snapshot->num_processes < 0) {
		fprintf(stderr, "npu-smi: cannot list processes: %s\n",
			strerror(-snapshot->num_processes));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

/* Narrow the snapshot to the device that was asked for. */
static int select_device(struct npu_snapshot *snapshot, int index)
{
	if (index < 0)
		return EXIT_OK;
	if (index >= snapshot->num_devices) {
		fprintf(stderr, "npu-smi: there is no NPU %d, this machine has %d\n", index,
			snapshot->num_devices);
		return EXIT_NO_DEVICE;
	}
	snapshot->devices[0] = snapshot->devices[index];
	snapshot->num_devices = 1;
	return EXIT_OK;
}

static json_t *make_json(const struct npu_snapshot *snapshot, const struct options *options)
{
	json_t *array;

	if (options->list)
		return view_list_json(snapshot);
	if (options->map)
		return view_map_json(snapshot);
	if (!options->detail)
		return view_summary_json(snapshot);
	array = json_array();
	for (int i = 0; i < snapshot->num_devices; i++)
		json_array_append_new(array, detail_json(options->detail, &snapshot->devices[i]));
	return array;
}

static int put_json(json_t *npus)
{
	json_t *root = json_pack("{s:s, s:s, s:o}", "schema", JSON_SCHEMA, "version", NPU_VERSION,
				 "npus", npus);
	int ret = root ? json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : -1;

	json_decref(root);
	if (ret) {
		fprintf(stderr, "npu-smi: cannot write JSON\n");
		return EXIT_FAILED;
	}
	putchar('\n');
	return EXIT_OK;
}

static void show_text(const struct npu_snapshot *snapshot, const struct options *options)
{
	if (options->list) {
		view_list_text(snapshot);
	} else if (options->map) {
		view_map_text(snapshot);
	} else if (options->detail) {
		for (int i = 0; i < snapshot->num_devices; i++) {
			if (i)
				putchar('\n');
			detail_text(options->detail, &snapshot->devices[i]);
		}
	} else {
		view_summary_text(snapshot);
	}
}

static int show(struct npu_snapshot *snapshot, const struct options *options)
{
	int ret = select_device(snapshot, options->index);

	if (ret)
		return ret;
	if (options->json)
		ret = put_json(make_json(snapshot, options));
	else
		show_text(snapshot, options);
	if (!ret && (fflush(stdout) || ferror(stdout))) {
		fprintf(stderr, "npu-smi: cannot write: %s\n", strerror(errno));
		ret = EXIT_FAILED;
	}
	for (int i = 0; !ret && i < snapshot->num_devices; i++)
		if (!snapshot->devices[i].answers)
			ret = EXIT_NO_ANSWER;
	if (!ret && !snapshot->num_devices)
		ret = EXIT_NO_DEVICE;
	return ret;
}

static int command_info(int argc, char **argv)
{
	struct options options = { .index = -1 };
	struct npu_snapshot snapshot = { 0 };
	int ret = parse(argc, argv, ":lmt:i:h", &options);

	if (!ret && options.list + options.map + !!options.detail > 1)
		ret = usage_error("-l, -m and -t exclude each other", "");
	if (!ret)
		ret = take_snapshot(&snapshot);
	if (!ret)
		ret = show(&snapshot, &options);
	free(snapshot.devices);
	free(snapshot.processes);
	return ret;
}

static int command_perf(int argc, char **argv)
{
	struct options options = { .period_ms = 1000 };
	struct npu_snapshot snapshot = { 0 };
	int ret = parse(argc, argv, ":i:d:n:h", &options);

	if (ret)
		return ret;
	snapshot.num_devices = device_list(&snapshot.devices);
	ret = snapshot.num_devices < 0 ? EXIT_FAILED : select_device(&snapshot, options.index);
	if (!ret) {
		ret = perf_show(snapshot.devices, options.period_ms, options.count, options.json);
		if (ret)
			fprintf(stderr, "npu-smi: NPU %d: %s\n", options.index, strerror(-ret));
		if (ret)
			ret = ret == -ENODEV ? EXIT_NO_ANSWER : EXIT_FAILED;
	}
	free(snapshot.devices);
	return ret;
}

/* One NPU, to @npus or, if that is NULL, as text. */
static int show_hang(const struct npu_device *dev, json_t *npus)
{
	struct npu_queue *queues;
	int count = hang_list(dev, &queues);

	if (count < 0) {
		fprintf(stderr, "npu-smi: NPU %u: cannot read what its queues are at: %s%s\n",
			dev->index, strerror(-count),
			count == -EACCES || count == -ENOENT ?
				"; it is for root, with debugfs at /sys/kernel/debug" : "");
		return EXIT_FAILED;
	}
	if (npus)
		json_array_append_new(npus, hang_json(dev, queues, count));
	else
		hang_text(dev, queues, count);
	free(queues);
	return EXIT_OK;
}

static int command_hang(int argc, char **argv)
{
	struct options options = { .index = -1 };
	struct npu_snapshot snapshot = { 0 };
	json_t *npus = NULL;
	int ret = parse(argc, argv, ":i:h", &options);

	if (ret)
		return ret;
	snapshot.num_devices = device_list(&snapshot.devices);
	ret = snapshot.num_devices < 0 ? EXIT_FAILED : select_device(&snapshot, options.index);
	if (options.json)
		npus = json_array();
	for (int i = 0; !ret && i < snapshot.num_devices; i++)
		ret = show_hang(&snapshot.devices[i], npus);
	if (!ret && npus)
		ret = put_json(npus);
	else
		json_decref(npus);
	if (!ret && !snapshot.num_devices)
		ret = EXIT_NO_DEVICE;
	free(snapshot.devices);
	return ret;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "info"))
		return command_info(argc - 1, argv + 1);
	if (!strcmp(argv[1], "perf"))
		return command_perf(argc - 1, argv + 1);
	if (!strcmp(argv[1], "hang"))
		return command_hang(argc - 1, argv + 1);
	if (!strcmp(argv[1], "-v") || !strcmp(argv[1], "--version")) {
		printf("npu-smi version: %s\n", NPU_VERSION);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
		print_help(stdout);
		return EXIT_OK;
	}
	return usage_error("unknown command ", argv[1]);
}
