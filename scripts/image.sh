# SPDX-License-Identifier: MIT
#
# What the VM needs of a kernel that Debian ships: sourced by kernel.sh and newest-kernel.sh.

# What the guest's root, the driver and the bench stand on. Their own dependencies are found.
MODULES="9p 9pnet_virtio overlay virtio-rng nvme
	 drm drm_exec drm_gpuvm gpu-sched ttm drm_ttm_helper drm_buddy drm_shmem_helper"

# field FILE OFFSET COUNT: reads COUNT bytes at OFFSET as a little-endian number.
field()
{
	od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# unpack_image VMLINUZ VMLINUX: the boot protocol's header says where the compressed ELF image is
# (payload_offset and payload_length count from the end of the set-up sectors). Unpacking it here
# spares TCG the work.
unpack_image()
{
	local start=$((($(field "$1" $((0x1f1)) 1) + 1) * 512 + $(field "$1" $((0x248)) 4)))
	local length=$(field "$1" $((0x24c)) 4)

	# The last four bytes are the size once unpacked, not part of the stream.
	dd if="$1" iflag=skip_bytes,count_bytes bs=1M skip=$start count=$((length - 4)) |
		zstd -qdc >"$2"
}

# gather_modules TREE DIR: takes the modules that are needed from the tree that Debian ships to
# DIR/lib/modules.
gather_modules()
{
	local tree=$1 release=${1##*/} out=$2/lib/modules/${1##*/} todo=$MODULES name file

	find "$tree/kernel" -name '*.ko*' >"$O/stamps/modules.list"
	mkdir -p "$out/kernel"
	cp "$tree"/modules.{builtin,builtin.modinfo,order} "$out"
	while [ -n "${todo// /}" ]; do
		set -- $todo
		name=$1
		shift
		todo="$*"
		[ ! -e "$out/kernel/$name.ko" ] || continue
		# A file may spell its module's name with dashes or underscores.
		file=$(grep -m 1 -E "/${name//[-_]/[-_]}\.ko(\.xz)?$" "$O/stamps/modules.list")
		[ -n "$file" ] || die "the kernel has no module $name"
		case $file in
		*.xz) xz -dc "$file" >"$out/kernel/$name.ko" ;;
		*) cp "$file" "$out/kernel/$name.ko" ;;
		esac
		todo="$todo $(modinfo -F depends "$out/kernel/$name.ko" | tr ',' ' ')"
	done
	depmod -b "${out%/lib/modules/*}" "$release"
}
