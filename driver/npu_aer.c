// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>

#include <drm/drm_print.h>

#include <npu/npu_regs.h>

#include "npu_admin.h"
#include "npu_aer.h"
#include "npu_device.h"
#include "npu_mmio.h"
#include "npu_pm.h"
#include "npu_reset.h"

/**
 * DOC: Errors of the bus
 *
 * As Documentation/PCI/pci-error-recovery.rst has it. An error that is not fatal costs
 * nothing if the device answers as it should. With a fatal one it goes off line until the
 * link has been reset: queues are lost, HBM and with it VMs and buffers are not. The PCI core
 * has woken the device; calls that need it wait for the end of that.
 */

static struct npu_device *pci_to_npu(struct pci_dev *pdev)
{
	return pci_get_drvdata(pdev);
}

static pci_ers_result_t npu_aer_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct npu_device *npu = pci_to_npu(pdev);

	switch (state) {
	case pci_channel_io_normal:
		return PCI_ERS_RESULT_CAN_RECOVER;
	case pci_channel_io_frozen:
		npu_reset_offline(npu);
		return PCI_ERS_RESULT_NEED_RESET;
	default:
		npu_reset_offline(npu);
		npu_reset_lost(npu);
		return PCI_ERS_RESULT_DISCONNECT;
	}
}

static pci_ers_result_t npu_aer_mmio_enabled(struct pci_dev *pdev)
{
	struct npu_device *npu = pci_to_npu(pdev);

	if (npu_read(npu, NPU_REG_MAGIC) == NPU_MAGIC &&
	    READ_ONCE(npu->state) == NPU_DEVICE_ALIVE)
		return PCI_ERS_RESULT_RECOVERED;

	npu_reset_offline(npu);
	return PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t npu_aer_slot_reset(struct pci_dev *pdev)
{
	struct npu_device *npu = pci_to_npu(pdev);

	if (!npu_reset_slot(npu))
		return PCI_ERS_RESULT_RECOVERED;

	npu_reset_lost(npu);
	return PCI_ERS_RESULT_DISCONNECT;
}

static void npu_aer_resume(struct pci_dev *pdev)
{
	npu_reset_online(pci_to_npu(pdev));
}

static void npu_aer_reset_prepare(struct pci_dev *pdev)
{
	npu_reset_prepare(pci_to_npu(pdev));
}

static void npu_aer_reset_done(struct pci_dev *pdev)
{
	npu_reset_done(pci_to_npu(pdev));
}

const struct pci_error_handlers npu_aer_handlers = {
	.error_detected = npu_aer_detected,
	.mmio_enabled = npu_aer_mmio_enabled,
	.slot_reset = npu_aer_slot_reset,
	.resume = npu_aer_resume,
	.reset_prepare = npu_aer_reset_prepare,
	.reset_done = npu_aer_reset_done,
};
