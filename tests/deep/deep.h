/* SPDX-License-Identifier: MIT */
/* What the programs of `make check-deep` share: results as TAP, and what is the same as before. */
#ifndef DEEP_H
#define DEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "npu_util.h"

/** result() - one line of TAP; @format says what was tested */
void result(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** skip() - likewise, for what was not tested */
void skip(const char *what);
/** done() - the plan; the program's exit status */
int done(void);

/** file_write() - 0 or a negative errno */
int file_write(const char *path, const char *text);

/** device_works() - a new file, VM and queue copy what they should */
bool device_works(void);
/** memory_query() - what is in use; memory_is_back() - the same again, soon */
void memory_query(struct drm_npu_dev_memory *memory);
bool memory_is_back(const struct drm_npu_dev_memory *before);

/** pci_device() - the first NPU's PCI address; false if there is none */
bool pci_device(char *name, unsigned int size);

#endif
