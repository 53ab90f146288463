// SPDX-License-Identifier: GPL-2.0-only
#include "../npu_compat.h"

MODULE_DESCRIPTION("KUnit tests for the NPU driver");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
