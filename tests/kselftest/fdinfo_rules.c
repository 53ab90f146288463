// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * /proc/PID/fdinfo read by the rules of Documentation/gpu/drm-usage-stats.rst, as a program
 * does that does not know the driver
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "npu_util.h"
#include "kselftest_harness.h"

#define MAX_KEYS 128

/**
 * struct key - a line
 * @name: before the colon
 * @text: after it, without the white space in front
 * @value: the number at its start
 * @number: it has one
 * @unit: what follows the number
 */
struct key {
	char name[256];
	char text[256];
	unsigned long long value;
	bool number;
	char unit[256];
};

struct info {
	struct key keys[MAX_KEYS];
	unsigned int count;
	bool bad_line;
};

static const char *const memory_kinds[] = {
	"drm-total-", "drm-shared-", "drm-active-", "drm-resident-", "drm-purgeable-",
	"drm-memory-",
};

static const char *const units_of_memory[] = { "", "KiB", "MiB", NULL };
static const char *const units_of_time[] = { "ns", NULL };
static const char *const units_of_frequency[] = { "", "Hz", "KHz", "MHz", NULL };
static const char *const no_unit[] = { "", NULL };

/**
 * struct rule - a key, or the start of one, that the rules give a number to
 * @prefix: start of the key
 * @units: that the number may have
 */
static const struct rule {
	const char *prefix;
	const char *const *units;
} rules[] = {
	{ "drm-client-id", no_unit },
	{ "drm-engine-capacity-", no_unit },
	{ "drm-engine-", units_of_time },
	{ "drm-total-cycles-", no_unit },
	{ "drm-cycles-", no_unit },
	{ "drm-maxfreq-", units_of_frequency },
	{ "drm-memory-", units_of_memory },
	{ "drm-shared-", units_of_memory },
	{ "drm-total-", units_of_memory },
	{ "drm-resident-", units_of_memory },
	{ "drm-purgeable-", units_of_memory },
	{ "drm-active-", units_of_memory },
};

FIXTURE(rules)
{
	struct npu_ctx ctx;
	struct info info;
};

FIXTURE_SETUP(rules)
{
	ASSERT_EQ(0, npu_ctx_open(&self->ctx));
}

FIXTURE_TEARDOWN(rules)
{
	npu_ctx_close(&self->ctx);
}

static bool starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static bool parse(char *line, struct key *key)
{
	char *colon = strchr(line, ':'), *end;

	line[strcspn(line, "\n")] = '\0';
	if (!colon || strcspn(line, " \t") < (size_t)(colon - line))
		return false;
	*colon++ = '\0';
	colon += strspn(colon, " \t");
	snprintf(key->name, sizeof(key->name), "%s", line);
	snprintf(key->text, sizeof(key->text), "%s", colon);
	key->value = strtoull(colon, &end, 10);
	key->number = end != colon && isdigit((unsigned char)colon[0]);
	snprintf(key->unit, sizeof(key->unit), "%s", end + strspn(end, " \t"));
	return true;
}

static int read_info(int fd, struct info *info)
{
	char path[64], line[256];
	FILE *file;

	memset(info, 0, sizeof(*info));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file) && info->count < MAX_KEYS) {
		/* Those of the file system come first, and follow rules of their own. */
		if (!info->count && !starts(line, "drm-"))
			continue;
		if (!parse(line, &info->keys[info->count++]))
			info->bad_line = true;
	}
	fclose(file);
	return 0;
}

static const struct key *find(const struct info *info, const char *prefix, const char *rest)
{
	size_t len = strlen(prefix);

	for (unsigned int i = 0; i < info->count; i++)
		if (starts(info->keys[i].name, prefix) && !strcmp(info->keys[i].name + len, rest))
			return &info->keys[i];
	return NULL;
}

static unsigned long long bytes(const struct key *key)
{
	return key->value << (!strcmp(key->unit, "KiB") ? 10 : !strcmp(key->unit, "MiB") ? 20 : 0);
}

static bool is_engine(const struct key *key)
{
	return starts(key->name, "drm-engine-") && !starts(key->name, "drm-engine-capacity-");
}

TEST_F(rules, keys_and_values)
{
	const struct key *driver;
	char own[260];

	ASSERT_EQ(0, read_info(self->ctx.fd, &self->info));
	EXPECT_FALSE(self->info.bad_line) TH_LOG("a line is not a key, a colon and a value");
	driver = find(&self->info, "drm-driver", "");
	ASSERT_NE(NULL, driver);
	EXPECT_EQ(NULL, strpbrk(driver->text, " \t"));
	snprintf(own, sizeof(own), "%s-", driver->text);

	for (unsigned int i = 0; i < self->info.count; i++) {
		const struct key *key = &self->info.keys[i];
		const struct rule *rule = rules;

		EXPECT_TRUE(starts(key->name, "drm-") || starts(key->name, own))
			TH_LOG("%s: wrong prefix", key->name);
		EXPECT_EQ(key, find(&self->info, key->name, "")) TH_LOG("%s: twice", key->name);
		while (rule < rules + ARRAY_SIZE(rules) && !starts(key->name, rule->prefix))
			rule++;
		if (rule == rules + ARRAY_SIZE(rules))
			continue;
		EXPECT_TRUE(key->number) TH_LOG("%s: not a number: %s", key->name, key->text);
		for (const char *const *unit = rule->units; ; unit++) {
			ASSERT_NE(NULL, *unit) TH_LOG("%s: unit %s", key->name, key->unit);
			if (!strcmp(*unit, key->unit))
				break;
		}
	}
}

