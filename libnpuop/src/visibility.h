/* SPDX-License-Identifier: MIT */
/* Put before each source: what npuop.h declares is the interface, all else is hidden. */
#pragma GCC visibility push(default)
#include <npuop/npuop.h>
#pragma GCC visibility pop
