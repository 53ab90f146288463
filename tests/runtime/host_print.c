// SPDX-License-Identifier: MIT
/* Text from what kernels print, and a log that is not as it should be: it is the device's. */
#include "internal.h"
#include "rt_gate.h"
#include "rt_test.h"

#include <npu/npu_log.h>

#define MODULE_FILE MODULES "/print_kernels.elf"

struct heard {
	npurt_print last;
	unsigned int count;
};

static void listen(const npurt_print *print, void *data)
{
	struct heard *heard = data;

	heard->last = *print;
	heard->count++;
}

/* Formats. */

static const char *find(const void *data, uint64_t address)
{
	return address == 1 ? data : NULL;
}

static void formats(const char *format, uint8_t type, uint64_t value, const char *want)
{
	const struct npu_log_site site = { .num_args = 1, .types = { type } };
	const struct rt_print_strings strings = { find, "text" };
	char got[32];

	rt_print_format(got, sizeof(got), format, &site, &value, &strings);
	ok(!strcmp(got, want), "formatted: '%s'", want);
	if (strcmp(got, want))
		printf("# it gave '%s'\n", got);
}

static uint64_t bits(double number)
{
	uint64_t value;

	memcpy(&value, &number, sizeof(value));
	return value;
}

static void test_formats(void)
{
	formats("%d", NPU_LOG_S32, (uint64_t)-5, "-5");
	formats("%x", NPU_LOG_S32, (uint64_t)-1, "ffffffff");
	formats("%hhd", NPU_LOG_S32, 0x1ff, "-1");
	formats("%hx", NPU_LOG_U32, 0x12345, "2345");
	formats("%lu", NPU_LOG_U64, UINT64_MAX, "18446744073709551615");
	formats("%-6ld|", NPU_LOG_S64, 42, "42    |");
	formats("%+08.3f", NPU_LOG_F64, bits(-2.5), "-002.500");
	formats("%a", NPU_LOG_F64, bits(1), "0x1p+0");
	formats("%5.2s|", NPU_LOG_STRING, 1, "   te|");
	formats("%p", NPU_LOG_ADDRESS, 0x1000, "0x1000");
	formats("%c%%\n\n", NPU_LOG_S32, 'x', "x%");
	formats("%d %d", NPU_LOG_S32, 1, "1 <?>");
	formats("%s", NPU_LOG_S32, 1, "<?>");
	formats("%s", NPU_LOG_STRING, 2, "<?>");
	formats("%d", NPU_LOG_F64, 0, "<?>");
	formats("%f", NPU_LOG_S32, 0, "<?>");
	formats("%n", NPU_LOG_S64, 0, "<?>n");
	formats("%*d", NPU_LOG_S32, 3, "<?>*d");
	formats("%1000d", NPU_LOG_S32, 3, "<?>1000d");
	formats("100%", NPU_LOG_S32, 3, "100<?>");
	formats("%40d", NPU_LOG_S32, 3, "                               ");
}

/* The ring. */

struct log {
	struct npu_log_ring *ring;
	struct npu_log_record *slots;
	uint64_t num_slots;
	struct heard heard;
	uint64_t site; /* of a place with one value */
};

static uint64_t find_site(const npurt_module *module)
{
	struct npu_log_site site = { 0 };
	uint64_t at = 0;

	while (site.magic != NPU_LOG_SITE_MAGIC || site.num_args != 1) {
		at += 4;
		memcpy(&site, module->elf.log + at, sizeof(site));
	}
	return module->code->va + at;
}

static struct log open_log(struct fixture *f, npurt_module *module)
{
	struct log log = { 0 };
	struct rt_list *node;
	void *map = NULL;

	rt_list_for_each(node, &f->context->memory)
	{
		npurt_memory *m = rt_container(node, npurt_memory, link);

		if (module->kernels[0].log - m->va < m->bytes)
			NEED(rt_memory_map(m, &map));
	}
	log.ring = map;
	log.slots = (struct npu_log_record *)(log.ring + 1);
	log.num_slots = log.ring->slots;
	log.site = find_site(module);
	return log;
}

/* A record as a kernel would write it. */
static void put(struct log *log, uint64_t site)
{
	const uint64_t at = log->ring->head++;

	log->slots[at % log->num_slots] = (struct npu_log_record){
		.position = at + 1,
		.site = site,
		.block = 3,
	};
}

