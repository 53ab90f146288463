// SPDX-License-Identifier: MIT
/* Options. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gpt.h"

#define MAX_PROMPTS 64
#define MAX_ROWS (1u << 20) /* batch x context */

double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void usage(FILE *to)
{
	fputs("usage: npu-gpt train --text FILE [OPTION]...\n"
	      "       npu-gpt generate --load FILE [--prompt TEXT]... [OPTION]...\n"
	      "Train a transformer on a text, byte by byte, on the NPU; let it write.\n\n"
	      "train:\n"
	      "  -t, --text FILE       what to learn; the last twentieth is held out\n"
	      "  -s, --save FILE       where the checkpoint goes, as safetensors\n"
	      "  -l, --load FILE       a checkpoint to go on from\n"
	      "      --steps N         of the whole training (1500)\n"
	      "      --stop N          leave off after step N of them\n"
	      "      --dim N           width (192)\n"
	      "      --layers N        (4)\n"
	      "      --heads N         (6)\n"
	      "      --context N       bytes of a sequence (128)\n"
	      "  -b, --batch N         sequences of a step (32)\n"
	      "      --rate X          greatest learning rate (0.003)\n"
	      "      --every N         tell the loss of each Nth step\n"
	      "generate:\n"
	      "  -l, --load FILE       the checkpoint\n"
	      "  -p, --prompt TEXT     how a sequence begins; more of them for more sequences\n"
	      "  -n, --bytes N         to write for each (400)\n"
	      "      --temperature X   0 takes the likeliest byte (0.8)\n"
	      "      --top-k N         choose from the N likeliest; 0: all (0)\n"
	      "      --top-p X         ... from those that make up X of the probability (0.95)\n"
	      "both:\n"
	      "      --cpu             on the CPU with OpenBLAS, to compare: without checkpoints, and\n"
	      "                        always the likeliest byte\n"
	      "      --seed N          of all chance (1)\n"
	      "  -d, --device NAME     number or PCI address of the NPU (0)\n"
	      "  -h, --help            this text\n\n"
	      "Exit status: 0 well, 1 no better than 5-grams with backoff, 2 an error.\n",
	      to);
}

enum {
	OPT_STEPS = 256,
	OPT_STOP,
	OPT_DIM,
	OPT_LAYERS,
	OPT_HEADS,
	OPT_CONTEXT,
	OPT_RATE,
	OPT_EVERY,
	OPT_CPU,
	OPT_TEMPERATURE,
	OPT_TOP_K,
	OPT_TOP_P,
	OPT_SEED,
};

static const struct option long_options[] = {
	{ "text", required_argument, NULL, 't' },
	{ "save", required_argument, NULL, 's' },
	{ "load", required_argument, NULL, 'l' },
	{ "batch", required_argument, NULL, 'b' },
	{ "prompt", required_argument, NULL, 'p' },
	{ "bytes", required_argument, NULL, 'n' },
	{ "device", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ "steps", required_argument, NULL, OPT_STEPS },
	{ "stop", required_argument, NULL, OPT_STOP },
	{ "dim", required_argument, NULL, OPT_DIM },
	{ "layers", required_argument, NULL, OPT_LAYERS },
	{ "heads", required_argument, NULL, OPT_HEADS },
	{ "context", required_argument, NULL, OPT_CONTEXT },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "every", required_argument, NULL, OPT_EVERY },
	{ "cpu", no_argument, NULL, OPT_CPU },
	{ "temperature", required_argument, NULL, OPT_TEMPERATURE },
	{ "top-k", required_argument, NULL, OPT_TOP_K },
	{ "top-p", required_argument, NULL, OPT_TOP_P },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ 0 },
};

static const char *option_name(int c)
{
	for (const struct option *o = long_options; o->name; o++)
		if (o->val == c)
			return o->name;
	return "";
}

static bool number(int c, uint64_t least, uint64_t most, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(optarg, &end, 0);
	if (!errno && end != optarg && !*end && *optarg != '-' && *value >= least && *value <= most)
		return true;
	fprintf(stderr, "npu-gpt: --%s takes %" PRIu64 " to %" PRIu64 ", not '%s'\n",
		option_name(c), least, most, optarg);
	return false;
}

