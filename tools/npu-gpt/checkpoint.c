// SPDX-License-Identifier: MIT
/*
 * Checkpoints as safetensors: eight bytes with the length of a JSON header, the header, and the
 * tensors, little endian. The parameters have their names, the optimiser's moments the same with
 * a prefix; what is no tensor is in the metadata.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpt.h"

#define HEADER_MAX (1u << 20)
#define FORMAT "npu-gpt 1"

static const char *const prefixes[GPT_STATES] = { "", "moment1.", "moment2." };

static size_t elements(const struct gpt_tensor *tensor)
{
	return (size_t)(tensor->rows ? tensor->rows : 1) * tensor->cols;
}

static int add_metadata(json_t *header, const struct checkpoint *checkpoint)
{
	const struct gpt_shape *shape = &checkpoint->shape;
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "dim", shape->dim },	      { "layers", shape->layers },
		{ "heads", shape->heads },    { "context", shape->context },
		{ "step", checkpoint->step }, { "seed", checkpoint->seed },
	};
	json_t *metadata = json_pack("{s:s}", "format", FORMAT);
	char text[32];
	int err = json_object_set_new(header, "__metadata__", metadata);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		snprintf(text, sizeof(text), "%" PRIu64, numbers[i].value);
		err |= json_object_set_new(metadata, numbers[i].name, json_string(text));
	}
	return err;
}

static int add_tensor(json_t *header, const char *prefix, const struct gpt_tensor *tensor,
		      size_t *offset)
{
	const json_int_t begin = (json_int_t)*offset;
	const json_int_t end = begin + (json_int_t)(elements(tensor) * sizeof(float));
	json_t *entry = json_pack("{s:s, s:[I, I]}", "dtype", "F32", "data_offsets", begin, end);
	char name[64];
	int err;

	snprintf(name, sizeof(name), "%s%s", prefix, tensor->name);
	err = json_object_set_new(header, name, entry);
	err |= json_object_set_new(entry, "shape",
				   tensor->rows ? json_pack("[i, i]", tensor->rows, tensor->cols)
						: json_pack("[i]", tensor->cols));
	*offset = (size_t)end;
	return err;
}

static char *make_header(const struct gpt_params *params, const struct checkpoint *checkpoint)
{
	json_t *header = json_object();
	size_t offset = 0;
	int err = add_metadata(header, checkpoint);
	char *text;

	for (int s = 0; s < GPT_STATES; s++)
		for (unsigned int i = 0; i < params->count; i++)
			err |= add_tensor(header, prefixes[s], &params->tensors[i], &offset);
	text = err ? NULL : json_dumps(header, JSON_COMPACT);
	json_decref(header);
	return text;
}

/* The parameters are one array in the order of their tensors, and so are the moments. */
static bool write_all(FILE *file, const char *header, const struct gpt_params *params,
		      const struct checkpoint *checkpoint)
{
	const uint64_t length = strlen(header), padded = (length + 7) & ~7ULL;

	if (fwrite(&padded, sizeof(padded), 1, file) != 1 ||
	    fprintf(file, "%-*s", (int)padded, header) != (int)padded)
		return false;
	for (int s = 0; s < GPT_STATES; s++)
		if (fwrite(checkpoint->state[s], sizeof(float), params->floats, file) !=
		    params->floats)
			return false;
	return !fflush(file) && !fsync(fileno(file));
}

/* A whole file or the one before: it is written beside it and takes its place. */
int checkpoint_save(const char *path, const struct gpt_params *params,
		    const struct checkpoint *checkpoint)
{
	char *header = make_header(params, checkpoint), *beside = NULL;
	FILE *file;
	bool good;

	if (!header || asprintf(&beside, "%s.new", path) < 0) {
		fprintf(stderr, "npu-gpt: out of memory\n");
		free(header);
		return -1;
	}
	file = fopen(beside, "wb");
	good = file && write_all(file, header, params, checkpoint);
	if (file && fclose(file))
		good = false;
	if (!good || rename(beside, path)) {
		fprintf(stderr, "npu-gpt: %s: %s\n", path, strerror(errno));
		unlink(beside);
		good = false;
	}
	free(header);
	free(beside);
	return good ? 0 : -1;
}

static int bad(const char *path, const char *what)
{
	fprintf(stderr, "npu-gpt: %s: %s\n", path, what);
	return -1;
}

