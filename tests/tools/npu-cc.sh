#!/bin/bash
# SPDX-License-Identifier: MIT
# npu-cc, as it is here and as it is installed: modules outside of the tree, and what it refuses.

top=$(cd "$(dirname "$0")/../.." && pwd)
O=${O:-$top/build}
. "$top/tests/tools/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc=$work/root/bin/npu-cc

install_sdk()
{
	make -s -C "$top/firmware/kernels" O="$O" PREFIX="$work/root" install &&
		[ -f "$work/root/share/man/man1/npu-cc.1" ]
}

# source NAME: a kernel file of what comes on the standard input, behind its head.
source_file()
{
	{
		echo '#include <npu_ring.h>'
		echo '#include <npu_typed.h>'
		echo 'struct args { uint64_t x; float f; uint32_t n; };'
		cat
	} >"$work/$1.c"
}

# builds NAME: without a word of the compiler.
builds()
{
	local log

	log=$("$cc" -Wextra -o "$work/$1.elf" "$work/$1.c" 2>&1) && [ -z "$log" ] &&
		[ -f "$work/$1.elf" ] || { echo "$log"; return 1; }
}

# refuses NAME TEXT: no module is made, and the reason has that text.
refuses()
{
	local log

	log=$("$cc" -Werror=format -o "$work/$1.elf" "$work/$1.c" 2>&1) && return 1
	[ ! -e "$work/$1.elf" ] && grep -F -- "$2" <<<"$log" || { echo "$log"; return 1; }
}

# body NAME: the same with a kernel around it.
body()
{
	{
		echo 'NPU_ARGS(test, struct args, in(x), value(f), value(n));'
		echo 'NPU_KERNEL(test, struct args)'
		echo '{'
		echo '	const npu_gm_f32 from = { args->x };'
		echo '	const npu_ub_f32 x = { NPU_UB_BASE };'
		echo '	const npu_ub_f16 h = NPU_AFTER(x, 64);'
		cat
		echo '	npu_tload(x, from, 1);'
		echo '	npu_tvcast(h, x, 1, 0);'
		echo '}'
	} | source_file "$1"
}

lines()
{
	riscv64-unknown-elf-addr2line -e "$work/right.elf" \
		"0x$(riscv64-unknown-elf-nm "$work/right.elf" | sed -n 's/ T test$//p')" |
		grep 'right.c:\|npu_'
}

size()
{
	"$cc" --size -o "$work/right.elf" "$work/right.c" | tee "$work/size" | grep '^test  *[0-9]* *[0-9]*$'
}

deep()
{
	local log

	log=$("$cc" --size -o "$work/deep.elf" "$work/deep.c" 2>&1) && return 1
	[ ! -e "$work/deep.elf" ] && grep 'more than the 65536 bytes of stack.*: test' <<<"$log"
}

nothing_left()
{
	[ -z "$(find "$work" -name '*.elf.*')" ]
}

check "the SDK is installed" install_sdk
body right <<-'EOF'
	npu_printf("%d %s %g", 1, "text", args->f);
	npu_assert(args->n < 5);
EOF
check "a kernel builds outside of the tree" builds right
check "its lines are known" lines
check "--size" size
for example in "$top"/firmware/kernels/examples/*.c "$top/firmware/kernels/vector_add.c"; do
	cp "$example" "$top/firmware/kernels/examples/examples.h" "$work"
	check "$(basename "$example") builds there" builds "$(basename "$example" .c)"
done

body buffer <<<'npu_l1_f32 l = { NPU_L1_BASE }; npu_tvadd(x, x, l, 1);'
check "a buffer of the wrong memory" refuses buffer "expected 'npu_ub_f32' but argument is of type 'npu_l1_f32'"
body type <<<'npu_tvadd(x, x, h, 1);'
check "elements of the wrong type" refuses type "expected 'npu_ub_f32' but argument is of type 'npu_ub_f16'"
body none <<<'npu_ub_u8 b = { NPU_UB_BASE }; npu_tvexp(b, b, 1);'
check "a type that the operation does not take" refuses none "selector of type 'struct npu_ub_u8'"
body format <<<'npu_printf("%d", args->f);'
check "a format that does not fit" refuses format "format '%d' expects argument of type 'int'"
body many <<<'npu_printf("%d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);'
check "too many values" refuses many "many.c:"
body syntax <<<'not C'
check "what is no C" refuses syntax "syntax.c:"
{ echo 'int counter;'; } | source_file global
echo 'NPU_KERNEL(test, struct args) { npu_store_s32(args->x, counter++); }' >>"$work/global.c"
check "a writable global" refuses global "a module has no writable globals"
{
	echo 'static const char *const names[] = { "a", "b" };'
	echo 'NPU_KERNEL(test, struct args) { npu_printf("%s", names[args->n]); }'
} | source_file table
check "a table of pointers" refuses table "tables of pointers or strings cannot be relocated"
echo 'void nothing(void) {}' | source_file empty
check "no kernel" refuses empty "no kernel in this module"
echo 'NPU_ARGS(test, struct args, in(y)); NPU_KERNEL(test, struct args) {}' | source_file args
check "an argument that is none" refuses args "no member named 'y'"
check "a file that is not there" refuses nowhere "nowhere.c: no such file"
{
	echo 'static __attribute__((noinline)) int big(const volatile char *p, int n)'
	echo '{ volatile char b[70000]; b[n] = p[n]; return b[n]; }'
	echo 'NPU_KERNEL(test, struct args) { npu_store_s32(args->x, big((char *)args->x, 1)); }'
} | source_file deep
check "more stack than there is" deep
check "nothing is left over" nothing_left
done_testing
