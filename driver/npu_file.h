/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __NPU_FILE_H__
#define __NPU_FILE_H__

struct drm_device;
struct drm_file;
struct drm_printer;
struct npu_file;
struct npu_queue;
struct npu_vm;

int npu_file_open(struct drm_device *drm, struct drm_file *file);
void npu_file_postclose(struct drm_device *drm, struct drm_file *file);
void npu_file_show_fdinfo(struct drm_printer *p, struct drm_file *file);

int npu_file_add_vm(struct npu_file *nfile, struct npu_vm *vm, u32 *id);
struct npu_vm *npu_file_get_vm(struct npu_file *nfile, u32 id);
struct npu_vm *npu_file_use_vm(struct npu_file *nfile, u32 id);
int npu_file_destroy_vm(struct npu_file *nfile, u32 id);

int npu_file_add_queue(struct npu_file *nfile, struct npu_queue *queue, u32 *id);
struct npu_queue *npu_file_get_queue(struct npu_file *nfile, u32 id);
int npu_file_destroy_queue(struct npu_file *nfile, u32 id);

#endif /* __NPU_FILE_H__ */
