/* SPDX-License-Identifier: MIT */
/* What npu-smi can show, each as text for people and as JSON for programs. */
#ifndef NPU_SMI_VIEW_H
#define NPU_SMI_VIEW_H

#include <stdbool.h>

#include <jansson.h>

#include "device.h"
#include "process.h"

/* Raised when a key of the JSON output changes its meaning or goes away. */
#define JSON_SCHEMA "npu-smi/1"

/** struct npu_snapshot - all that is shown, read once */
struct npu_snapshot {
	struct npu_device *devices;
	int num_devices;
	struct npu_process *processes;
	int num_processes;
};

/** view_summary_text() - the table of `npu-smi info` */
void view_summary_text(const struct npu_snapshot *snapshot);
/** view_list_text() - `npu-smi info -l` */
void view_list_text(const struct npu_snapshot *snapshot);
/** view_map_text() - `npu-smi info -m` */
void view_map_text(const struct npu_snapshot *snapshot);

/** view_summary_json() etc.: the same as JSON; NULL without memory */
json_t *view_summary_json(const struct npu_snapshot *snapshot);
json_t *view_list_json(const struct npu_snapshot *snapshot);
json_t *view_map_json(const struct npu_snapshot *snapshot);

/** struct npu_detail - a view of `npu-smi info -t` */
struct npu_detail;

/** detail_find() - by the name given to -t; NULL if there is none */
const struct npu_detail *detail_find(const char *name);
/** detail_names() - all of them for messages, separated by | */
const char *detail_names(void);
/** detail_text() - print the view of one device */
void detail_text(const struct npu_detail *detail, const struct npu_device *dev);
/** detail_json() - the view of one device as an object; NULL without memory */
json_t *detail_json(const struct npu_detail *detail, const struct npu_device *dev);

#endif
