// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The commands of gdb's remote serial protocol, for a target that stops as a whole.
 *
 * gdb sends a command when it has the answer to the last, and nothing but a request to stop while
 * the target runs. Whoever does otherwise is not answered at once, or not at all.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gdb_server.h"

#define REGISTERS_MAX	33	/* of a g packet: x0 to x31 and pc; the others have packets p */

#define ERROR_SYNTAX	"E16"
#define ERROR_ACCESS	"E0e"
#define ERROR_NONE	"E03"

static bool starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static void send(struct gdb_server *s)
{
	gdb_out_end(&s->out);
	s->output(s->target, s->out.data, s->out.len);
}

static void reply(struct gdb_server *s, const char *text)
{
	gdb_out_begin(&s->out);
	gdb_put(&s->out, text);
	send(s);
}

static void reply_ok(struct gdb_server *s, bool good, const char *error)
{
	reply(s, good ? "OK" : error);
}

static void send_stop(struct gdb_server *s)
{
	static const char *const watch[] = { "", "watch", "rwatch", "awatch" };

	gdb_out_begin(&s->out);
	gdb_printf(&s->out, "T%02xthread:%x;%s", s->stop.signal, s->stop.thread,
		   s->stop.library ? "library:;" : "");
	if (s->stop.watch)
		gdb_printf(&s->out, "%s:%" PRIx64 ";", watch[s->stop.watch], s->stop.address);
	send(s);
}

static bool thread_exists(struct gdb_server *s, uint64_t thread)
{
	return thread && thread <= UINT32_MAX &&
	       s->ops->next_thread(s->target, thread - 1) == thread;
}

/* The thread of an H or T packet; 0 and -1 stand for that which has stopped. */
static bool get_thread(struct gdb_server *s, const char *text, unsigned int *thread)
{
	uint64_t id;

	*thread = s->stop.thread;
	if (!strcmp(text, "0") || !strcmp(text, "-1"))
		return true;
	if (!gdb_get_number(&text, &id) || *text || !thread_exists(s, id))
		return false;
	*thread = id;
	return true;
}

static void set_thread(struct gdb_server *s, const char *args)
{
	unsigned int thread;

	if (args[0] != 'g' && args[0] != 'c')
		return reply(s, ERROR_SYNTAX);
	if (!get_thread(s, args + 1, &thread))
		return reply(s, ERROR_NONE);
	if (args[0] == 'g')
		s->thread = thread;
	reply(s, "OK");
}

static void thread_alive(struct gdb_server *s, const char *args)
{
	unsigned int thread;

	reply_ok(s, get_thread(s, args, &thread), ERROR_NONE);
}

static void list_threads(struct gdb_server *s)
{
	unsigned int thread = 0;
	char separator = 'm';

	gdb_out_begin(&s->out);
	while ((thread = s->ops->next_thread(s->target, thread))) {
		gdb_printf(&s->out, "%c%x", separator, thread);
		separator = ',';
	}
	send(s);
}

static void thread_info(struct gdb_server *s, const char *args)
{
	char text[160] = "";
	unsigned int thread;

	if (!get_thread(s, args, &thread))
		return reply(s, ERROR_NONE);
	s->ops->thread_info(s->target, thread, text, sizeof(text));
	gdb_out_begin(&s->out);
	gdb_put_hex(&s->out, text, strlen(text));
	send(s);
}

static void read_registers(struct gdb_server *s)
{
	unsigned int reg, size;
	uint64_t value;

	gdb_out_begin(&s->out);
	for (reg = 0; reg < REGISTERS_MAX; reg++)
		if (s->ops->read_register(s->target, s->thread, reg, &value, &size))
			gdb_put_hex(&s->out, &value, size);
	send(s);
}

static void write_registers(struct gdb_server *s, const char *args)
{
	unsigned int reg;
	uint64_t value;

	for (reg = 0; reg < REGISTERS_MAX; reg++, args += 2 * sizeof(value)) {
		if (!gdb_get_hex(args, &value, sizeof(value)))
			return reply(s, ERROR_SYNTAX);
		if (!s->ops->write_register(s->target, s->thread, reg, value))
			return reply(s, ERROR_ACCESS);
	}
	reply(s, "OK");
}

