# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the VM is made of: a PCI Express machine, the virtio devices that carry its file system and
# console, an NVMe disk to measure against, a vIOMMU, and the NPU. Everything else stays out.

CONFIG_Q35=y
CONFIG_VTD=y
CONFIG_PCIE_PORT=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_9P=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_VIRTIO_RNG=y
CONFIG_VIRTIO_BLK=y
CONFIG_NVME_PCI=y
CONFIG_NPU=y
