/* SPDX-License-Identifier: MIT */
/* Numbers of GELU and of its approximation by tanh. */
#ifndef OP_GELU_H
#define OP_GELU_H

#define ROOT_HALF 0x1.6a09e6p-1f /* 1 / sqrt(2) */
#define TANH_1 0x1.988454p-1f /* sqrt(2 / pi) */
#define TANH_3 0x1.2444f2p-5f /* 0.044715 of that */

#endif /* OP_GELU_H */
