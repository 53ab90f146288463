/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_AER_H__
#define __NPU_AER_H__

struct pci_error_handlers;

extern const struct pci_error_handlers npu_aer_handlers;

#endif /* __NPU_AER_H__ */