static bool count(int c, uint32_t least, uint32_t most, uint32_t *value)
{
	uint64_t wide = 0;
	const bool good = number(c, least, most, &wide);

	*value = (uint32_t)wide;
	return good;
}

static bool real(int c, float most, float *value)
{
	char *end;

	errno = 0;
	*value = strtof(optarg, &end);
	if (!errno && end != optarg && !*end && *value >= 0 && *value <= most)
		return true;
	fprintf(stderr, "npu-gpt: --%s takes 0 to %g, not '%s'\n", option_name(c), most, optarg);
	return false;
}

static bool add_prompt(struct options *o)
{
	if (o->count == MAX_PROMPTS || !*optarg) {
		fprintf(stderr, "npu-gpt: --prompt: %s\n",
			*optarg ? "no more than 64 of them" : "is empty");
		return false;
	}
	o->prompts[o->count++] = optarg;
	return true;
}

static bool take_option(struct options *o, int c)
{
	switch (c) {
	case 't':
		o->text = optarg;
		return true;
	case 's':
		o->save = optarg;
		return true;
	case 'l':
		o->load = optarg;
		return true;
	case 'd':
		o->device = optarg;
		return true;
	case 'p':
		return add_prompt(o);
	case 'b':
		return count(c, 1, MAX_ROWS / 2, &o->batch);
	case 'n':
		return count(c, 1, 1 << 20, &o->bytes);
	case OPT_STEPS:
		return count(c, 1, UINT32_MAX, &o->steps);
	case OPT_STOP:
		return count(c, 1, UINT32_MAX, &o->stop);
	case OPT_EVERY:
		return count(c, 1, UINT32_MAX, &o->every);
	case OPT_DIM:
		return count(c, 1, GPT_MAX_DIM, &o->shape.dim);
	case OPT_LAYERS:
		return count(c, 1, GPT_MAX_LAYERS, &o->shape.layers);
	case OPT_HEADS:
		return count(c, 1, GPT_MAX_DIM, &o->shape.heads);
	case OPT_CONTEXT:
		return count(c, 2, GPT_MAX_CONTEXT, &o->shape.context);
	case OPT_RATE:
		return real(c, 1, &o->rate);
	case OPT_TEMPERATURE:
		return real(c, 100, &o->choice.temperature);
	case OPT_TOP_K:
		return count(c, 0, GPT_VOCABULARY, &o->choice.top_k);
	case OPT_TOP_P:
		return real(c, 1, &o->choice.top_p);
	case OPT_SEED:
		return number(c, 0, UINT64_MAX, &o->seed);
	default:
		o->cpu = true;
		return true;
	}
}

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "t:s:l:b:p:n:d:h", long_options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 0;
		}
		if (c == '?') {
			usage(stderr);
			return 2;
		}
		if (!take_option(o, c))
			return 2;
	}
	if (gpt_shape_error(&o->shape)) {
		fprintf(stderr, "npu-gpt: %s\n", gpt_shape_error(&o->shape));
		return 2;
	}
	if ((uint64_t)o->batch * o->shape.context > MAX_ROWS) {
		fprintf(stderr, "npu-gpt: --batch: %u sequences of %u bytes are more than %u\n",
			o->batch, o->shape.context, MAX_ROWS);
		return 2;
	}
	o->choice.seed = o->seed;
	return -1;
}

int main(int argc, char **argv)
{
	const char *prompts[MAX_PROMPTS] = { "In the beginning" };
	struct options o = {
		.device = "0",
		.shape = { 192, 4, 6, 128 },
		.batch = 32,
		.steps = 1500,
		.rate = 3e-3f,
		.seed = 1,
		.prompts = prompts,
		.bytes = 400,
		.choice = { .temperature = 0.8f, .top_p = 0.95f },
	};
	const int status = parse_options(argc, argv, &o);
	const char *command = optind < argc ? argv[optind] : "";

	if (status >= 0)
		return status;
	if (o.cpu && (o.save || (o.load && !strcmp(command, "train")))) {
		fprintf(stderr, "npu-gpt: --cpu: trains without checkpoints\n");
		return 2;
	}
	if (optind + 1 == argc && !strcmp(command, "train") && o.text)
		return train(&o);
	if (!o.count)
		o.count = 1;
	if (optind + 1 == argc && !strcmp(command, "generate") && o.load)
		return generate(&o);
	usage(stderr);
	return 2;
}
