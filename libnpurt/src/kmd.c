// SPDX-License-Identifier: MIT
/*
 * Which devices there are: the driver's, or null devices (npurt_null(7)).
 */
#include "kmd.h"

#include <errno.h>
#include <stdlib.h>

int kmd_enumerate(struct kmd_node *nodes, unsigned int max)
{
	const char *want = getenv("NPURT_NULL_DEVICE");
	unsigned long count;
	char *end;

	if (!want || !*want)
		return kmd_drm_enumerate(nodes, max);
	count = strtoul(want, &end, 10);
	if (*end || count > KMD_MAX_NODES)
		return -EINVAL;
	return count ? kmd_null_enumerate(nodes, max, (unsigned int)count)
		     : kmd_drm_enumerate(nodes, max);
}
