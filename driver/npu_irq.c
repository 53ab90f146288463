// SPDX-License-Identifier: GPL-2.0-only
#include <linux/interrupt.h>
#include <linux/pci.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <npu/npu_regs.h>

#include "npu_admin.h"
#include "npu_cq.h"
#include "npu_device.h"
#include "npu_fw.h"
#include "npu_irq.h"
#include "npu_mmio.h"
#include "npu_reset.h"
#include "npu_trace.h"

#define NPU_IRQ_CAUSES (NPU_IRQ_CAUSE_ADMIN | NPU_IRQ_CAUSE_EVENT | NPU_IRQ_CAUSE_FW_DEAD)

/**
 * npu_irq_management() - handler of vector 0
 * @irq: interrupt
 * @arg: device
 *
 * Return: IRQ_HANDLED if the device had a cause.
 */
static irqreturn_t npu_irq_management(int irq, void *arg)
{
	struct npu_device *npu = arg;
	u32 cause = npu_read(npu, NPU_REG_IRQ_CAUSE);

	/* All ones: the device has been pulled out. */
	if (!cause || cause == ~0U)
		return IRQ_NONE;

	npu_write(npu, NPU_REG_IRQ_CAUSE, cause);
	trace_npu_fw_irq(npu, cause);

	if (cause & NPU_IRQ_CAUSE_ADMIN)
		npu_admin_process(npu);

	if (cause & NPU_IRQ_CAUSE_EVENT)
		npu_fw_event(npu);

	if (cause & NPU_IRQ_CAUSE_FW_DEAD) {
		npu_admin_fail(npu);
		npu_reset_schedule(npu, "firmware has crashed");
	}

	return IRQ_HANDLED;
}

/**
 * npu_irq_completion() - handler of a completion ring's vector
 * @irq: interrupt
 * @arg: completion ring
 *
 * Return: IRQ_HANDLED.
 */
static irqreturn_t npu_irq_completion(int irq, void *arg)
{
	npu_cq_process(arg);
	return IRQ_HANDLED;
}

/**
 * npu_irq_request() - install a handler
 * @npu: device
 * @vector: vector
 * @handler: handler
 * @arg: its argument
 * @name: name, or NULL without memory
 *
 * Return: 0 on success, a negative error code otherwise.
 */
static int npu_irq_request(struct npu_device *npu, unsigned int vector, irq_handler_t handler,
			   void *arg, const char *name)
{
	int irq = pci_irq_vector(npu->pdev, vector);

	if (irq < 0)
		return irq;
	if (!name)
		return -ENOMEM;

	npu->irqs[vector] = irq;
	return devm_request_irq(npu->drm.dev, irq, handler, 0, name, arg);
}

/**
 * npu_irq_init() - allocate vectors and completion rings, install handlers
 * @npu: device
 *
 * Return: 0 on success, a negative error code otherwise.
 */
int npu_irq_init(struct npu_device *npu)
{
	struct irq_affinity affinity = { .pre_vectors = 1 };
	struct device *dev = npu->drm.dev;
	unsigned int i, wanted;
	int ret;

	/* Who had the device before may have left them on: nothing is ready for events yet. */
	npu_write(npu, NPU_REG_IRQ_ENABLE, 0);

	wanted = min(npu->info.num_cqs, num_online_cpus());
	ret = pci_alloc_irq_vectors_affinity(npu->pdev, 2, 1 + wanted,
					     PCI_IRQ_MSIX | PCI_IRQ_AFFINITY, &affinity);
	if (ret < 0) {
		drm_err(&npu->drm, "no MSI-X vectors: %pe\n", ERR_PTR(ret));
		return ret;
	}
	npu->num_vectors = ret;

	npu->irqs = drmm_kcalloc(&npu->drm, npu->num_vectors, sizeof(*npu->irqs), GFP_KERNEL);
	if (!npu->irqs)
		return -ENOMEM;

	ret = npu_cq_init(npu, npu->num_vectors - 1);
	if (ret)
		return ret;

	ret = npu_irq_request(npu, 0, npu_irq_management, npu,
			      devm_kasprintf(dev, GFP_KERNEL, "npu%d-mgmt",
					     npu->drm.accel->index));
	if (ret)
		return ret;

	for (i = 0; i < npu->num_cqs; i++) {
		ret = npu_irq_request(npu, 1 + i, npu_irq_completion, &npu->cqs[i],
				      devm_kasprintf(dev, GFP_KERNEL, "npu%d-cq%u",
						     npu->drm.accel->index, i));
		if (ret)
			return ret;
	}

	return 0;
}

/**
 * npu_irq_unmask() - let the device use the management vector
 * @npu: device
 */
void npu_irq_unmask(struct npu_device *npu)
{
	npu_write(npu, NPU_REG_IRQ_ENABLE, NPU_IRQ_CAUSES);
}

/**
 * npu_irq_disable() - no handler runs after this
 * @npu: device
 */
void npu_irq_disable(struct npu_device *npu)
{
	unsigned int i;

	npu_write(npu, NPU_REG_IRQ_ENABLE, 0);
	for (i = 0; i < npu->num_vectors; i++)
		disable_irq(npu->irqs[i]);
}

/**
 * npu_irq_enable() - undo npu_irq_disable()
 * @npu: device
 */
void npu_irq_enable(struct npu_device *npu)
{
	unsigned int i;

	for (i = 0; i < npu->num_vectors; i++)
		enable_irq(npu->irqs[i]);
	npu_irq_unmask(npu);
}
