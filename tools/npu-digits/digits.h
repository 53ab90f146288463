/* SPDX-License-Identifier: MIT */
/*
 * npu-digits: a two-layer perceptron that reads handwritten digits.
 *
 *	hidden = relu(x * w1 + b1)	logits = hidden * w2 + b2
 *
 * trained with momentum SGD on the softmax cross entropy, once on the NPU and once on
 * the CPU, from the same start and in the same order.
 */
#ifndef DIGITS_H
#define DIGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	INPUTS = 64,
	HIDDEN = 128,
	CLASSES = 10,
};

/* All that is trained; gradients and velocities have the same layout. */
struct parameters {
	float w1[INPUTS][HIDDEN];
	float b1[HIDDEN];
	float w2[HIDDEN][CLASSES];
	float b2[CLASSES];
};

#define PARAMETERS (sizeof(struct parameters) / sizeof(float))

struct settings {
	unsigned int epochs;
	unsigned int batch;
	uint64_t seed;
	float rate;
	float momentum;
	bool half; /* fp16 operands in matrix products */
	bool graph; /* an epoch is one launch */
	const char *device; /* index or bus id */
	const char *data; /* CSV file */
	const char *kernels; /* directory of the kernel modules */
	void (*epoch_done)(unsigned int epoch, float loss); /* on the NPU; or NULL */
};

struct images {
	unsigned int count;
	float (*pixels)[INPUTS]; /* 0 to 1; exact in fp16 */
	int32_t *labels;
};

struct dataset {
	struct images train, test;
};

/* What a training gives; arrays by the caller, see result_new(). */
struct result {
	struct parameters weights;
	float *loss; /* mean of each epoch */
	int32_t *predicted; /* of each test image */
	double seconds; /* of the training, as the caller waits for it */
	double launch_seconds; /* of the CPU, to give the steps to the device */
	double device_seconds; /* of it as the device's own clock saw it */
	char device[32];
};

/* data.c */
int dataset_load(const char *path, struct dataset *data);
void dataset_free(struct dataset *data);
/* The same start and the same order for both trainings. */
void parameters_init(struct parameters *weights, uint64_t seed);
void shuffle(unsigned int *order, unsigned int count, uint64_t seed, unsigned int epoch);

/* cpu.c */
int cpu_train(const struct settings *settings, const struct dataset *data,
	      struct result *result);

/* npu.c */
int npu_train(const struct settings *settings, const struct dataset *data,
	      struct result *result);

/* main.c */
double now_seconds(void);
double cpu_seconds(void); /* of this thread */

#endif /* DIGITS_H */
