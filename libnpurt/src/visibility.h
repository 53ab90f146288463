/* SPDX-License-Identifier: MIT */
/* Put before each source: what npurt.h declares is the interface, all else is hidden. */
#pragma GCC visibility push(default)
#include <npurt/npurt.h>
#pragma GCC visibility pop
