// SPDX-License-Identifier: MIT
/*
 * Copies between ordinary memory and memory objects, in pieces through the
 * staging ring: while SDMA moves one piece, the CPU moves the next.
 */
#include "internal.h"
#include "race.h"

#include <stdlib.h>
#include <string.h>

/* Uploads of up to this wait for company in the batch. */
#define SMALL_BYTES (64u << 10)

/* Rows on both sides of a transfer. */
struct transfer {
	npurt_stream *stream;
	uint8_t *host;
	uint64_t host_pitch;
	struct rt_region device;
	uint64_t row_bytes, rows;
};

/* A part of it that fits in the staging ring: whole rows, or a part of one row. */
struct piece {
	uint64_t row, column;
	uint64_t bytes, rows; /* rows of bytes each */
	uint8_t *staged;
	uint64_t staged_va;
	uint64_t point; /* of a download: its batch */
};

/* The piece after @piece, first with all of it zero; false at the end. */
static bool next_piece(const struct transfer *t, struct piece *piece)
{
	if (t->row_bytes <= RT_STAGING_PIECE) {
		piece->row += piece->rows;
		piece->bytes = t->row_bytes;
		piece->rows = rt_min(RT_STAGING_PIECE / t->row_bytes, t->rows - piece->row);
		return piece->row < t->rows;
	}
	piece->column += piece->bytes;
	if (piece->column == t->row_bytes) {
		piece->column = 0;
		piece->row++;
	}
	piece->rows = 1;
	piece->bytes = rt_min(RT_STAGING_PIECE, t->row_bytes - piece->column);
	return piece->row < t->rows;
}

static uint8_t *host_of(const struct transfer *t, const struct piece *piece, uint64_t row)
{
	return t->host + (piece->row + row) * t->host_pitch + piece->column;
}

static uint64_t device_of(const struct transfer *t, const struct piece *piece)
{
	return t->device.memory->va + t->device.offset + piece->row * t->device.pitch +
	       piece->column;
}

static int stage(const struct transfer *t, struct piece *piece)
{
	void *staged;
	int err = rt_staging_alloc(t->stream, (uint32_t)(piece->bytes * piece->rows), &staged,
				   &piece->staged_va);

	piece->staged = staged;
	return err;
}

static int add_copy(const struct transfer *t, const struct npu_cmd_copy *copy)
{
	const struct rt_op op = {
		.kind = NPURT_COMMAND_COPY,
		.name = t->device.memory->label,
		.copy = *copy,
	};
	int err = rt_stream_add(t->stream, &op);

	if (!err)
		rt_staging_used(t->stream);
	return err;
}

static int upload_piece(const struct transfer *t, struct piece *piece)
{
	struct npu_cmd_copy cmd;
	int err = stage(t, piece);

	if (err)
		return err;
	for (uint64_t row = 0; row < piece->rows; row++)
		memcpy(piece->staged + row * piece->bytes, host_of(t, piece, row), piece->bytes);
	cmd = (struct npu_cmd_copy){
		.dst = device_of(t, piece),
		.src = piece->staged_va,
		.row_bytes = piece->bytes,
		.rows = piece->rows,
		.dst_pitch = t->device.pitch,
		.src_pitch = piece->bytes,
	};
	return add_copy(t, &cmd);
}

static int upload(const struct transfer *t)
{
	const bool small = t->row_bytes <= SMALL_BYTES / t->rows;
	struct piece piece = { 0 };

	while (next_piece(t, &piece)) {
		int err = upload_piece(t, &piece);

		if (!err)
			err = small ? rt_stream_kick(t->stream) : rt_stream_flush(t->stream);
		if (err)
			return err;
	}
	return 0;
}

/* The data are kept with the node. */
static int capture_upload(const struct transfer *t)
{
	const struct rt_op op = {
		.kind = NPURT_COMMAND_COPY,
		.name = t->device.memory->label,
		.copy = { .dst = t->device.memory->va + t->device.offset,
			  .row_bytes = t->row_bytes, .rows = t->rows,
			  .dst_pitch = t->device.pitch, .src_pitch = t->row_bytes },
	};
	uint8_t *data = malloc(t->row_bytes * t->rows);
	int err;

	if (!data)
		return rt_fail(&t->stream->diag, NPURT_ERROR_HOST_MEMORY, "capture an upload");
	for (uint64_t row = 0; row < t->rows; row++)
		memcpy(data + row * t->row_bytes, t->host + row * t->host_pitch, t->row_bytes);
	err = rt_capture_add(t->stream, &op, data, t->row_bytes * t->rows);
	free(data);
	return err;
}

