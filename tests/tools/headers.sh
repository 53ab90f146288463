#!/bin/sh
# SPDX-License-Identifier: MIT
# Every header that a user of the stack includes compiles on its own, in each language.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

flags="-Wall -Wextra -Werror -fsyntax-only -I $top/include -I $top/uapi -I $top/libnpurt/include
	-I $top/libnpuop/include $(pkg-config --cflags libdrm)"

compile()
{
	language=$1
	standard=$2
	header=$3
	compiler=$4
	echo "#include <$header>" | $compiler -x "$language" -std="$standard" $flags -
}

for header in $(cd "$top/include" && echo npu/*.h); do
	check "$header, C11" compile c c11 "$header" gcc
	check "$header, clang" compile c c11 "$header" clang
	check "$header, C++11" compile c++ c++11 "$header" g++
	check "$header, C++, clang" compile c++ c++11 "$header" clang
done
for header in drm/npu_accel.h npurt/npurt.h npuop/npuop.h; do
	for standard in c99 c11 c17 c2x; do
		check "$header, $standard" compile c "$standard" "$header" gcc
	done
	for standard in c++11 c++14 c++17 c++20 c++23; do
		check "$header, $standard" compile c++ "$standard" "$header" g++
	done
	for standard in c99 c2x; do
		check "$header, $standard, clang" compile c "$standard" "$header" clang
	done
	for standard in c++11 c++2b; do
		check "$header, $standard, clang" compile c++ "$standard" "$header" clang
	done
done
done_testing
