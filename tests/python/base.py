# SPDX-License-Identifier: MIT
"""What the tests share: a device with a context and a stream."""

import os
import unittest

import npurt

MODULE = os.path.join(os.environ["NPU_MODULES"], "rt_kernels.elf")


class OnDevice(unittest.TestCase):

    def setUp(self):
        self.device = npurt.Device()
        self.context = self.device.context()
        self.stream = self.context.stream()
        self.is_null = self.device.properties["name"] == "null device"

    def tearDown(self):
        self.stream.close()
        self.context.close()
        self.device.close()

    def host(self, size, **attributes):
        return self.context.memory(size, npurt.Placement.HOST, **attributes)