static int start_download(const struct transfer *t, struct piece *piece)
{
	struct npu_cmd_copy cmd;
	int err = stage(t, piece);

	if (err)
		return err;
	cmd = (struct npu_cmd_copy){
		.dst = piece->staged_va,
		.src = device_of(t, piece),
		.row_bytes = piece->bytes,
		.rows = piece->rows,
		.dst_pitch = piece->bytes,
		.src_pitch = t->device.pitch,
	};
	err = add_copy(t, &cmd);
	if (!err)
		err = rt_stream_flush(t->stream);
	piece->point = t->stream->submitted;
	return err;
}

static int finish_download(const struct transfer *t, const struct piece *piece)
{
	int err = rt_stream_wait_locked(t->stream, piece->point);

	if (!err)
		err = rt_stream_outcome(t->stream, piece->point);
	if (err)
		return err;
	for (uint64_t row = 0; row < piece->rows; row++)
		memcpy(host_of(t, piece, row), piece->staged + row * piece->bytes, piece->bytes);
	return 0;
}

/*
 * RT_STAGING_AHEAD pieces are a part of the ring only, so none is overwritten
 * between the end of its batch and its way out.
 */
static int download(const struct transfer *t)
{
	struct piece ahead[RT_STAGING_AHEAD], piece = { 0 };
	unsigned int started = 0, finished = 0;
	bool more = next_piece(t, &piece);

	while (more || finished < started) {
		int err;

		if (more && started - finished < RT_STAGING_AHEAD) {
			err = start_download(t, &piece);
			ahead[started++ % RT_STAGING_AHEAD] = piece;
			more = next_piece(t, &piece);
		} else {
			err = finish_download(t, &ahead[finished++ % RT_STAGING_AHEAD]);
		}
		if (err)
			return err;
	}
	return 0;
}

static int check(const struct transfer *t, const char *name, bool write)
{
	struct rt_diag *diag = &t->stream->diag;
	int err = rt_region_check(diag, t->stream->context, name, &t->device, write, t->row_bytes,
				  t->rows);

	if (err)
		return err;
	if (!t->host)
		return rt_fail(diag, NPURT_ERROR_INVALID, "host pointer is NULL");
	if (t->rows > 1 && t->host_pitch < t->row_bytes)
		return rt_fail(diag, NPURT_ERROR_INVALID, "host pitch is less than a row");
	if (rt_unlikely(rt_watched() & RT_WATCH_VALIDATE))
		err = rt_race_check_host(t->stream, t->host,
					 (t->rows - 1) * t->host_pitch + t->row_bytes, !write);
	return err;
}

int npurt_upload_2d(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset,
		    uint64_t dst_pitch, const void *host, uint64_t host_pitch, uint64_t row_bytes,
		    uint64_t rows)
{
	const struct transfer t = {
		.stream = stream,
		.host = (uint8_t *)(uintptr_t)host,
		.host_pitch = host_pitch,
		.device = { dst, dst_offset, dst_pitch },
		.row_bytes = row_bytes,
		.rows = rows,
	};
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	if (row_bytes && rows) {
		err = check(&t, "dst", true);
		if (!err)
			err = rt_stream_capturing(stream) ? capture_upload(&t) : upload(&t);
	}
	rt_stream_leave(stream);
	return err;
}

int npurt_upload(npurt_stream *stream, npurt_memory *dst, uint64_t dst_offset, const void *host,
		 uint64_t bytes)
{
	return npurt_upload_2d(stream, dst, dst_offset, 0, host, 0, bytes, 1);
}

int npurt_download_2d(npurt_stream *stream, void *host, uint64_t host_pitch, npurt_memory *src,
		      uint64_t src_offset, uint64_t src_pitch, uint64_t row_bytes, uint64_t rows)
{
	const struct transfer t = {
		.stream = stream,
		.host = host,
		.host_pitch = host_pitch,
		.device = { src, src_offset, src_pitch },
		.row_bytes = row_bytes,
		.rows = rows,
	};
	int err = rt_stream_enter(stream);

	if (err)
		return err;
	err = rt_capture_refuse(stream, "a download");
	if (!err && row_bytes && rows) {
		err = check(&t, "src", false);
		if (!err)
			err = download(&t);
	}
	rt_stream_leave(stream);
	return err;
}

int npurt_download(npurt_stream *stream, void *host, npurt_memory *src, uint64_t src_offset,
		   uint64_t bytes)
{
	return npurt_download_2d(stream, host, 0, src, src_offset, 0, bytes, 1);
}
