// SPDX-License-Identifier: MIT
/* The text, and batches from it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gpt.h"

int text_load(const char *path, struct text *text)
{
	FILE *file = fopen(path, "rb");
	struct stat about;

	*text = (struct text){ 0 };
	if (!file || fstat(fileno(file), &about)) {
		perror(path);
		if (file)
			fclose(file);
		return -1;
	}
	text->bytes = (size_t)about.st_size;
	text->data = malloc(text->bytes + 1);
	if (!text->data || fread(text->data, 1, text->bytes, file) != text->bytes) {
		fprintf(stderr, "%s: cannot be read\n", path);
		text_free(text);
		fclose(file);
		return -1;
	}
	fclose(file);
	return 0;
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){ 0 };
}

/* splitmix64 of a counter: the same batches wherever a training goes on. */
static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void text_batch(const struct text *text, uint32_t count, uint32_t context, uint64_t seed,
		uint64_t step, uint8_t *bytes)
{
	const size_t places = text->bytes - context;

	for (uint32_t i = 0; i < count; i++) {
		const uint64_t number = mix(mix(seed) + step * count + i);

		memcpy(bytes + (size_t)i * (context + 1), text->data + number % places,
		       context + 1);
	}
}