/* Records that have their place and are not written, while a stream may have kernels at work. */
static void test_unwritten(struct fixture *f, struct log *log)
{
	struct gate gate = gate_make(f->context);
	npurt_stream *busy, *idle;

	NEED(npurt_stream_create(f->context, NULL, &busy));
	NEED(npurt_stream_create(f->context, NULL, &idle));
	NEED(npurt_graph_launch(gate.exec, busy));
	NEED(npurt_stream_flush(busy));
	put(log, log->site);
	log->ring->head++;
	put(log, log->site);
	log->ring->head++;
	NEED(npurt_stream_synchronize(f->stream));
	ok(log->heard.count == 6, "what is not written yet holds up what comes after");
	NEED(npurt_stream_destroy(idle));
	ok(log->heard.count == 6, "... also if another stream is destroyed");
	NEED(npurt_stream_destroy(busy));
	ok(log->heard.count == 7 && log->ring->tail == log->ring->head,
	   "... until its stream is, and nobody is left to write it");
	gate_free(&gate);
}

static void test_ring(struct fixture *f, npurt_module *module)
{
	struct log log = open_log(f, module);

	NEED(npurt_context_set_print(f->context, listen, &log.heard));
	put(&log, log.site);
	NEED(npurt_stream_synchronize(f->stream));
	ok(log.heard.count == 1 && log.heard.last.block == 3 && log.ring->tail == 1,
	   "a record: '%s'", log.heard.last.text);

	put(&log, log.site);
	log.slots[1].writer = UINT16_MAX;
	NEED(npurt_stream_synchronize(f->stream));
	ok(log.heard.count == 2 && !log.heard.last.kernel[0], "a record of nobody");
	log.heard.count = 1;

	put(&log, log.site + 1);
	put(&log, 0);
	put(&log, UINT64_MAX);
	put(&log, module->code->va + module->elf.log_bytes - 1);
	NEED(npurt_stream_synchronize(f->stream));
	ok(log.heard.count == 5 && strstr(log.heard.last.text, "a bad record") &&
		   !log.heard.last.kernel[0],
	   "records of no place are told: '%s'", log.heard.last.text);

	test_unwritten(f, &log);

	log.ring->head += 1000000;
	NEED(npurt_stream_synchronize(f->stream));
	ok(log.heard.count == 8 && strstr(log.heard.last.text, "overwritten") &&
		   log.ring->head == log.ring->tail,
	   "a head that cannot be: '%s'", log.heard.last.text);
	log.ring->dropped = 9;
	NEED(npurt_stream_synchronize(f->stream));
	ok(log.heard.count == 9 &&
		   !strcmp(log.heard.last.text, "9 records were lost: the log was full"),
	   "'%s'", log.heard.last.text);
	log.ring->slots = 0;
	put(&log, log.site);
	NEED(npurt_stream_synchronize(f->stream));
	ok(log.heard.count == 10, "a size that cannot be is not looked at");
	log.ring->slots = log.num_slots;
	NEED(npurt_context_set_print(f->context, NULL, NULL));
}

/* All that the section of places may hold does no harm. */
static void test_places(struct fixture *f, npurt_module *module)
{
	struct log log = open_log(f, module);
	uint8_t *places = (uint8_t *)(uintptr_t)module->elf.log;

	NEED(npurt_context_set_print(f->context, listen, &log.heard));
	for (uint64_t i = 0; i < module->elf.log_bytes; i++) {
		places[i] ^= 0xff;
		put(&log, log.site);
		log.ring->head++;
		rt_print_drain(f->context);
		places[i] ^= 0xff;
	}
	ok(log.heard.count >= module->elf.log_bytes, "places are not believed");
	NEED(npurt_context_set_print(f->context, NULL, NULL));
}

/* What is told of a print may not take the log away under it. */
struct unloading {
	npurt_module *module;
	unsigned int refused;
};

static void unload(const npurt_print *print, void *data)
{
	struct unloading *u = data;

	(void)print;
	u->refused += npurt_module_unload(u->module) == NPURT_ERROR_INVALID;
}

static void test_unload(struct fixture *f)
{
	struct unloading u = { 0 };
	struct log log;

	NEED(npurt_module_load_file(f->context, MODULE_FILE, &u.module));
	log = open_log(f, u.module);
	NEED(npurt_context_set_print(f->context, unload, &u));
	put(&log, log.site);
	put(&log, log.site);
	NEED(npurt_stream_synchronize(f->stream));
	ok(u.refused == 2, "a module is not unloaded by who is told of its prints");
	put(&log, log.site);
	NEED(npurt_module_unload(u.module));
	ok(u.refused == 3, "... nor while it is unloaded");
	NEED(npurt_context_set_print(f->context, NULL, NULL));
}

int main(void)
{
	struct fixture f = fixture_open();
	npurt_module *module = NULL;

	test_formats();
	NEED(npurt_module_load_file(f.context, MODULE_FILE, &module));
	test_ring(&f, module);
	test_places(&f, module);
	test_unload(&f);
	NEED(npurt_module_unload(module));
	f.device->info.hw_version = 0x00010001;
	GIVES(npurt_module_load_file(f.context, MODULE_FILE, &module), NPURT_ERROR_UNSUPPORTED);
	fixture_close(&f);
	return rt_done();
}