static void read_register(struct gdb_server *s, const char *args)
{
	unsigned int size;
	uint64_t reg, value;

	if (!gdb_get_number(&args, &reg) || *args)
		return reply(s, ERROR_SYNTAX);
	if (reg > UINT32_MAX || !s->ops->read_register(s->target, s->thread, reg, &value, &size))
		return reply(s, ERROR_ACCESS);
	gdb_out_begin(&s->out);
	gdb_put_hex(&s->out, &value, size);
	send(s);
}

static void write_register(struct gdb_server *s, const char *args)
{
	uint64_t reg, value = 0;
	size_t size;

	if (!gdb_get_number(&args, &reg) || !gdb_get_char(&args, '='))
		return reply(s, ERROR_SYNTAX);
	size = strlen(args) / 2;
	if (!size || size > sizeof(value) || strlen(args) % 2 || !gdb_get_hex(args, &value, size))
		return reply(s, ERROR_SYNTAX);
	reply_ok(s, reg <= UINT32_MAX &&
		 s->ops->write_register(s->target, s->thread, reg, value), ERROR_ACCESS);
}

/* "ADDRESS,LENGTH" of no more than goes into a packet as digits */
static bool get_range(const char **args, uint64_t *addr, uint64_t *len)
{
	return gdb_get_number(args, addr) && gdb_get_char(args, ',') &&
	       gdb_get_number(args, len) && *len <= GDB_PACKET_MAX / 2;
}

static void read_memory(struct gdb_server *s, const char *args)
{
	uint8_t buf[GDB_PACKET_MAX / 2];
	uint64_t addr, len;

	if (!get_range(&args, &addr, &len) || *args)
		return reply(s, ERROR_SYNTAX);
	if (!s->ops->read_memory(s->target, s->thread, addr, buf, len))
		return reply(s, ERROR_ACCESS);
	gdb_out_begin(&s->out);
	gdb_put_hex(&s->out, buf, len);
	send(s);
}

static void write_memory(struct gdb_server *s, const char *args, bool binary)
{
	const char *end = s->in.data + s->in.len;
	uint8_t buf[GDB_PACKET_MAX / 2];
	uint64_t addr, len;

	if (!get_range(&args, &addr, &len) || !gdb_get_char(&args, ':') ||
	    (uint64_t)(end - args) != (binary ? len : 2 * len))
		return reply(s, ERROR_SYNTAX);
	if (binary)
		memcpy(buf, args, len);
	else if (!gdb_get_hex(args, buf, len))
		return reply(s, ERROR_SYNTAX);
	reply_ok(s, s->ops->write_memory(s->target, s->thread, addr, buf, len), ERROR_ACCESS);
}

/* Breakpoints of software and of hardware, which are the same here, and watchpoints. */
static void set_point(struct gdb_server *s, const char *args, bool set)
{
	static const enum gdb_watch kinds[] = {
		GDB_WATCH_NONE, GDB_WATCH_NONE, GDB_WATCH_WRITE, GDB_WATCH_READ, GDB_WATCH_ACCESS,
	};
	unsigned int type = args[0] - '0';
	uint64_t addr, len;
	bool good;

	if (type >= sizeof(kinds) / sizeof(kinds[0]))
		return reply(s, "");
	args++;
	if (!gdb_get_char(&args, ',') || !gdb_get_number(&args, &addr) ||
	    !gdb_get_char(&args, ',') || !gdb_get_number(&args, &len))
		return reply(s, ERROR_SYNTAX);
	if (kinds[type])
		good = s->ops->set_watchpoint(s->target, kinds[type], addr, len, set);
	else
		good = s->ops->set_breakpoint(s->target, addr, set);
	reply_ok(s, good, ERROR_ACCESS);
}

