/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server of gdb's remote serial protocol for something that has harts as threads.
 *
 * All functions are called by one thread at a time, which is not that of a hart.
 */
#ifndef GDB_SERVER_H
#define GDB_SERVER_H

#include "gdb_packet.h"

/* Numbers of signals, as gdb has them. */
enum gdb_signal {
	GDB_SIGNAL_INT = 2,
	GDB_SIGNAL_ILL = 4,
	GDB_SIGNAL_TRAP = 5,
	GDB_SIGNAL_ABRT = 6,
	GDB_SIGNAL_BUS = 10,
	GDB_SIGNAL_SEGV = 11,
	GDB_SIGNAL_XCPU = 24,
};

/* Watchpoints: by what sets them off. */
enum gdb_watch {
	GDB_WATCH_NONE,
	GDB_WATCH_WRITE,
	GDB_WATCH_READ,
	GDB_WATCH_ACCESS,
};

/**
 * struct gdb_stop - why the target stands still
 * @thread: the one that it is about, from 1
 * @signal: of it
 * @library: the list of libraries has changed
 * @watch: of which kind the watchpoint is that it has set off
 * @address: the first byte there that it has accessed
 */
struct gdb_stop {
	unsigned int thread;
	enum gdb_signal signal;
	bool library;
	enum gdb_watch watch;
	uint64_t address;
};

enum gdb_action {
	GDB_ACTION_STOP,
	GDB_ACTION_GO,
	GDB_ACTION_STEP,
};

struct gdb_server;

/**
 * struct gdb_target_ops - what is debugged
 * @description: target description, in XML
 * @halt: stop all threads soon; @stopped will tell
 * @stopped: do all stand still? Then why.
 * @resume: go on, each thread by its gdb_server_action()
 * @detach: remove all breakpoints and watchpoints, and go on
 * @next_thread: the first thread after @thread; 0 if there is none
 * @thread_info: a line about it
 * @read_register: false if there is none of that number; @size in bytes
 * @write_register: likewise, or if it cannot be written
 * @read_memory: as @thread sees it; false if any byte cannot be read
 * @write_memory: likewise
 * @set_breakpoint: have a breakpoint at an address, or none; false if there is no room
 * @set_watchpoint: likewise, of @len bytes
 * @command: a line that the user typed; the answer goes to gdb_server_print()
 * @libraries: XML list of what is loaded, into @text; optional
 *
 * All but @halt, @stopped and @detach are called while the target stands still.
 */
struct gdb_target_ops {
	const char *description;
	void (*halt)(void *target);
	bool (*stopped)(void *target, struct gdb_stop *stop);
	void (*resume)(void *target, struct gdb_server *server);
	void (*detach)(void *target);
	unsigned int (*next_thread)(void *target, unsigned int thread);
	void (*thread_info)(void *target, unsigned int thread, char *text, size_t size);
	bool (*read_register)(void *target, unsigned int thread, unsigned int reg, uint64_t *value,
			      unsigned int *size);
	bool (*write_register)(void *target, unsigned int thread, unsigned int reg,
			       uint64_t value);
	bool (*read_memory)(void *target, unsigned int thread, uint64_t addr, void *buf,
			    size_t len);
	bool (*write_memory)(void *target, unsigned int thread, uint64_t addr, const void *buf,
			     size_t len);
	bool (*set_breakpoint)(void *target, uint64_t addr, bool set);
	bool (*set_watchpoint)(void *target, enum gdb_watch kind, uint64_t addr, uint64_t len,
			       bool set);
	void (*command)(void *target, struct gdb_server *server, const char *line);
	void (*libraries)(void *target, char *text, size_t size);
};

#define GDB_LIBRARIES_MAX	0x8000	/* bytes of XML */

/**
 * struct gdb_server - a connection, or none
 * @output: sends bytes to gdb
 * @open: there is a connection
 * @running: gdb waits for the target to stop; or, if not @asked, we do before we answer
 * @asked: gdb is to be told of the next stop
 * @deferred: the packet in @in is for when the target stands still
 * @no_ack: neither side acknowledges packets
 * @thread: that registers and memory are of
 * @actions: what came after vCont
 */
struct gdb_server {
	const struct gdb_target_ops *ops;
	void *target;
	void (*output)(void *target, const char *data, size_t len);
	bool open;
	bool running;
	bool asked;
	bool deferred;
	bool no_ack;
	unsigned int thread;
	struct gdb_stop stop;
	const char *actions;
	struct gdb_in in;
	struct gdb_out out;
	char libraries[GDB_LIBRARIES_MAX];
};

/* A debugger has come: all stops. */
void gdb_server_open(struct gdb_server *server);
/* It has gone: all goes on. */
void gdb_server_close(struct gdb_server *server);
void gdb_server_input(struct gdb_server *server, const void *data, size_t len);
/* The target may have stopped. */
void gdb_server_poll(struct gdb_server *server);

/* What @thread is to do; 0: one that there may be later. For @resume. */
enum gdb_action gdb_server_action(const struct gdb_server *server, unsigned int thread);
/* Text for the user's eyes. For @command. */
void gdb_server_print(struct gdb_server *server, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* GDB_SERVER_H */
