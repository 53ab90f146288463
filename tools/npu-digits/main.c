// SPDX-License-Identifier: MIT
/* Options, the comparison of NPU and CPU, and the report. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "digits.h"

#define MAX_EPOCHS 100000
#define MAX_BATCH 4096

/*
 * How far the two may be apart. Both round each step, in places in another order, and
 * exponentials differ in the last bit; training amplifies that, more so in fp16.
 */
struct tolerance {
	double loss; /* of an epoch, relative plus absolute */
	double predicted; /* share of test images with another digit */
};

static const struct tolerance tolerances[] = {
	{ .loss = 1e-3, .predicted = 0.01 },
	{ .loss = 2e-2, .predicted = 0.02 },
};

struct report {
	const struct settings *settings;
	const struct dataset *data;
	struct result npu, cpu;
	double loss_error; /* greatest, as the tolerance counts it */
	double weight_error; /* greatest absolute difference */
	unsigned int npu_right, cpu_right, differing; /* test images */
	bool agree;
};

double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

static void usage(FILE *to)
{
	fputs("usage: npu-digits [OPTION]...\n"
	      "Train a network that reads handwritten digits on the NPU, and check it against\n"
	      "the CPU.\n\n"
	      "  -e, --epochs N      passes over the training images (10)\n"
	      "  -b, --batch N       images in a step (32)\n"
	      "  -s, --seed N        of the start and the order of images (1)\n"
	      "  -f, --fp16          multiply matrices of fp16 instead of fp32\n"
	      "  -g, --graph         an epoch is one graph, captured once and launched as one\n"
	      "  -d, --device NAME   number or PCI address of the NPU (0)\n"
	      "  -j, --json          the report as JSON\n"
	      "  -k, --kernels DIR   where the kernel modules are\n"
	      "  -i, --data FILE     where the images are\n"
	      "  -h, --help          this text\n\n"
	      "Exit status: 0 NPU and CPU agree, 1 they do not, 2 an error.\n",
	      to);
}

static bool parse_number(const char *text, uint64_t most, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && end != text && !*end && *text != '-' && *value <= most;
}