/* The part "OFFSET,LENGTH" of a text, in pieces that fit. */
static void transfer(struct gdb_server *s, const char *text, const char *args)
{
	size_t size = strlen(text), sent;
	uint64_t offset, len;

	if (!get_range(&args, &offset, &len) || *args)
		return reply(s, ERROR_SYNTAX);
	if (offset >= size)
		return reply(s, "l");
	if (len > size - offset)
		len = size - offset;
	gdb_out_begin(&s->out);
	gdb_put(&s->out, "m");
	sent = gdb_put_binary(&s->out, text + offset, len);
	if (offset + sent == size)
		s->out.data[1] = 'l';
	send(s);
}

static void libraries(struct gdb_server *s, const char *args)
{
	s->ops->libraries(s->target, s->libraries, sizeof(s->libraries));
	transfer(s, s->libraries, args);
}

static void supported(struct gdb_server *s)
{
	gdb_out_begin(&s->out);
	gdb_printf(&s->out, "PacketSize=%x;QStartNoAckMode+;vContSupported+;qXfer:features:read+%s",
		   GDB_PACKET_MAX, s->ops->libraries ? ";qXfer:libraries:read+" : "");
	send(s);
}

static void user_command(struct gdb_server *s, const char *args)
{
	char line[GDB_PACKET_MAX / 2 + 1];
	size_t len = strlen(args) / 2;

	if (!gdb_get_hex(args, line, len))
		return reply(s, ERROR_SYNTAX);
	line[len] = '\0';
	s->ops->command(s->target, s, line);
	reply(s, "OK");
}

static void query(struct gdb_server *s, const char *args)
{
	static const char features[] = "Xfer:features:read:target.xml:";
	static const char loaded[] = "Xfer:libraries:read::";

	if (starts(args, "Supported"))
		supported(s);
	else if (starts(args, features))
		transfer(s, s->ops->description, args + strlen(features));
	else if (starts(args, loaded) && s->ops->libraries)
		libraries(s, args + strlen(loaded));
	else if (!strcmp(args, "fThreadInfo"))
		list_threads(s);
	else if (!strcmp(args, "sThreadInfo"))
		reply(s, "l");
	else if (starts(args, "ThreadExtraInfo,"))
		thread_info(s, args + strlen("ThreadExtraInfo,"));
	else if (!strcmp(args, "Attached"))
		reply(s, "1");
	else if (starts(args, "Rcmd,"))
		user_command(s, args + strlen("Rcmd,"));
	else
		reply(s, "");
}

static void resume(struct gdb_server *s, const char *actions)
{
	s->actions = actions;
	s->running = true;
	s->asked = true;
	s->ops->resume(s->target, s);
	s->actions = NULL;
}

/* The action at *@text, which is moved to its thread or its end; signals are not passed on. */
static enum gdb_action get_action(const char **text)
{
	char c = *(*text)++;
	uint64_t signal;

	if (c == 'C' || c == 'S')
		gdb_get_number(text, &signal);
	return c == 's' || c == 'S' ? GDB_ACTION_STEP : GDB_ACTION_GO;
}

enum gdb_action gdb_server_action(const struct gdb_server *server, unsigned int thread)
{
	const char *text = server->actions;
	uint64_t id;

	while (text && gdb_get_char(&text, ';') && *text) {
		enum gdb_action action = get_action(&text);

		if (!gdb_get_char(&text, ':') || starts(text, "-1"))
			return action;
		if (gdb_get_number(&text, &id) && id == thread)
			return action;
	}
	return GDB_ACTION_STOP;
}

static bool actions_ok(const char *text)
{
	uint64_t number;

	while (gdb_get_char(&text, ';')) {
		if (!*text || !strchr("cCsS", *text))
			return false;
		get_action(&text);
		if (gdb_get_char(&text, ':') && !gdb_get_number(&text, &number) &&
		    !(gdb_get_char(&text, '-') && gdb_get_char(&text, '1')))
			return false;
	}
	return !*text;
}

/* c and s, of the time before vCont */
static void resume_one(struct gdb_server *s, bool step)
{
	char actions[32];

	snprintf(actions, sizeof(actions), step ? ";s:%x" : ";c", s->thread);
	resume(s, actions);
}

