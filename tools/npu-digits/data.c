// SPDX-License-Identifier: MIT
/* The images, and the random numbers that training starts from. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"

#define HELD_OUT 5 /* every fifth image is for the test */
#define PIXEL_MAX 16

static int images_grow(struct images *images)
{
	const unsigned int room = images->count + 1;
	void *pixels, *labels;

	/* In steps of powers of two. */
	if (images->count & (images->count - 1))
		return 0;
	pixels = realloc(images->pixels, 2 * room * sizeof(*images->pixels));
	if (pixels)
		images->pixels = pixels;
	labels = realloc(images->labels, 2 * room * sizeof(*images->labels));
	if (labels)
		images->labels = labels;
	return pixels && labels ? 0 : -ENOMEM;
}

/* One line: INPUTS pixels and the digit. */
static bool parse_line(char *line, float *pixels, int32_t *label)
{
	char *at = line, *end;

	for (unsigned int i = 0; i <= INPUTS; i++) {
		const long value = strtol(at, &end, 10);
		const bool last = i == INPUTS;

		if (end == at || value < 0 || value > (last ? CLASSES - 1 : PIXEL_MAX) ||
		    (last ? *end && *end != '\n' && *end != '\r' : *end != ','))
			return false;
		if (last)
			*label = (int32_t)value;
		else
			pixels[i] = (float)value / PIXEL_MAX;
		at = end + 1;
	}
	return true;
}

static int read_images(FILE *file, const char *path, struct dataset *data)
{
	char *line = NULL;
	size_t size = 0;
	unsigned int number = 0;
	int err = 0;

	while (!err && getline(&line, &size, file) > 0) {
		struct images *images = ++number % HELD_OUT ? &data->train : &data->test;

		err = images_grow(images);
		if (err) {
			fprintf(stderr, "npu-digits: out of memory\n");
		} else if (!parse_line(line, images->pixels[images->count],
				       &images->labels[images->count])) {
			fprintf(stderr, "npu-digits: %s:%u: not %d pixels of 0..%d and a digit\n",
				path, number, INPUTS, PIXEL_MAX);
			err = -EINVAL;
		} else {
			images->count++;
		}
	}
	free(line);
	if (!err && !data->test.count) {
		fprintf(stderr, "npu-digits: %s: too few images\n", path);
		err = -EINVAL;
	}
	return err;
}

int dataset_load(const char *path, struct dataset *data)
{
	FILE *file = fopen(path, "r");
	int err;

	memset(data, 0, sizeof(*data));
	if (!file) {
		err = -errno;
		fprintf(stderr, "npu-digits: %s: %s\n", path, strerror(errno));
		return err;
	}
	err = read_images(file, path, data);
	fclose(file);
	if (err)
		dataset_free(data);
	return err;
}

void dataset_free(struct dataset *data)
{
	free(data->train.pixels);
	free(data->train.labels);
	free(data->test.pixels);
	free(data->test.labels);
	memset(data, 0, sizeof(*data));
}

/* A 64-bit mix of a counter: splitmix. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Uniform with the variance that suits a layer followed by ReLU. */
static void init_layer(float *w, size_t count, unsigned int inputs, uint64_t *state)
{
	const float limit = sqrtf(6.0f / inputs);

	for (size_t i = 0; i < count; i++)
		w[i] = ((float)(next_random(state) >> 40) / 8388608.0f - 1) * limit;
}

void parameters_init(struct parameters *weights, uint64_t seed)
{
	uint64_t state = seed;

	memset(weights, 0, sizeof(*weights));
	init_layer(&weights->w1[0][0], INPUTS * HIDDEN, INPUTS, &state);
	init_layer(&weights->w2[0][0], HIDDEN * CLASSES, HIDDEN, &state);
}

void shuffle(unsigned int *order, unsigned int count, uint64_t seed, unsigned int epoch)
{
	uint64_t state = seed ^ (epoch + 1ull) << 32;

	for (unsigned int i = 0; i < count; i++)
		order[i] = i;
	for (unsigned int i = count - 1; i > 0; i--) {
		const unsigned int j = next_random(&state) % (i + 1);
		const unsigned int kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
}