/* The header, with @file where the tensors begin. */
static json_t *read_header(const char *path, FILE **file)
{
	uint64_t length = 0;
	json_t *header;
	char *text;

	*file = fopen(path, "rb");
	if (!*file) {
		bad(path, strerror(errno));
		return NULL;
	}
	if (fread(&length, sizeof(length), 1, *file) != 1 || length > HEADER_MAX) {
		bad(path, "is no safetensors file");
		return NULL;
	}
	text = malloc(length + 1);
	header = text && fread(text, 1, length, *file) == length
			 ? json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL)
			 : NULL;
	free(text);
	if (!json_is_object(header)) {
		json_decref(header);
		bad(path, "has a header that is no JSON object");
		return NULL;
	}
	return header;
}

static bool get_number(const json_t *header, const char *name, uint64_t most, uint64_t *value)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(header, "__metadata__"), name));
	char *end;

	if (!text || *text == '-')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !errno && end != text && !*end && *value <= most;
}

static int take_head(const char *path, const json_t *header, struct checkpoint *checkpoint)
{
	struct gpt_shape *shape = &checkpoint->shape;
	uint64_t dim, layers, heads, context;

	if (!get_number(header, "dim", GPT_MAX_DIM, &dim) ||
	    !get_number(header, "layers", GPT_MAX_LAYERS, &layers) ||
	    !get_number(header, "heads", GPT_MAX_DIM, &heads) ||
	    !get_number(header, "context", GPT_MAX_CONTEXT, &context) ||
	    !get_number(header, "step", UINT64_MAX, &checkpoint->step) ||
	    !get_number(header, "seed", UINT64_MAX, &checkpoint->seed))
		return bad(path, "has no good metadata of npu-gpt");
	*shape = (struct gpt_shape){ (uint32_t)dim, (uint32_t)layers, (uint32_t)heads,
				     (uint32_t)context };
	return gpt_shape_error(shape) ? bad(path, gpt_shape_error(shape)) : 0;
}

int checkpoint_head(const char *path, struct checkpoint *checkpoint)
{
	FILE *file = NULL;
	json_t *header = read_header(path, &file);
	int err = header ? take_head(path, header, checkpoint) : -1;

	json_decref(header);
	if (file)
		fclose(file);
	return err;
}

/* Where the tensor begins behind the header; -1 if it is not there, or not as it should be. */
static long tensor_place(const json_t *header, const char *name, const struct gpt_tensor *tensor)
{
	const json_t *entry = json_object_get(header, name);
	const json_t *shape = json_object_get(entry, "shape");
	const json_t *offsets = json_object_get(entry, "data_offsets");
	const char *dtype = json_string_value(json_object_get(entry, "dtype"));
	const size_t rank = tensor->rows ? 2 : 1;
	const json_int_t begin = json_integer_value(json_array_get(offsets, 0));
	const json_int_t end = json_integer_value(json_array_get(offsets, 1));

	if (!dtype || strcmp(dtype, "F32") || json_array_size(shape) != rank ||
	    json_array_size(offsets) != 2 || begin < 0 || end < begin || end > LONG_MAX / 2)
		return -1;
	if ((tensor->rows && json_integer_value(json_array_get(shape, 0)) != tensor->rows) ||
	    json_integer_value(json_array_get(shape, rank - 1)) != tensor->cols)
		return -1;
	return (uint64_t)(end - begin) == elements(tensor) * sizeof(float) ? (long)begin : -1;
}

static int load_tensors(const char *path, const json_t *header, FILE *file,
			const struct gpt_params *params, struct checkpoint *checkpoint)
{
	const long data = ftell(file);

	for (int s = 0; s < GPT_STATES; s++)
		for (unsigned int i = 0; i < params->count; i++) {
			const struct gpt_tensor *tensor = &params->tensors[i];
			char name[64], text[128];
			long place;

			snprintf(name, sizeof(name), "%s%s", prefixes[s], tensor->name);
			place = tensor_place(header, name, tensor);
			snprintf(text, sizeof(text), "has no good tensor %s", name);
			if (place < 0 || fseek(file, data + place, SEEK_SET) ||
			    fread(checkpoint->state[s] + tensor->offset, sizeof(float),
				  elements(tensor), file) != elements(tensor))
				return bad(path, text);
		}
	return 0;
}

int checkpoint_load(const char *path, const struct gpt_params *params,
		    struct checkpoint *checkpoint)
{
	FILE *file = NULL;
	json_t *header = read_header(path, &file);
	int err = header ? load_tensors(path, header, file, params, checkpoint) : -1;

	json_decref(header);
	if (file)
		fclose(file);
	return err;
}
