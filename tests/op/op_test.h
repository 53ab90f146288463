/* SPDX-License-Identifier: MIT */
/*
 * What the tests of operators share: TAP, tensors that the CPU sees, element types, comparison.
 * Each program runs here on the shim (OP_SHIM) and in the VM on libnpurt.
 */
#ifndef OP_TEST_H
#define OP_TEST_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <npuop/npuop.h>

#ifdef OP_SHIM
#include "shim.h"
#endif

/* Random cases of a kind: many where they are cheap. */
#ifdef OP_SHIM
#define ROUNDS 40
#else
#define ROUNDS 6
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SHAPE(...)                                                                                 \
	(sizeof((uint64_t[]){ __VA_ARGS__ }) / 8), (uint64_t[])                                    \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

struct op_fixture {
	npurt_device *device;
	npurt_context *context;
	npurt_stream *stream;
	npuop *ops;
};

extern struct op_fixture fx;

/*
 * op_begin(), op_end() - the fixture; op_end() gives the exit status.
 *
 * With OP_DIGEST in the environment each point tells a digest of all that was read from tensors
 * since the one before, for tests/tools/op-workers.sh.
 */
void op_begin(void);
int op_end(void);

/* ok() - one point; gives @pass back. */
bool ok(bool pass, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* need() - for calls that are no point of their own: ends the program when one fails. */
void need(int err, const char *what);
#define NEED(call) need(call, #call)
/* refused() - @err is an error, and the message of the handle begins with @argument. */
bool refused(int err, const char *argument, const char *what);
#define REFUSED(call, argument) refused(call, argument, #call)
/* sync_stream() - what was given to the stream has run, and well. */
void sync_stream(void);

/* Random numbers, the same in each run. */
uint32_t rnd(void);
uint64_t rnd_below(uint64_t n);
double rnd_uniform(void); /* in [-1, 1) */

/* tensor_new() - zeroed memory with a dense tensor in it; tensor_free() - of that memory. */
npuop_tensor tensor_new(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape);
void tensor_free(npuop_tensor *tensor);
/* tensor_random() - the same, with random elements: floats in [-1, 1), integers of any value */
npuop_tensor tensor_random(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape);

/* tensor_special() - the same; of floats one in eight is +-inf, NaN, +-0, denormal or largest */
npuop_tensor tensor_special(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape);

/*
 * tensor_view() - a random view with @shape of memory of its own: its dimensions in any order,
 * gaps between them, now and then between elements; @repeats: some dimensions repeat elements
 */
npuop_tensor tensor_view(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape,
			 bool repeats);

/* tensor_rows() - the same with random elements, of which those of the last dimension are dense */
npuop_tensor tensor_rows(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape,
			 bool repeats);

/*
 * tensor_strided() - the elements of @tensor in a random view whose last stride is not 1;
 * gaps_kept() - is what lies between them as it was?
 */
npuop_tensor tensor_strided(const npuop_tensor *tensor);
bool gaps_kept(const npuop_tensor *strided);

/* tensor_any() - random elements as tensor_random() has, dense or in a view of any strides */
npuop_tensor tensor_any(enum npuop_dtype dtype, uint32_t rank, const uint64_t *shape);

/* tensor_again() - the same in memory of its own, with all that is in the memory of @tensor */
npuop_tensor tensor_again(const npuop_tensor *tensor);
/*
 * put_edges() - one of @one_in elements becomes an infinity, NaN, a zero or a denormal; or, if
 * @large, the largest number of F16
 */
void put_edges(const npuop_tensor *tensor, uint64_t one_in, bool large);

/* tensor_get(), tensor_set() - element by its index in row-major order of the view. */
double tensor_get(const npuop_tensor *tensor, uint64_t index);
void tensor_set(const npuop_tensor *tensor, uint64_t index, double value);

/* tensor_values() - all elements in row-major order; numbers() - as many zeros. To be freed. */
double *tensor_values(const npuop_tensor *tensor);
double *numbers(uint64_t count);

/* activated() - the activation function of @x */
double activated(enum npuop_activation activation, double x);

/* round_to() - @value as @dtype holds it. */
double round_to(enum npuop_dtype dtype, double value);

/*
 * close_to() - is each element of @tensor within absolute + relative * |want| of @want? NaN
 * equals NaN, and an infinity only itself. One point, which names the first that is not.
 */
bool close_to(const npuop_tensor *tensor, const double *want, double absolute, double relative,
	      const char *format, ...) __attribute__((format(printf, 5, 6)));
/* within() - the same, with a bound for each element */
bool within(const npuop_tensor *tensor, const double *want, const double *bound, const char *format,
	    ...) __attribute__((format(printf, 4, 5)));
/* same_bits() - are all elements of two tensors of a type and shape the same bits? No point. */
bool same_bits(const npuop_tensor *a, const npuop_tensor *b);
/* same_memory() - is the memory of two tensors the same, gaps and all types included? No point. */
bool same_memory(const npuop_tensor *a, const npuop_tensor *b);
/* ulp() - the step from one number of a float type to the next at @value */
double ulp(enum npuop_dtype dtype, double value);

#endif /* OP_TEST_H */
