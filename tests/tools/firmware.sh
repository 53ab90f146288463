#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM: an image that is not whole or of a wrong version is refused with a message that
# says which, and a good one works after it.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${NPU_BUILD:-$top/build}
good=$build/fw/npu/npu-mcu.bin
path=/sys/module/firmware_class/parameters/path
folder=$(mktemp -d)

# Writes bytes at an offset of a copy of the good image, loads the driver, and looks for a message.
refuses()
{
	mkdir -p "$folder/npu"
	cp "$good" "$folder/npu/npu-mcu.bin"
	printf "$2" | dd of="$folder/npu/npu-mcu.bin" bs=1 seek="$1" conv=notrunc status=none
	refuses_image "$3"
}

refuses_image()
{
	printf %s "$folder" >"$path"
	dmesg -C
	rmmod npu && insmod "$build/driver/npu.ko"
	dmesg | grep npu
	[ ! -e /sys/class/accel/accel0 ] || { echo "the driver has bound"; return 1; }
	dmesg | grep -q "$1"
}

truncated()
{
	head -c 100 "$good" >"$folder/npu/npu-mcu.bin"
	refuses_image "size 100"
}

missing()
{
	rm "$folder/npu/npu-mcu.bin"
	refuses_image "cannot load npu/npu-mcu.bin"
}

accepts_the_good_one()
{
	printf %s "$build/fw" >"$path"
	rmmod npu && insmod "$build/driver/npu.ko" && chmod 666 /dev/accel/* &&
		"$build/kselftest/submit"
}

# Offsets of struct npu_fw_header: magic 0, header version 4, admin ABI 8, payload from 128.
check "bad magic" refuses 0 'XXXX' "bad magic"
check "wrong header version" refuses 4 '\11' "wrong version: header version 9"
check "wrong admin ABI" refuses 8 '\11' "wrong version: admin ABI 9"
check "changed payload" refuses 4096 'changed' "digest"
check "changed header" refuses 40 'x' "digest"
check "truncated image" truncated
check "no image" missing
check "a good image after all these" accepts_the_good_one
rm -rf "$folder"
done_testing
