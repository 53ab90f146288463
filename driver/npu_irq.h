/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_IRQ_H__
#define __NPU_IRQ_H__

struct npu_device;

int npu_irq_init(struct npu_device *npu);
void npu_irq_unmask(struct npu_device *npu);
void npu_irq_disable(struct npu_device *npu);
void npu_irq_enable(struct npu_device *npu);

#endif /* __NPU_IRQ_H__ */