static bool parse_count(const char *name, const char *text, unsigned int most,
			unsigned int *value)
{
	uint64_t number;

	if (!parse_number(text, most, &number) || !number) {
		fprintf(stderr, "npu-digits: --%s takes 1 to %u, not '%s'\n", name, most, text);
		return false;
	}
	*value = (unsigned int)number;
	return true;
}

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct settings *settings, bool *json)
{
	static const struct option options[] = {
		{ "epochs", required_argument, NULL, 'e' },
		{ "batch", required_argument, NULL, 'b' },
		{ "seed", required_argument, NULL, 's' },
		{ "fp16", no_argument, NULL, 'f' },
		{ "graph", no_argument, NULL, 'g' },
		{ "device", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "kernels", required_argument, NULL, 'k' },
		{ "data", required_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	bool good = true;
	int c;

	while (good && (c = getopt_long(argc, argv, "e:b:s:fgd:jk:i:h", options, NULL)) != -1) {
		switch (c) {
		case 'e':
			good = parse_count("epochs", optarg, MAX_EPOCHS, &settings->epochs);
			break;
		case 'b':
			good = parse_count("batch", optarg, MAX_BATCH, &settings->batch);
			break;
		case 's':
			good = parse_number(optarg, UINT64_MAX, &settings->seed);
			if (!good)
				fprintf(stderr, "npu-digits: --seed takes a number\n");
			break;
		case 'f':
			settings->half = true;
			break;
		case 'g':
			settings->graph = true;
			break;
		case 'd':
			settings->device = optarg;
			break;
		case 'j':
			*json = true;
			break;
		case 'k':
			settings->kernels = optarg;
			break;
		case 'i':
			settings->data = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			good = false;
		}
	}
	if (good && optind == argc)
		return -1;
	usage(stderr);
	return 2;
}

/* The first of some files beside the program that exists; else the last one's name. */
static char *beside_program(const char *const *names)
{
	static char paths[2][PATH_MAX];
	static unsigned int used;
	char *path = paths[used++ % 2], program[PATH_MAX];
	const ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[length > 0 ? length : 0] = '\0';
	if (strrchr(program, '/'))
		*strrchr(program, '/') = '\0';
	do
		if (snprintf(path, PATH_MAX, "%s/%s", program, *names) >= PATH_MAX)
			path[0] = '\0';
	while (access(path, R_OK) && *++names);
	return path;
}

static bool result_new(struct result *result, const struct settings *settings,
		       const struct dataset *data)
{
	result->loss = calloc(settings->epochs, sizeof(*result->loss));
	result->predicted = calloc(data->test.count, sizeof(*result->predicted));
	return result->loss && result->predicted;
}

static void result_free(struct result *result)
{
	free(result->loss);
	free(result->predicted);
}

static double greater(double a, double b)
{
	return b > a || isnan(b) ? b : a;
}

static void compare(struct report *report)
{
	const struct tolerance *tolerance = &tolerances[report->settings->half];
	const struct images *test = &report->data->test;
	const float *npu = (const float *)&report->npu.weights;
	const float *cpu = (const float *)&report->cpu.weights;

	for (unsigned int i = 0; i < report->settings->epochs; i++) {
		const double want = report->cpu.loss[i];

		report->loss_error = greater(report->loss_error,
					     fabs(report->npu.loss[i] - want) / (1 + want));
	}
	for (size_t i = 0; i < PARAMETERS; i++)
		report->weight_error = greater(report->weight_error, fabs(npu[i] - cpu[i]));
	for (unsigned int i = 0; i < test->count; i++) {
		report->npu_right += report->npu.predicted[i] == test->labels[i];
		report->cpu_right += report->cpu.predicted[i] == test->labels[i];
		report->differing += report->npu.predicted[i] != report->cpu.predicted[i];
	}
	report->agree = report->loss_error <= tolerance->loss && !isnan(report->weight_error) &&
			report->differing <= tolerance->predicted * test->count;
}

static double images_per_second(const struct report *report, double seconds)
{
	return (double)report->data->train.count * report->settings->epochs / seconds;
}

static double percent(const struct report *report, unsigned int right)
{
	return 100.0 * right / report->data->test.count;
}

static void print_head(const struct settings *settings, const struct dataset *data)
{
	printf("%u images to train on, %u held out; %d-%d-%d, %s, batches of %u, seed %" PRIu64
	       "\n\nepoch         loss\n",
	       data->train.count, data->test.count, INPUTS, HIDDEN, CLASSES,
	       settings->half ? "fp16" : "fp32", settings->batch, settings->seed);
}

static void print_epoch(unsigned int epoch, float loss)
{
	printf("%5u %12.6f\n", epoch + 1, loss);
	fflush(stdout);
}

static void print_text(const struct report *report)
{
	const struct tolerance *tolerance = &tolerances[report->settings->half];
	const struct result *npu = &report->npu, *cpu = &report->cpu;
	const unsigned int last = report->settings->epochs - 1;

	printf("\n%-16s %12s %12s\n", "", npu->device, "CPU");
	printf("%-16s %12.6f %12.6f\n", "last loss", npu->loss[last], cpu->loss[last]);
	printf("%-16s %10.2f %% %10.2f %%\n", "accuracy", percent(report, report->npu_right),
	       percent(report, report->cpu_right));
	printf("%-16s %12.0f %12.0f\n", "images a second", images_per_second(report, npu->seconds),
	       images_per_second(report, cpu->seconds));
	printf("%-16s %10.3f s\n", "time on device", npu->device_seconds);
	printf("%-16s %10.3f s\n", "CPU to launch", npu->launch_seconds);
	printf("%-16s %10.3f s %10.3f s\n\n", "time in total", npu->seconds, cpu->seconds);
	printf("NPU and CPU %s: losses of all epochs within %.1e (tolerance %.0e),\n"
	       "%u of %u predictions differ (tolerance %.0f), weights within %.1e.\n",
	       report->agree ? "agree" : "DISAGREE", report->loss_error, tolerance->loss,
	       report->differing, report->data->test.count,
	       floor(tolerance->predicted * report->data->test.count), report->weight_error);
}

/* JSON has no word for what is not a number. */
static void print_value(const char *name, double value)
{
	if (isfinite(value))
		printf(", \"%s\": %.9g", name, value);
	else
		printf(", \"%s\": null", name);
}

static void print_losses(const char *name, const float *loss, unsigned int count)
{
	printf(", \"%s\": [", name);
	for (unsigned int i = 0; i < count; i++)
		printf(isfinite(loss[i]) ? "%s%.9g" : "%snull", i ? ", " : "", loss[i]);
	printf("]");
}

static void print_json(const struct report *report)
{
	const unsigned int epochs = report->settings->epochs;

	printf("{\"version\": 1, \"device\": \"%s\", \"precision\": \"%s\", \"epochs\": %u, "
	       "\"batch\": %u, \"seed\": %" PRIu64 ", \"train_images\": %u, \"test_images\": %u",
	       report->npu.device, report->settings->half ? "fp16" : "fp32", epochs,
	       report->settings->batch, report->settings->seed, report->data->train.count,
	       report->data->test.count);
	print_losses("loss", report->npu.loss, epochs);
	print_losses("cpu_loss", report->cpu.loss, epochs);
	print_value("accuracy", percent(report, report->npu_right) / 100);
	print_value("cpu_accuracy", percent(report, report->cpu_right) / 100);
	print_value("images_per_second", images_per_second(report, report->npu.seconds));
	print_value("cpu_images_per_second", images_per_second(report, report->cpu.seconds));
	print_value("device_seconds", report->npu.device_seconds);
	print_value("launch_seconds", report->npu.launch_seconds);
	print_value("seconds", report->npu.seconds);
	print_value("cpu_seconds", report->cpu.seconds);
	print_value("loss_error", report->loss_error);
	print_value("weight_error", report->weight_error);
	printf(", \"differing_predictions\": %u, \"agree\": %s}\n", report->differing,
	       report->agree ? "true" : "false");
}

static int run(const struct settings *settings, const struct dataset *data, bool json)
{
	struct report report = { .settings = settings, .data = data };
	int status = 2;

	if (!result_new(&report.npu, settings, data) || !result_new(&report.cpu, settings, data))
		fprintf(stderr, "npu-digits: out of memory\n");
	else if (!npu_train(settings, data, &report.npu) &&
		 !cpu_train(settings, data, &report.cpu)) {
		compare(&report);
		if (json)
			print_json(&report);
		else
			print_text(&report);
		status = !report.agree;
	}
	result_free(&report.npu);
	result_free(&report.cpu);
	return status;
}

int main(int argc, char **argv)
{
	static const char *const data_names[] = { "../../tools/npu-digits/digits.csv",
						  "../share/npu/digits.csv", NULL };
	static const char *const kernel_names[] = { "../kernels", "../share/npu/kernels", NULL };
	struct settings settings = {
		.epochs = 10, .batch = 32, .seed = 1, .rate = 0.1f, .momentum = 0.9f,
		.device = "0",
	};
	struct dataset data;
	bool json = false;
	int status = parse_options(argc, argv, &settings, &json);

	if (status >= 0)
		return status;
	if (!settings.data)
		settings.data = beside_program(data_names);
	if (!settings.kernels)
		settings.kernels = beside_program(kernel_names);
	if (dataset_load(settings.data, &data))
		return 2;
	if (!json) {
		print_head(&settings, &data);
		settings.epoch_done = print_epoch;
	}
	status = run(&settings, &data, json);
	dataset_free(&data);
	return status;
}
