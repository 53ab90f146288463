# SPDX-License-Identifier: MIT
#
# The front door. `make help` lists what there is; each part has a Makefile of its own.

O ?= $(CURDIR)/build
override O := $(abspath $(O))
export O
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)

ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(JOBS)
endif
MAKEFLAGS += --no-print-directory

# $(call part,FOLDER): makes a part in its folder; V=1 shows how.
part = +@$(if $(V),,echo '  MAKE       $(1)';) $(MAKE) $(if $(V),,-s) -C $(1) O=$(O)

QEMU := $(O)/qemu/qemu-system-x86_64
KDIR ?= $(O)/kernel/headers
DEBUG_KERNELS ?= debug kcsan
VM := tools/npu-vm

.PHONY: help
help:
	@echo 'On a bare Debian 12 or 13, as root or with sudo; each does all that is missing:'
	@echo
	@echo '  make run        boot the VM and train a network on the NPU'
	@echo '  make gpt        train a transformer on the NPU and let it write, in 15 minutes'
	@echo '  make check      run the tests, but for those of check-deep'
	@echo '  make check-deep run the tests that take long, on debug kernels (built at the first time)'
	@echo '  make bench      measure the stack against its peers'
	@echo '  make all        build everything'
	@echo '  make docs       the driver, its uAPI and the manual pages as HTML, in build/docs'
	@echo '  make install    install library, headers, man pages and tools (PREFIX, DESTDIR)'
	@echo '  make clean      remove what was built, keep what was downloaded and the kernels'
	@echo '  make distclean  remove build/ altogether'
	@echo
	@echo 'The parts: setup qemu core vm firmware kernels driver lib operators tools tests'
	@echo 'Once built, tools/npu-vm -- COMMAND runs a command in the VM; tools/npu-vm --help.'

.PHONY: all
all: qemu firmware kernels driver lib operators tools tests

# Packages, QEMU's source, the kernel. Skips what is done, so everything may depend on it.
.PHONY: setup kernel
setup kernel &:
	@scripts/setup.sh

.PHONY: core
core: setup
	$(call part,qemu-device/core)

# ninja links again when libnpucore.a changed, and only then. Its meson is the private one.
.PHONY: qemu
qemu: core
	@scripts/build-qemu.sh

.PHONY: vm firmware kernels lib operators tools tests
vm: setup
	$(call part,tools/vm)
firmware: setup
	$(call part,firmware/mcu)
kernels: setup
	$(call part,firmware/kernels)
lib: setup
	$(call part,libnpurt)
operators: lib kernels
	$(call part,libnpuop)
tools: lib operators
	$(call part,tools)
tests: core lib operators tools
	$(call part,tests)

.PHONY: driver
driver: setup
	+@scripts/build-driver.sh "$(KDIR)"

# Kernels that look for mistakes, built once, and npu.ko for them.
.PHONY: debug-kernels
debug-kernels: setup
	+@scripts/debug-kernel.sh $(DEBUG_KERNELS)
	+@$(foreach k,$(DEBUG_KERNELS),scripts/build-driver.sh "$(O)/debug/$(k)/headers" $(k) &&) true

.PHONY: run
run: all
	@scripts/demo.sh

# The text is the package bible-kjv's.
.PHONY: gpt
gpt: all
	@scripts/gpt.sh

.PHONY: check
check: all
	@tests/run

.PHONY: check-deep
check-deep: all debug-kernels
	@scripts/debug-kernel.sh clang
	@scripts/newest-kernel.sh
	@tests/run --deep --jobs 2

.PHONY: bench
bench: all
	@tools/npu-bench

.PHONY: docs
docs: setup
	@sphinx-build -q -W --keep-going -b html docs/accel $(O)/docs
	@scripts/man-html.py $(O)/docs/manual libnpurt libnpuop tools

.PHONY: install
install: lib operators tools kernels
	@$(MAKE) -C firmware/kernels O=$(O) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) install
	@$(MAKE) -C libnpurt O=$(O) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) install
	@$(MAKE) -C libnpuop O=$(O) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) install
	@$(MAKE) -C tools O=$(O) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) install

.PHONY: clean distclean
clean:
	rm -rf $(addprefix $(O)/,bin check core deep docs driver firmware fuzz fw kernels kselftest \
		ksft lib obj tests vm) $(QEMU)
distclean:
	rm -rf $(O)
