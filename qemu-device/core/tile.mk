# SPDX-License-Identifier: GPL-2.0-or-later
# The tile engines' loops, built once for each CPU level that they are dispatched on.

tile_src := $(notdir $(wildcard $(here)/tile_isa_*.c))
tile_isas := v1
tile_flags := -O3 -fno-math-errno -fno-trapping-math

ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine)),)
tile_isas += v3 v4 vnni
tile_flags_v3 := -mavx2 -mfma -mf16c -mbmi2
tile_flags_v4 := $(tile_flags_v3) -mavx512f -mavx512bw -mavx512dq -mavx512vl \
	-mprefer-vector-width=512
tile_flags_vnni := $(tile_flags_v4) -mavx512vnni
endif

tile_objs := $(foreach isa,$(tile_isas),$(tile_src:%.c=$(obj)/%.$(isa).o))

define tile_rule
$(obj)/%.$(1).o: $(here)/%.c $(here)/tile.mk | $(obj)
	$$(CC) $$(CORE_CFLAGS) $$(CFLAGS) $(tile_flags) $(tile_flags_$(1)) -DTILE_ISA=$(1) \
		-MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(tile_isas),$(eval $(call tile_rule,$(isa))))
