// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include <drm/drm_print.h>

#include <npu/npu_queue.h>

#include "npu_device.h"
#include "npu_usage.h"

/**
 * npu_usage_create() - create counters
 *
 * Return: the counters with one reference, or NULL.
 */
struct npu_usage *npu_usage_create(void)
{
	struct npu_usage *usage = kzalloc(sizeof(*usage), GFP_KERNEL);

	if (usage)
		kref_init(&usage->refcount);
	return usage;
}

/**
 * npu_usage_get() - take a reference
 * @usage: counters, or NULL
 */
void npu_usage_get(struct npu_usage *usage)
{
	if (usage)
		kref_get(&usage->refcount);
}

static void npu_usage_release(struct kref *refcount)
{
	kfree(container_of(refcount, struct npu_usage, refcount));
}

/**
 * npu_usage_put() - drop a reference
 * @usage: counters, or NULL
 */
void npu_usage_put(struct npu_usage *usage)
{
	if (usage)
		kref_put(&usage->refcount, npu_usage_release);
}

/**
 * npu_usage_add() - count what a job has used
 * @usage: counters
 * @cqe: completion, a copy
 */
void npu_usage_add(struct npu_usage *usage, const struct npu_cqe *cqe)
{
	atomic64_add(le32_to_cpu(cqe->aicore_us), &usage->aicore_us);
	atomic64_add(le32_to_cpu(cqe->sdma_us), &usage->sdma_us);
}

/**
 * npu_usage_print() - print engine time in the form of drm-usage-stats.rst
 * @p: where to print it
 * @usage: counters
 * @npu: device
 *
 * No cycles are printed: they are not counted, and would say no more than the time.
 */
void npu_usage_print(struct drm_printer *p, struct npu_usage *usage, const struct npu_device *npu)
{
	drm_printf(p, "drm-engine-aicore:\t%llu ns\n",
		   atomic64_read(&usage->aicore_us) * NSEC_PER_USEC);
	drm_printf(p, "drm-engine-capacity-aicore:\t%u\n", npu->info.num_cores);
	drm_printf(p, "drm-engine-sdma:\t%llu ns\n",
		   atomic64_read(&usage->sdma_us) * NSEC_PER_USEC);
}