static void multi(struct gdb_server *s, const char *args)
{
	if (!strcmp(args, "Cont?"))
		reply(s, "vCont;c;C;s;S");
	else if (starts(args, "Cont;") && actions_ok(args + 4))
		resume(s, args + 4);
	else if (starts(args, "Cont"))
		reply(s, ERROR_SYNTAX);
	else if (starts(args, "Kill;")) {
		s->ops->detach(s->target);
		reply(s, "OK");
	} else {
		reply(s, "");
	}
}

static void detach(struct gdb_server *s)
{
	s->ops->detach(s->target);
	reply(s, "OK");
}

static void no_ack(struct gdb_server *s)
{
	reply(s, "OK");
	s->no_ack = true;
}

static void command(struct gdb_server *s)
{
	const char *args = s->in.data + 1;

	switch (s->in.data[0]) {
	case '?':
		return send_stop(s);
	case 'H':
		return set_thread(s, args);
	case 'T':
		return thread_alive(s, args);
	case 'g':
		return read_registers(s);
	case 'G':
		return write_registers(s, args);
	case 'p':
		return read_register(s, args);
	case 'P':
		return write_register(s, args);
	case 'm':
		return read_memory(s, args);
	case 'M':
		return write_memory(s, args, false);
	case 'X':
		return write_memory(s, args, true);
	case 'Z':
		return set_point(s, args, true);
	case 'z':
		return set_point(s, args, false);
	case 'c':
		return resume_one(s, false);
	case 's':
		return resume_one(s, true);
	case 'v':
		return multi(s, args);
	case 'q':
		return query(s, args);
	case 'D':
		return detach(s);
	case 'k':
		return s->ops->detach(s->target);
	case 'Q':
		if (!strcmp(args, "StartNoAckMode"))
			return no_ack(s);
		/* fall through */
	default:
		reply(s, "");
	}
}

/* Answer what waited for the target to stop. */
void gdb_server_poll(struct gdb_server *s)
{
	if (!s->open)
		return;
	if (s->running) {
		if (!s->ops->stopped(s->target, &s->stop))
			return;
		s->running = false;
		s->thread = s->stop.thread;
		if (s->asked)
			send_stop(s);
		s->asked = false;
	}
	if (s->deferred) {
		s->deferred = false;
		command(s);
		if (s->running)
			gdb_server_poll(s);
	}
}

static void acknowledge(struct gdb_server *s, bool good)
{
	if (!s->no_ack)
		s->output(s->target, good ? "+" : "-", 1);
}

/* A packet that waits keeps its place: what comes meanwhile is lost, but for a request to stop. */
static void input_byte(struct gdb_server *s, uint8_t byte)
{
	if (s->deferred) {
		if (byte == 0x03)
			s->ops->halt(s->target);
		return;
	}
	switch (gdb_in_byte(&s->in, byte)) {
	case GDB_EV_NONE:
		break;
	case GDB_EV_PACKET:
		acknowledge(s, true);
		s->deferred = true;
		gdb_server_poll(s);
		break;
	case GDB_EV_BAD:
		acknowledge(s, false);
		break;
	case GDB_EV_BREAK:
		if (s->running)
			s->ops->halt(s->target);
		gdb_server_poll(s);
		break;
	case GDB_EV_NAK:
		if (!s->no_ack && s->out.len)
			s->output(s->target, s->out.data, s->out.len);
		break;
	}
}

void gdb_server_input(struct gdb_server *s, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t i;

	for (i = 0; i < len && s->open; i++)
		input_byte(s, bytes[i]);
}

void gdb_server_open(struct gdb_server *s)
{
	s->open = true;
	s->running = true;
	s->asked = false;
	s->deferred = false;
	s->no_ack = false;
	s->stop = (struct gdb_stop){ .thread = 1, .signal = GDB_SIGNAL_INT };
	s->thread = 1;
	s->in.state = 0;
	s->out.len = 0;
	s->ops->halt(s->target);
}

void gdb_server_close(struct gdb_server *s)
{
	if (!s->open)
		return;
	s->open = false;
	s->ops->detach(s->target);
}

void gdb_server_print(struct gdb_server *s, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	gdb_out_begin(&s->out);
	gdb_put(&s->out, "O");
	gdb_put_hex(&s->out, text, strlen(text));
	send(s);
}