TEST_F(rules, pci_device)
{
	unsigned int domain, bus, device, function, end = 0;
	const struct key *pdev;

	ASSERT_EQ(0, read_info(self->ctx.fd, &self->info));
	pdev = find(&self->info, "drm-pdev", "");
	ASSERT_NE(NULL, pdev);
	EXPECT_EQ(4, sscanf(pdev->text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function,
			    &end));
	EXPECT_EQ(strlen(pdev->text), end);
}

TEST_F(rules, client_is_the_open_file)
{
	struct info other;
	int same = dup(self->ctx.fd), another = npu_open();

	ASSERT_GE(same, 0);
	ASSERT_GE(another, 0);
	ASSERT_EQ(0, read_info(self->ctx.fd, &self->info));
	ASSERT_EQ(0, read_info(same, &other));
	EXPECT_EQ(find(&self->info, "drm-client-id", "")->value,
		  find(&other, "drm-client-id", "")->value);
	ASSERT_EQ(0, read_info(another, &other));
	EXPECT_NE(find(&self->info, "drm-client-id", "")->value,
		  find(&other, "drm-client-id", "")->value);
	close(same);
	close(another);
}

TEST_F(rules, engines)
{
	unsigned int engines = 0;

	ASSERT_EQ(0, read_info(self->ctx.fd, &self->info));
	for (unsigned int i = 0; i < self->info.count; i++) {
		const struct key *key = &self->info.keys[i];

		engines += is_engine(key);
		if (!starts(key->name, "drm-engine-capacity-"))
			continue;
		EXPECT_GE(key->value, 1) TH_LOG("%s: a capacity is not zero", key->name);
		EXPECT_NE(NULL, find(&self->info, "drm-engine-",
				     key->name + strlen("drm-engine-capacity-")))
			TH_LOG("%s: there is no such engine", key->name);
	}
	EXPECT_GE(engines, 1);
}

TEST_F(rules, memory)
{
	unsigned int regions = 0;

	ASSERT_EQ(0, read_info(self->ctx.fd, &self->info));
	for (unsigned int i = 0; i < self->info.count; i++) {
		const struct key *total = &self->info.keys[i];

		if (!starts(total->name, "drm-total-") ||
		    starts(total->name, "drm-total-cycles-"))
			continue;
		regions++;
		for (unsigned int kind = 0; kind < ARRAY_SIZE(memory_kinds); kind++) {
			const struct key *key = find(&self->info, memory_kinds[kind],
						     total->name + strlen("drm-total-"));

			if (key)
				EXPECT_LE(bytes(key), bytes(total))
					TH_LOG("%s is more than %s", key->name, total->name);
		}
	}
	EXPECT_GE(regions, 1);
}

/* Sum of all engine times. */
static unsigned long long busy(const struct info *info)
{
	unsigned long long sum = 0;

	for (unsigned int i = 0; i < info->count; i++)
		if (is_engine(&info->keys[i]))
			sum += info->keys[i].value;
	return sum;
}

TEST_F(rules, time_rises_with_work)
{
	struct npu_ctx *ctx = &self->ctx;
	unsigned long long before, after;

	ASSERT_EQ(0, read_info(ctx->fd, &self->info));
	before = busy(&self->info);
	for (int i = 0; i < 64; i++)
		cmd_copy(npu_ctx_cmd(ctx, i), ctx->data.va, ctx->data.va + 0x200000, 0x200000);
	ASSERT_EQ(0, npu_ctx_run(ctx, 64));
	ASSERT_EQ(0, read_info(ctx->fd, &self->info));
	after = busy(&self->info);
	EXPECT_GT(after, before);
	/* And without work it does not. */
	ASSERT_EQ(0, read_info(ctx->fd, &self->info));
	EXPECT_EQ(after, busy(&self->info));
}

/**
 * struct churn - queues that come, work and go
 * @ctx: where
 * @rounds: how many
 * @error: of the first call that failed
 * @over: they have all gone
 */
struct churn {
	struct npu_ctx *ctx;
	unsigned int rounds;
	int error;
	bool over;
};

static void *churn_work(void *arg)
{
	struct churn *churn = arg;
	struct npu_ctx *ctx = churn->ctx;

	for (unsigned int i = 0; i < churn->rounds && !churn->error; i++) {
		uint32_t queue;

		churn->error = npu_queue_create(ctx->fd, ctx->vm, &queue);
		if (churn->error)
			break;
		churn->error = npu_run(ctx->fd, queue, ctx->list.va, 2) ?:
			       npu_queue_destroy(ctx->fd, queue);
	}
	__atomic_store_n(&churn->over, true, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(rules, time_never_goes_back)
{
	struct npu_ctx *ctx = &self->ctx;
	struct churn churn = { .ctx = ctx, .rounds = 200 };
	unsigned long long seen = 0;
	unsigned int readings = 0;
	pthread_t thread;

	for (int i = 0; i < 2; i++)
		cmd_copy(npu_ctx_cmd(ctx, i), ctx->data.va, ctx->data.va + 0x200000, 0x200000);
	ASSERT_EQ(0, pthread_create(&thread, NULL, churn_work, &churn));
	while (!__atomic_load_n(&churn.over, __ATOMIC_ACQUIRE)) {
		ASSERT_EQ(0, read_info(ctx->fd, &self->info));
		EXPECT_GE(busy(&self->info), seen) TH_LOG("reading %u", readings);
		seen = busy(&self->info);
		readings++;
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, churn.error);
	EXPECT_GT(readings, 1);
	EXPECT_GT(seen, 0);
}

TEST_HARNESS_MAIN
