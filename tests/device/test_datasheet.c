// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The register tables of docs/hardware.md, held against a running core: access and reset values.
 */
#include <ctype.h>

#include "testhost.h"

#define SHEET		"../../docs/hardware.md"	/* from this file */
#define ROWS_MIN	50
#define PATTERN		0xa5a5f00du

/* A row "| 0x0000 | NAME | RW | reset | meaning |". */
struct row {
	unsigned int offset;
	char name[32], access[8], reset[32];
};

static FILE *open_sheet(void)
{
	const char *slash = strrchr(__FILE__, '/');
	char path[1024];

	snprintf(path, sizeof(path), "%.*s" SHEET, slash ? (int)(slash + 1 - __FILE__) : 0,
		 __FILE__);
	return fopen(path, "r");
}

static bool parse(const char *line, struct row *row)
{
	row->reset[0] = '\0';
	return strlen(line) > 8 && strspn(line + 4, "0123456789abcdef") == 4 &&
	       sscanf(line, "| 0x%4x | %31[A-Z0-9_] | %7[A-Z0-9] | %31[^| ]", &row->offset,
		      row->name, row->access, row->reset) >= 3;
}

/* Reset values that are not numbers depend on the configuration. */
static bool reset_ok(const struct row *row, uint32_t value)
{
	return !isdigit(row->reset[0]) || strtoul(row->reset, NULL, 0) == value;
}

static bool access_ok(struct testhost *h, const struct row *row, uint32_t value)
{
	uint32_t errors = th_read(h, NPU_REG_GUEST_ERRORS), now;

	if (!strcmp(row->access, "WO"))
		return !value;
	if (!strcmp(row->access, "RW1C"))
		return true;
	th_write(h, row->offset, PATTERN);
	now = th_read(h, row->offset);
	if (!strcmp(row->access, "RW")) {
		th_write(h, row->offset, value);
		return now == PATTERN && th_read(h, NPU_REG_GUEST_ERRORS) == errors;
	}
	if (row->offset == NPU_REG_GUEST_ERRORS)
		return now == errors + 1;
	return !strcmp(row->access, "RO") && now == value &&
	       th_read(h, NPU_REG_GUEST_ERRORS) == errors + 1;
}

static void check_row(struct testhost *h, const struct row *row)
{
	uint32_t errors = th_read(h, NPU_REG_GUEST_ERRORS);
	uint32_t value = th_read(h, row->offset);
	bool there = th_read(h, NPU_REG_GUEST_ERRORS) == errors;

	if (row->offset == NPU_REG_GUEST_ERRORS)
		value -= errors;
	ok(there && reset_ok(row, value) && access_ok(h, row, value), "%s is %s, reset %s",
	   row->name, row->access, isdigit(row->reset[0]) ? row->reset : "as configured");
}

/* What is not in the tables is not there. */
static void check_rest(struct testhost *h, const bool *listed)
{
	unsigned int offset, found = 0;

	for (offset = 0; offset < NPU_REG_SPACE; offset += 4) {
		uint32_t errors = th_read(h, NPU_REG_GUEST_ERRORS);

		if (listed[offset / 4] || (offset >= NPU_REG_IRQ_MODERATION(0) &&
					   offset < NPU_REG_IRQ_MODERATION(h->cfg.vectors)))
			continue;
		th_read(h, offset);
		found += th_read(h, NPU_REG_GUEST_ERRORS) == errors;
	}
	ok(!found, "%u registers are not in the datasheet", found);
}

int main(void)
{
	static bool listed[NPU_REG_SPACE / 4];
	struct testhost *h = th_new(0, 4);
	FILE *sheet = open_sheet();
	unsigned int rows = 0;
	char line[512];
	struct row row;

	while (sheet && fgets(line, sizeof(line), sheet)) {
		if (!parse(line, &row) || row.offset >= NPU_REG_SPACE)
			continue;
		listed[row.offset / 4] = true;
		rows++;
		check_row(h, &row);
	}
	ok(rows >= ROWS_MIN, "%u registers in the datasheet", rows);
	check_rest(h, listed);
	if (sheet)
		fclose(sheet);
	th_free(h);
	return tap_done();
}
