/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the device core share.
 *
 * Threads: the host's (MMIO, life cycle), the workers, the service thread (timers, device
 * reset by register) and the MCU's. In sync mode there is only the host's.
 *
 * Locking:
 * - core->lock protects whatever has no other rule: work lists, the states of queues, tasks and
 *   cores, completion ring indices, contexts, semaphore waiters, moderation. It is held for a few
 *   list operations at a time. Host functions other than clock_ns and event are never called
 *   under it, and neither are the MCU's functions other than npu_mcu_raise_int().
 * - A queue in NPU_Q_OWNED belongs to the worker that set this state, a core that is on no list
 *   and has a task belongs to the worker that runs it; their execution state needs no lock.
 * - Fields marked (atomic) are read and written with __atomic builtins by anyone.
 * - The MCU has a lock of its own, the innermost: npu_mcu_raise_int() may be called under any.
 *
 * Translations and host mappings are used only inside a section of a worker
 * (npu_section_enter() to npu_section_leave()). Invalidation changes the context's tag, then
 * waits, without blocking anyone, until every section begun before has ended.
 */
#ifndef NPU_INTERNAL_H
#define NPU_INTERNAL_H

#include <pthread.h>

#include <npu/npu_fw.h>
#include <npu/npu_mcu.h>
#include <npu/npu_mmu.h>
#include <npu/npu_queue.h>
#include <npu/npu_regs.h>

#include "debug.h"
#include "npu_core.h"
#include "rv64.h"
#include "tile.h"

#define npu_load(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define npu_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define npu_store(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define npu_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define npu_min(a, b)		((a) < (b) ? (a) : (b))
#define npu_max(a, b)		((a) > (b) ? (a) : (b))

#define NPU_NS_PER_US		1000ULL
#define NPU_NS_PER_MS		1000000ULL
#define NPU_NEVER		UINT64_MAX
#define NPU_RUN_CLOCK_STOPPED	(1ULL << 63)

#define NPU_REG_SPACE		0x1000	/* offsets that have a register each, without doorbells */
#define NPU_TLB_ENTRIES		64
#define NPU_CMD_BATCH		16	/* commands fetched at a time */
#define NPU_QUEUE_TASKS		8	/* kernels and large copies of a queue in flight */
#define NPU_SEM_BUCKETS		256
#define NPU_PACES		64	/* kernels whose speed is remembered */
#define NPU_CORE_LAYERS		4	/* kernels that can be in progress on one core */
#define NPU_CORE_MAPS		64	/* pages of system memory that a core maps in a slice */
#define NPU_BOUNCE_SIZE		0x10000ULL
#define NPU_MAX_WORKERS		64
#define NPU_CORE_CLOCK_MHZ	1800
#define NPU_SEM_POLL_NS		NPU_NS_PER_MS
#define NPU_QUANTUM_NS		(NPU_NS_PER_MS / 2) /* of a core that others wait for */

/* The most that one call in sync mode lets a task run, in the time of npu_task::sync_ns. */
#define NPU_SYNC_CAP_NS		1000000000ULL

struct npu_core;
struct npu_mcu;
struct npu_queue;
struct npu_worker;

struct npu_list {
	struct npu_list *next, *prev;
};

#define npu_container(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

static inline void npu_list_init(struct npu_list *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool npu_list_empty(const struct npu_list *head)
{
	return head->next == head;
}

static inline void npu_list_add_tail(struct npu_list *head, struct npu_list *node)
{
	node->next = head;
	node->prev = head->prev;
	head->prev->next = node;
	head->prev = node;
}

/* Leaves @node empty, so that it may be deleted again. */
static inline void npu_list_del(struct npu_list *node)
{
	node->next->prev = node->prev;
	node->prev->next = node->next;
	npu_list_init(node);
}

#include "timing.h"

/**
 * struct npu_error - why a task failed, as far as the one who found it knows
 */
struct npu_error {
	enum npu_status status;
	enum npu_access access;
	enum npu_unit unit;
	uint16_t core;
	uint32_t block;
	uint64_t pc;
	uint64_t address;
};

/**
 * struct npu_counters - activity since reset, kept by each worker for itself (atomic)
 * @bus: bytes to and from host memory
 */
struct npu_counters {
	uint64_t aicore_ns;
	uint64_t cube_ns;
	uint64_t vector_ns;
	uint64_t sdma_ns;
	uint64_t hbm_read;
	uint64_t hbm_write;
	uint64_t bus;
	uint64_t tasks_done;
	uint64_t tasks_failed;
};

/* Only the owner writes a counter, so that an addition need not be one atomic operation. */
static inline void npu_count(uint64_t *counter, uint64_t n)
{
	npu_store(counter, npu_load(counter) + n);
}

/**
 * struct npu_context - an address space
 * @root: HBM offset of the root table; constant while @valid
 * @tag: unique to this content of the tables (atomic)
 * @serial: unique to this address space
 * @queues: queues that use it
 */
struct npu_context {
	bool valid;
	unsigned int queues;
	uint64_t root;
	uint64_t tag;
	uint64_t serial;
};

/**
 * struct npu_run - translated addresses
 * @phys: HBM offset or bus address
 * @host: host pointer, NULL for system memory and sparse addresses
 * @len: bytes that are contiguous from there
 * @sparse: there is no memory: reads give zero, writes are dropped; @phys means nothing
 * @code: kernels can be run from it, and cannot write it
 */
struct npu_run {
	uint64_t phys;
	uint8_t *host;
	uint64_t len;
	bool sparse;
	bool code;
};

/**
 * struct npu_cursor - the last translation of a sequence of accesses in one section
 * @va: where @run begins; @run.len is 0 at first
 */
struct npu_cursor {
	enum npu_access access;
	uint64_t va;
	struct npu_run run;
};

/* A page of system memory in use by a core. */
struct npu_mapping {
	void *ptr;
	uint64_t va;
	bool write;
};

/**
 * struct npu_tlb_entry - a leaf
 * @tag: of the context; 0: empty
 * @va: first address, aligned to @size
 * @leaf: of the first address
 */
struct npu_tlb_entry {
	uint64_t tag;
	uint64_t va;
	uint64_t size;
	uint64_t leaf;
};

/**
 * struct npu_view - a context as a section sees it
 */
struct npu_view {
	uint16_t id;
	uint64_t root;
	uint64_t tag;
};

enum npu_work_kind {
	NPU_WORK_QUEUE,	/* fetch and execute entries */
	NPU_WORK_TASK,	/* take a block or a chunk */
	NPU_WORK_CORE,	/* go on with a block that was interrupted */
};

/**
 * struct npu_work - something a worker can do
 * @node: on the list of its priority, of tasks that wait for a core, or on none
 */
struct npu_work {
	struct npu_list node;
	enum npu_work_kind kind;
	uint8_t priority;
};

/**
 * struct npu_pick - what a worker is to do next
 * @unit: first unit to carry out, of @task, if @kind is NPU_WORK_TASK
 * @units: how many
 * @aicore: for it, if it is a kernel's; or to go on with
 * @helper: a worker to signal, as there is more to do; or NULL
 */
struct npu_pick {
	enum npu_work_kind kind;
	struct npu_queue *queue;
	struct npu_task *task;
	struct npu_aicore *aicore;
	uint64_t unit, units;
	struct npu_worker *helper;
};

/* Units that follow on each other. */
struct npu_part {
	uint64_t next, end;
};

/**
 * struct npu_task - a command that is carried out in units: blocks or chunks
 * @work: on a ready list while a unit may be taken, or on that of waiters for a core
 * @ready: works on ready lists that belong to it (atomic)
 * @active: in use
 * @serial: tells it from those that have used this slot before
 * @waits_core: @work is on sched.core_waiters
 * @queue: whose command
 * @core_mask: cores that it may use
 * @cores: cores that it uses
 * @command: its index in the list
 * @cmd: the command
 * @parts: units that nobody has taken
 * @spares: cores that have taken blocks and do not come to begin them
 * @running: takers of units that have not ended them
 * @unit_ns: what a unit takes on average; before the first has ended, what one of the last launch
 *	of the kernel took, or NPU_NEVER
 * @ended: units of a kernel that have ended
 * @ended_ns: what they took
 * @max_running: limit of @running
 * @started: clock when the first unit was taken (atomic)
 * @timeout_ns: longest time from then; NPU_NEVER: none
 * @stop: units are to end early (atomic)
 * @known: a debugger has been told where its code is (atomic)
 * @sync_ns: in sync mode, time taken by a model: one ns an instruction
 * @strict: in strict mode, what its blocks write, or have written; NULL if there was no memory
 * @strict_found: one of its blocks has a finding (atomic)
 * @booking: for its modelled time, or NULL
 */
struct npu_task {
	struct npu_work work;
	unsigned int ready;
	bool active;
	uint64_t serial;
	bool waits_core;
	struct npu_queue *queue;
	uint64_t core_mask;
	uint64_t cores;
	uint32_t command;
	struct npu_cmd cmd;
	struct npu_part parts[2];
	struct npu_list spares;
	unsigned int running;
	unsigned int max_running;
	uint64_t unit_ns;
	uint64_t ended, ended_ns;
	uint64_t started;
	uint64_t timeout_ns;
	bool stop;
	bool known;
	uint64_t sync_ns;
	struct strict_task *strict;
	bool strict_found;
	struct npu_booking *booking;
};

/**
 * enum npu_qstate - where a queue is for the scheduler
 * @NPU_Q_IDLE: ring empty
 * @NPU_Q_READY: on the list of its priority
 * @NPU_Q_OWNED: a worker runs it
 * @NPU_Q_TASKS: waits for tasks to end
 * @NPU_Q_SEM: waits for a semaphore
 * @NPU_Q_CQ: waits for room in its completion ring
 * @NPU_Q_SUSPENDED: waits for resume or destroy
 * @NPU_Q_FAULTED: waits for destroy
 */
enum npu_qstate {
	NPU_Q_IDLE,
	NPU_Q_READY,
	NPU_Q_OWNED,
	NPU_Q_TASKS,
	NPU_Q_SEM,
	NPU_Q_CQ,
	NPU_Q_SUSPENDED,
	NPU_Q_FAULTED,
};

/**
 * enum npu_phase - what the owner of a queue has to do next
 * @NPU_PHASE_FETCH: read the next submission entry
 * @NPU_PHASE_COMMAND: carry out command @index
 * @NPU_PHASE_SEM: look at the semaphore of command @index
 * @NPU_PHASE_DRAIN: wait for tasks, then complete
 * @NPU_PHASE_COMPLETE: post the completion
 */
enum npu_phase {
	NPU_PHASE_FETCH,
	NPU_PHASE_COMMAND,
	NPU_PHASE_SEM,
	NPU_PHASE_DRAIN,
	NPU_PHASE_COMPLETE,
};

/* Parameters of a queue, as the MCU gives them. */
struct npu_queue_config {
	uint64_t base;
	uint64_t status_block;
	uint64_t core_mask;
	uint32_t entries;
	uint32_t timeout_us;
	uint32_t context;
	uint32_t cq;
	uint32_t priority;
	uint32_t engine;
};

/* What NPU_MCU_Q_CMD_QUERY tells. */
struct npu_queue_info {
	enum npu_queue_state state;
	uint32_t head;
	uint32_t tail;
	enum npu_status fault;
	uint64_t tasks;
	uint64_t cores;
	uint64_t pc;
	uint32_t command;
	uint32_t timeout_us;
};

/**
 * struct npu_sem_place - where a semaphore was found
 * @key: the memory, whatever its address in a context
 * @tag: of the context, when it was looked up
 */
struct npu_sem_place {
	uint64_t key;
	uint64_t tag;
};

/**
 * struct npu_queue - a hardware queue
 * @tail: last doorbell value (atomic)
 * @stop: leave off as soon as possible: destroy, or reset (atomic)
 * @suspend: leave off at the next command border (atomic)
 * @abort: end the entry as if its time were over (atomic)
 * @tasks_running: of @tasks, those in flight
 * @tasks_started: @tasks_running may be other than 0; the owner's
 * @held: of @tasks, one that is on no list, until the owner knows whether it has something else to
 *	do meanwhile; or NULL
 * @pending_cmd: NPU_MCU_Q_CMD_* that the MCU is to be told the end of
 * @wait_node: on a list of core->sem_waiters in NPU_Q_SEM, and shortly before in NPU_Q_OWNED;
 *	on cq->waiters in NPU_Q_CQ
 * @sem: where the semaphore is
 * @sem_deadline: when the wait times out
 * @sem_waits: it has waited in NPU_Q_SEM, and gone on since only to look again (atomic)
 * @sem_command: while @sem_waits, the command that waits
 * @sem_timeout_us: likewise, how long it may
 * @failed: @error ends the entry (atomic)
 * @fault_written: the status block has it
 * @scratch_error: the owner's, for what it does itself
 * @aicore_ns: time spent on the entry (atomic)
 * @sdma_ns: likewise (atomic)
 * @done: commands that lie behind, since creation (atomic)
 * @loop_ns: longest time-out of the BRANCHes of the entry that went back; 0: none has (atomic)
 * @loop_start: when the first of them did; of a host in sync mode how many there were
 * @clock: modelled time
 */
struct npu_queue {
	struct npu_work work;
	struct npu_core *core;
	uint16_t id;
	struct npu_queue_config cfg;
	enum npu_qstate state;
	uint32_t tail;
	bool stop;
	bool suspend;
	bool abort;
	uint32_t pending_cmd;

	uint32_t head;
	enum npu_phase phase;
	struct npu_sqe sqe;
	uint32_t index;
	uint32_t batch_first, batch_count;
	struct npu_cmd batch[NPU_CMD_BATCH];

	struct npu_task tasks[NPU_QUEUE_TASKS];
	unsigned int tasks_running;
	bool tasks_started;
	struct npu_task *held;

	struct npu_list wait_node;
	struct npu_sem_place sem;
	uint64_t sem_deadline;
	bool sem_waits;
	uint32_t sem_command;
	uint32_t sem_timeout_us;

	bool failed;
	bool fault_written;
	uint32_t failed_command;
	uint64_t failed_tag;
	struct npu_error error;
	struct npu_error scratch_error;
	uint64_t aicore_ns;
	uint64_t sdma_ns;
	uint64_t done;
	uint64_t loop_ns;
	uint64_t loop_start;
	struct npu_queue_clock clock;
};

/**
 * struct npu_cq - a completion ring
 * @tail: entries ever posted
 * @head: last doorbell value
 * @waiters: queues that wait for room
 */
struct npu_cq {
	bool valid;
	unsigned int queues;
	uint64_t base;
	uint32_t entries;
	unsigned int vector;
	uint32_t tail;
	uint32_t head;
	struct npu_list waiters;
};

/**
 * struct npu_vector - moderation of an MSI-X vector
 * @pending: completions not yet signalled
 * @due: when to signal them at the latest
 */
struct npu_vector {
	uint32_t moderation;
	uint32_t pending;
	uint64_t due;
};

/**
 * struct npu_aicore - an AI core, as one of the kernels that share it sees it
 * @id: of the core; there are NPU_CORE_LAYERS with the same
 * @work: queued while a block is interrupted
 * @task: whose block it runs; NULL: free
 * @block: of its kernel (atomic)
 * @first: the first that it has taken
 * @end: behind the last
 * @shared: others may take its blocks, from the last on: @block and @end change with core->lock.
 *	From the start if it has taken one alone that is known to be long
 * @spare: on @task's list while it is @shared and has some
 * @ready: @tile and @cpu are set up (atomic)
 * @worker: who runs it, in a section (atomic)
 * @last_worker: who has run it last, or NULL
 * @tag: context that the hart's translations are of
 * @args: page of its kernel's arguments
 * @owner: serial of the context that the local buffers belong to
 * @code_epoch: core->code_epoch when the decoded code was last in doubt
 * @slice_start: host time at which the slice has begun, and ...
 * @slice_end: ... should end
 * @slices: how many there were
 * @looked: npu_ticks() when that was last compared with the clock
 * @cube_ticks: what the cube took of the slice
 * @vector_ticks: likewise
 * @pc: where the last one ended (atomic)
 * @lost: its block is to end, by a reset of the core (atomic)
 * @hung: its block is on no list, as the core makes no progress
 * @dbg: what a debugger wants of it
 * @busy_ns: time spent on its blocks, unless time is modelled
 * @pipes: modelled time of the block, or NULL
 * @pipes_base: device time at which that began
 * @maps: system memory in the hart's translations
 * @error: set by callbacks
 * @strict: watches the core in strict mode; NULL before the first launch of the kind
 * @strict_ops: @ops in strict mode
 * @ops: what the hart calls, by @watch_ops while a debugger watches memory
 */
struct npu_aicore {
	struct npu_work work;
	struct npu_core *core;
	uint16_t id;
	uint16_t layer;
	bool ready;
	struct npu_task *task;
	uint32_t block, first, end;
	bool shared;
	struct npu_list spare;
	struct npu_worker *worker;
	const struct npu_worker *last_worker;
	struct npu_view view;
	uint64_t tag;
	uint64_t args;
	uint64_t owner;
	uint64_t code_epoch;
	uint64_t slice_start;
	uint64_t slice_end;
	unsigned int slices;
	uint64_t looked, cube_ticks, vector_ticks;
	uint64_t pc;
	bool lost;
	bool hung;
	struct npu_debug_slot dbg;
	uint64_t busy_ns;
	struct npu_pipes *pipes;
	uint64_t pipes_base;
	struct npu_mapping maps[NPU_CORE_MAPS];
	unsigned int nr_maps;
	uint8_t sink[NPU_PAGE_SIZE] __attribute__((aligned(8)));
	struct npu_error error;
	struct strict *strict;
	struct rv64_ops strict_ops;
	struct rv64_ops watch_ops;
	const struct rv64_ops *ops;
	struct npu_tile tile;
	struct rv64_cpu cpu;
};

/**
 * struct npu_worker - a thread that does work, or in sync mode the host's
 * @section: odd inside a section (atomic)
 * @sleeping: waits on @wake
 * @picks: how often it has taken work
 * @last_core: bit of the core that it has taken last
 * @ran: it has run a kernel for the queue that it owns
 * @irq_vector: vector of completions that are not yet signalled
 * @irq_count: how many there are
 * @bounce: NPU_BOUNCE_SIZE bytes
 * @kept: operands of the blocks of one kernel command
 * @kept_for: that command's npu_task::serial, and ...
 * @kept_tag: ... the tag of its translations
 */
struct npu_worker {
	struct npu_core *core;
	pthread_t thread;
	pthread_cond_t wake;
	bool sleeping;
	uint64_t section;
	unsigned int picks;
	uint64_t last_core;
	bool ran;
	unsigned int irq_vector;
	unsigned int irq_count;
	uint8_t *bounce;
	struct tile_kept *kept;
	uint64_t kept_for;
	uint64_t kept_tag;
	struct npu_counters count;
	struct npu_tlb_entry tlb[NPU_TLB_ENTRIES];
};

/**
 * struct npu_pace - how fast the blocks of a kernel were when it was last launched
 * @entry: of the kernel
 * @serial: of its context
 * @unit_ns: what a block took on average
 */
struct npu_pace {
	uint64_t entry;
	uint64_t serial;
	uint64_t unit_ns;
};

/**
 * struct npu_sched - lists of the scheduler
 * @ready: work by priority
 * @ready_mask: priorities whose list is not empty (atomic)
 * @ready_count: works on these lists (atomic)
 * @core_waiters: kernels that found no free core
 * @free_cores: cores without a block, by layer: a kernel that finds all cores taken by blocks of
 *	others shares one with them in the next layer
 * @quiesce: holders of a request that all workers stand still (atomic)
 * @active: threads that do not stand still (atomic)
 * @searching: workers that look for work without sleeping, or have been woken to do so
 * @max_searching: how many may go without sleep when there is nothing to do
 * @crowded: host time until which none does, as others want the CPUs, for @crowded_ns
 * @dead_cores: cores that have stopped to answer
 * @sleepers: workers that sleep
 * @paces: of kernels, by a hash of their entry
 * @exit: threads are to end (atomic)
 * @quiet: @active has become 0
 */
struct npu_sched {
	struct npu_list ready[NPU_PRIORITY_COUNT];
	unsigned int ready_mask;
	unsigned int ready_count;
	struct npu_list core_waiters;
	uint64_t free_cores[NPU_CORE_LAYERS];
	uint64_t dead_cores;
	unsigned int quiesce;
	unsigned int active;
	unsigned int searching, max_searching;
	uint64_t crowded, crowded_ns;
	unsigned int sleepers;
	struct npu_pace paces[NPU_PACES];
	bool exit;
	pthread_cond_t quiet;
};

/**
 * struct npu_injector - faults that are to happen
 * @lock: innermost, but for @event of the host; protects the rest
 * @armed: bit for each fault of which @left is not zero (atomic)
 * @left: how often
 * @struck: how often it has happened
 * @target: to whom, or NPU_INJECT_ANY
 * @poison: HBM offset of memory that cannot be read
 * @poison_size: bytes of it
 */
struct npu_injector {
	pthread_mutex_t lock;
	uint32_t armed;
	uint64_t left[NPU_INJECT_COUNT];
	uint64_t struck[NPU_INJECT_COUNT];
	uint32_t target[NPU_INJECT_COUNT];
	uint64_t poison;
	uint64_t poison_size;
};

/**
 * struct npu_core - the device
 * @regs: values of the plain registers (atomic)
 * @life: serialises reset, pause and the like; outside of @lock
 * @epoch_ns: clock at power-on
 * @timing: modelled time, or NULL
 * @time_ahead: what device time is ahead of the clock, for modelled time not to be (atomic)
 * @timestamp_latch: upper half of the time, as last read (atomic)
 * @next_tag: source of context tags (atomic)
 * @code_epoch: counts what may have changed code (atomic)
 * @sem_waiting: queues on lists of @sem_waiters (atomic)
 * @inv_sections: sections of the workers at the last invalidation
 * @threads: how many run, the service thread first
 * @service_due: when it has something to do
 * @idle_ticks: rounds of it without a waiter
 * @reset_wanted: NPU_REG_DEV_CTRL was written
 * @sync_running: in sync mode, npu_sync_run() is in progress
 * @sync_cap_ns: NPU_SYNC_CAP_NS, unless a test wants less
 * @hbm_limit: HBM that contexts may reach; the firmware region lies above
 * @hung_cores: cores that make no progress until they are reset (atomic)
 * @strict_bytes: memory that is left for what tasks in strict mode write (atomic)
 * @debug_worker: not a thread: behind @workers, for a debugger's accesses to contexts
 * @run_clock: how npu_run_clock() differs from the clock (atomic)
 */
struct npu_core {
	struct npu_core_config cfg;
	const struct npu_host_ops *ops;
	void *host;
	uint8_t *hbm;
	uint64_t hbm_limit;
	pthread_mutex_t lock;
	pthread_mutex_t life;

	uint32_t regs[NPU_REG_SPACE / 4];
	uint64_t epoch_ns;
	struct npu_timing *timing;
	uint64_t time_ahead;
	uint32_t timestamp_latch;

	struct npu_context contexts[NPU_MAX_CONTEXTS];
	struct npu_cq cqs[NPU_MAX_CQS];
	struct npu_vector vectors[NPU_MAX_VECTORS];
	struct npu_queue **queues;
	uint64_t next_tag;
	uint64_t code_epoch;

	struct npu_sched sched;
	struct npu_list sem_waiters[NPU_SEM_BUCKETS];
	unsigned int sem_waiting;

	struct npu_aicore *aicores;
	unsigned int nr_aicores;
	uint64_t hung_cores;
	size_t strict_bytes;
	struct npu_worker *workers;
	unsigned int nr_workers;
	struct npu_worker *debug_worker;
	uint64_t *inv_sections;

	struct npu_debug *debug;
	uint64_t run_clock;

	pthread_t service;
	unsigned int threads;
	pthread_cond_t service_wake;
	uint64_t service_due;
	unsigned int idle_ticks;
	bool reset_wanted;
	bool sync_running;
	uint64_t sync_cap_ns;

	struct npu_mcu *mcu;
	struct npu_injector inject;
};

/* core.c */
static inline uint64_t npu_clock(struct npu_core *core)
{
	return core->ops->clock_ns(core->host);
}

/* The clock of deadlines: it does not count the time for which a debugger has held AI cores. */
static inline uint64_t npu_run_clock(struct npu_core *core)
{
	uint64_t run = npu_load(&core->run_clock);

	return run & NPU_RUN_CLOCK_STOPPED ? run & ~NPU_RUN_CLOCK_STOPPED : npu_clock(core) - run;
}

/* Device time: ns since power-on, NPU_REG_TIMESTAMP and NPU_MCU_TIME. */
static inline uint64_t npu_timestamp(struct npu_core *core)
{
	return npu_clock(core) - core->epoch_ns + npu_load(&core->time_ahead);
}

static inline void npu_event(struct npu_core *core, enum npu_core_event event, uint64_t a,
			     uint64_t b, uint64_t c)
{
	if (core->ops->event)
		core->ops->event(core->host, event, a, b, c);
}

/* Sums over the workers; may be called by any thread. */
void npu_counters_read(struct npu_core *core, struct npu_counters *sum);

/* Cores that run a block at this moment. */
unsigned int npu_busy_cores(struct npu_core *core);

/*
 * regs.c: plain registers by BAR offset, from any thread, without side effects. Who reads a
 * register sees what its writer did before, as with an index of a ring.
 */
static inline uint32_t npu_reg_get(struct npu_core *core, unsigned int offset)
{
	return npu_load_acquire(&core->regs[offset / 4]);
}

static inline void npu_reg_set(struct npu_core *core, unsigned int offset, uint32_t value)
{
	npu_store_release(&core->regs[offset / 4], value);
}

static inline uint64_t npu_reg_get64(struct npu_core *core, unsigned int lo)
{
	return npu_reg_get(core, lo) | (uint64_t)npu_reg_get(core, lo + 4) << 32;
}

/* Set and clear bits of NPU_REG_DEV_STATUS. */
void npu_dev_status(struct npu_core *core, uint32_t set, uint32_t clear);
void npu_regs_reset(struct npu_core *core);
void npu_guest_error(struct npu_core *core, uint64_t offset, uint64_t value, bool write);

/* irq.c: no locks held */
/* Set bits of NPU_REG_IRQ_CAUSE; raises vector 0 if they are enabled. */
void npu_irq_cause_set(struct npu_core *core, uint32_t bits);
void npu_irq_enable_write(struct npu_core *core, uint32_t value);
void npu_irq_moderation_write(struct npu_core *core, unsigned int vector, uint32_t value);
/* A completion for @vector was posted: signal it at the next npu_irq_flush(). */
void npu_irq_defer(struct npu_worker *worker, unsigned int vector);
void npu_irq_flush(struct npu_worker *worker);
/* Raise what is due at @now; returns when the next one is. With the lock, drops it meanwhile. */
uint64_t npu_irq_run(struct npu_core *core, uint64_t now);
void npu_irq_reset(struct npu_core *core);

/* gm.c: bus access, no locks held. 0, or -1 if the bus refuses. */
int npu_dma_read(struct npu_core *core, uint64_t addr, void *buf, size_t len);
int npu_dma_write(struct npu_core *core, uint64_t addr, const void *buf, size_t len);

/* inject.c */
bool npu_inject_strikes(struct npu_core *core, enum npu_inject fault, uint32_t target);
/* An engine reads *@len bytes of HBM, which are cut down to those that are good. True: none are. */
bool npu_inject_hbm_read(struct npu_core *core, uint64_t offset, uint64_t *len);
/* Is a part of the page of HBM poisoned? */
bool npu_inject_poison_near(struct npu_core *core, uint64_t page);

static inline bool npu_inject_armed(struct npu_core *core, enum npu_inject fault)
{
	return npu_load(&core->inject.armed) >> fault & 1;
}

/* @fault has the occasion to happen to @target. Does it? Any lock may be held. */
static inline bool npu_inject(struct npu_core *core, enum npu_inject fault, uint32_t target)
{
	return npu_inject_armed(core, fault) && npu_inject_strikes(core, fault, target);
}

/*
 * Objects of the MCU's peripherals. The functions return the final status; those of a queue
 * that cannot end at once return NPU_MCU_BUSY, and npu_mcu_queue_done() is called when they
 * have. All checks of ids and parameters are made here. No locks held.
 */
uint32_t npu_ctx_set(struct npu_core *core, uint32_t id, uint64_t root);
uint32_t npu_ctx_clear(struct npu_core *core, uint32_t id);
uint32_t npu_cq_create(struct npu_core *core, uint32_t id, uint64_t base, uint32_t entries,
		       uint32_t vector);
uint32_t npu_cq_destroy(struct npu_core *core, uint32_t id);
uint32_t npu_queue_create(struct npu_core *core, uint32_t id, const struct npu_queue_config *cfg);
uint32_t npu_queue_destroy(struct npu_core *core, uint32_t id);
uint32_t npu_queue_suspend(struct npu_core *core, uint32_t id);
uint32_t npu_queue_resume(struct npu_core *core, uint32_t id);
uint32_t npu_queue_stop(struct npu_core *core, uint32_t id);
uint32_t npu_queue_query(struct npu_core *core, uint32_t id, struct npu_queue_info *info);
/* End what @queue runs on AI core @id, even if the core does not answer. */
uint32_t npu_aicore_reset(struct npu_core *core, uint32_t id, uint32_t queue);

/* Errors that are counted for the firmware. */
enum npu_ras {
	NPU_RAS_HBM_CE, /* corrected HBM error */
	NPU_RAS_HBM_UE, /* uncorrected HBM error */
	NPU_RAS_CORE_LOST, /* an AI core stopped answering */
	NPU_RAS_COUNT
};

/*
 * mcu.c and bootrom.c: the management core.
 *
 * npu_mcu_init/fini: make and free core->mcu; without sync mode with a thread, which stands
 *	still until npu_mcu_resume().
 * npu_mcu_pause/resume: pause returns when the thread stands still and makes no host call; they
 *	nest not. The caller holds no lock.
 * npu_mcu_reset: paused; all state to reset values, the plain registers BOOT_POST,
 *	FW_HEARTBEAT, FW_ABI and the NPU_DEV_STATUS_ROM_READY bit included.
 * npu_mcu_boot_start: NPU_REG_BOOT_CMD was written with START. Does not block.
 * npu_mcu_raise_int: set bits of NPU_MCU_INT_PENDING. Any thread, any lock. NPU_MCU_INT_ADMIN
 *	tells that NPU_REG_ASQ_TAIL was written.
 * npu_mcu_poke: a fault is to happen to the firmware. Any thread, no lock.
 * npu_ras_count: count errors of a kind: the firmware sees the counter, which a reset clears, and
 *	an interrupt. As npu_mcu_raise_int().
 * npu_mcu_queue_done: the queue command that returned NPU_MCU_BUSY has ended. Sets
 *	NPU_MCU_Q_STATUS and raises NPU_MCU_INT_QUEUE. Any thread, core->lock may be held.
 * npu_mcu_run: sync mode, not from a callback of the MCU: run until it waits for an interrupt
 *	or a bounded number of instructions; true if it is to be called again at once.
 * npu_mcu_next_event: sync mode: clock_ns() at which a timer interrupt is due, or NPU_NEVER.
 */
int npu_mcu_init(struct npu_core *core);
void npu_mcu_fini(struct npu_core *core);
void npu_mcu_pause(struct npu_core *core);
void npu_mcu_resume(struct npu_core *core);
void npu_mcu_reset(struct npu_core *core);
void npu_mcu_boot_start(struct npu_core *core);
void npu_mcu_raise_int(struct npu_core *core, uint32_t bits);
void npu_mcu_poke(struct npu_core *core);
void npu_ras_count(struct npu_core *core, enum npu_ras kind, uint64_t n);
void npu_mcu_queue_done(struct npu_core *core, uint32_t id, enum npu_status status);
bool npu_mcu_run(struct npu_core *core);
uint64_t npu_mcu_next_event(struct npu_core *core);

/* mmu.c */
void npu_section_enter(struct npu_worker *worker, uint32_t context, struct npu_view *view);
void npu_section_leave(struct npu_worker *worker);
/*
 * Translate @va for @access; @run covers at most @max bytes, at least one. False: @error has
 * status, access and address. In a section only.
 */
bool npu_translate(struct npu_worker *worker, const struct npu_view *view, uint64_t va,
		   uint64_t max, enum npu_access access, struct npu_run *run,
		   struct npu_error *error);
enum npu_status npu_mmu_status(enum npu_access access);
uint64_t npu_new_tag(struct npu_core *core);
void npu_invalidate(struct npu_core *core, uint32_t context);
bool npu_invalidate_busy(struct npu_core *core);
void npu_invalidate_all(struct npu_core *core);

/* gm.c: access to a context's memory; in a section. False: @error tells why. */
bool npu_bus_error(struct npu_error *error, enum npu_access access, uint64_t va);
bool npu_cursor_seek(struct npu_worker *worker, const struct npu_view *view,
		     struct npu_cursor *cursor, uint64_t va, uint64_t max, struct npu_run *run,
		     struct npu_error *error);
bool npu_cursor_read(struct npu_worker *worker, const struct npu_view *view,
		     struct npu_cursor *cursor, uint64_t va, void *buf, uint64_t len,
		     uint64_t ahead, struct npu_error *error);
bool npu_cursor_write(struct npu_worker *worker, const struct npu_view *view,
		      struct npu_cursor *cursor, uint64_t va, const void *buf, uint64_t len,
		      uint64_t ahead, struct npu_error *error);
bool npu_gm_read(struct npu_worker *worker, const struct npu_view *view, uint64_t va, void *buf,
		 uint64_t len, struct npu_error *error);
bool npu_gm_write(struct npu_worker *worker, const struct npu_view *view, uint64_t va,
		  const void *buf, uint64_t len, struct npu_error *error);
uint64_t *npu_word_get(struct npu_core *core, const struct npu_run *run, bool write, void **map);
void npu_word_put(struct npu_core *core, void *map, bool write);

/* command.c */
bool npu_sqe_ok(const struct npu_sqe *sqe);
enum npu_status npu_cmd_check(const struct npu_cmd *cmd, unsigned int engine);

/* queue.c */
struct npu_queue *npu_queue_find(struct npu_core *core, uint32_t id);
void npu_queue_release(struct npu_queue *queue);
void npu_queue_cmd_done(struct npu_queue *queue, enum npu_status status);
void npu_queue_doorbell(struct npu_core *core, uint32_t id, uint32_t tail);
void npu_cq_doorbell(struct npu_core *core, uint32_t id, uint32_t head);
void npu_queues_reset(struct npu_core *core);

/* exec.c */
void npu_queue_run(struct npu_worker *worker, struct npu_queue *queue);
void npu_queue_fail(struct npu_queue *queue, uint32_t command, uint64_t tag,
		    const struct npu_error *error);
const struct npu_cmd *npu_queue_cmd(const struct npu_queue *queue);
void npu_queue_sem_restart(struct npu_queue *queue);
void npu_queue_sem_waits(struct npu_queue *queue);
uint64_t npu_cmd_timeout_ns(const struct npu_queue *queue, const struct npu_cmd *cmd);
bool npu_cmd_waits_for_all(const struct npu_cmd *cmd);

/*
 * branch.c: the index of the command after @cmd, which is one of the entry in progress. False:
 * queue->scratch_error tells why there is none.
 */
bool npu_branch(struct npu_worker *worker, struct npu_queue *queue, const struct npu_cmd *cmd,
		uint32_t *next);
void npu_branch_restart(struct npu_queue *queue);

/* task.c */
bool npu_task_start(struct npu_queue *queue, const struct npu_cmd *cmd, uint64_t units);
void npu_tasks_stop(struct npu_queue *queue);
/* All have ended, and the queue has failed. */
void npu_tasks_forget(struct npu_queue *queue);
void npu_tasks_kick(struct npu_queue *queue);
void npu_task_unhold(struct npu_worker *worker, struct npu_queue *queue);
void npu_task_is_long(struct npu_aicore *aicore);
void npu_task_unit_end(struct npu_worker *worker, struct npu_task *task,
		       struct npu_aicore *aicore, uint64_t ns, const struct npu_error *error);
bool npu_task_timed_out(struct npu_core *core, const struct npu_task *task);

/* sdma.c */
uint64_t npu_sdma_units(const struct npu_cmd *cmd);
bool npu_sdma_in_order(const struct npu_cmd *cmd);
bool npu_sdma_inline(struct npu_worker *worker, struct npu_queue *queue,
		     const struct npu_cmd *cmd, struct npu_error *error);
void npu_sdma_unit(struct npu_worker *worker, struct npu_task *task, uint64_t unit);

/* sdma_reduce.c */
bool npu_reduce_part(struct npu_worker *worker, const struct npu_view *view,
		     const struct npu_cmd_reduce *r, uint64_t offset, uint64_t bytes,
		     struct npu_error *error);

/* sem.c */
bool npu_sem_satisfied(const struct npu_cmd_sem *sem, uint64_t value);
uint64_t npu_sem_key(const struct npu_run *run);
bool npu_sem_test(struct npu_worker *worker, const struct npu_queue *queue,
		  const struct npu_cmd_sem *sem, struct npu_sem_place *place, bool *go,
		  struct npu_error *error);
bool npu_sem_signal(struct npu_worker *worker, struct npu_queue *queue,
		    const struct npu_cmd *cmd, struct npu_error *error);
void npu_sem_arm(struct npu_queue *queue, const struct npu_sem_place *place);
bool npu_sem_unpark(struct npu_queue *queue);
void npu_sem_wake(struct npu_core *core, uint64_t key);
void npu_sem_wake_run(struct npu_core *core, const struct npu_run *run);
uint64_t npu_sem_poll(struct npu_core *core, bool system);
void npu_sem_after_task(struct npu_core *core);
void npu_sems_reset(struct npu_core *core);

/* aicore.c */
void npu_aicore_interrupt(struct npu_aicore *ac);
void npu_aicore_start(struct npu_worker *worker, struct npu_aicore *ac, uint32_t block,
		      uint32_t count);
void npu_aicore_resume(struct npu_worker *worker, struct npu_aicore *ac);
void npu_aicores_init(struct npu_core *core);
void npu_aicores_reset(struct npu_core *core);
void npu_aicores_fini(struct npu_core *core);
int npu_aicore_fault(struct npu_aicore *ac, enum npu_status status, enum npu_access access,
		     uint64_t addr);

extern const struct rv64_ops npu_core_ops, npu_timed_ops;

/* What a core's hart calls, but in strict mode. */
static inline const struct rv64_ops *npu_ops_of(const struct npu_aicore *ac)
{
	return ac->core->timing ? &npu_timed_ops : &npu_core_ops;
}

/* aicore_strict.c: set up a core for its block, be it strict or not; false: ac->error tells why. */
bool npu_strict_start(struct npu_worker *worker, struct npu_aicore *ac);
/* The block has ended, as @failed says. Does it fail its task? */
bool npu_strict_end(struct npu_worker *worker, struct npu_aicore *ac, bool failed);

/*
 * Decoded code is compared with memory when a kernel starts after something may have changed it: a
 * copy, a fill, or whatever the host did before it submitted an entry.
 */
static inline void npu_code_changed(struct npu_core *core)
{
	__atomic_fetch_add(&core->code_epoch, 1, __ATOMIC_RELAXED);
}

/*
 * timing.c: modelled time, if core->timing is not NULL, but for npu_timing_init(). Those marked
 * (lock) want core->lock.
 *
 * npu_timing_busy: @queue has an entry to carry out.
 * npu_timing_idle: it has no more (lock).
 * npu_timing_forget: it is about to be freed (lock).
 * npu_timing_command: @cmd has been carried out and took no time but the scheduler's.
 * npu_timing_stamp: what @cmd is to write as the time.
 * npu_timing_start: a task of @units has been given out (lock); NULL if there is no memory for it.
 * npu_timing_block_start, _end: a block of one begins, and has ended, on @ac, which has pipes.
 * npu_timing_moved: SDMA has done a part of one.
 * npu_timing_end: one with a booking has ended; @worker counts it, or may be NULL (lock).
 * npu_timing_copy: a command of SDMA has been carried out at once.
 * npu_timing_mark: @cmd is about to write @value to the memory @key, or if that is NULL what
 *	npu_timing_marked() will tell, with what this returned.
 * npu_timing_wait: what @cmd waited for has come, and was not there at first if it @waited.
 */
bool npu_timing_init(struct npu_core *core);
void npu_timing_reset(struct npu_core *core);
void npu_timing_busy(struct npu_queue *queue);
void npu_timing_idle(struct npu_queue *queue);
void npu_timing_forget(struct npu_queue *queue);
void npu_timing_command(struct npu_queue *queue, const struct npu_cmd *cmd);
uint64_t npu_timing_stamp(struct npu_queue *queue, const struct npu_cmd *cmd);
struct npu_booking *npu_timing_start(struct npu_queue *queue, const struct npu_cmd *cmd,
				     uint64_t units);
void npu_timing_block_start(struct npu_aicore *ac);
void npu_timing_block_end(struct npu_aicore *ac);
void npu_timing_moved(struct npu_booking *booking, const struct npu_traffic *traffic);
void npu_timing_end(struct npu_worker *worker, struct npu_task *task);
void npu_timing_copy(struct npu_worker *worker, struct npu_queue *queue,
		     const struct npu_cmd *cmd, const struct npu_traffic *traffic);
unsigned int npu_timing_mark(struct npu_queue *queue, const struct npu_cmd *cmd, uint64_t key,
			     const uint64_t *value);
void npu_timing_marked(struct npu_core *core, uint64_t key, unsigned int index, uint64_t value);
void npu_timing_wait(struct npu_queue *queue, const struct npu_cmd *cmd, uint64_t key,
		     bool waited);

/* sched.c: with core->lock held, but for npu_sched_should_yield() */
void npu_sched_init(struct npu_core *core);
void npu_sched_wake(struct npu_core *core, unsigned int helpers);
void npu_sched_add(struct npu_core *core, struct npu_work *work, unsigned int helpers);
void npu_sched_remove(struct npu_core *core, struct npu_work *work);
void npu_sched_release_core(struct npu_core *core, struct npu_aicore *aicore);
uint64_t npu_task_left(const struct npu_task *task);
bool npu_task_has_unit(const struct npu_task *task);
void npu_task_share(const struct npu_core *core, struct npu_task *task, uint64_t units);
void npu_sched_core_lost(struct npu_core *core, unsigned int id);
bool npu_sched_pick(struct npu_worker *worker, struct npu_pick *pick);
bool npu_sched_pick_alone(struct npu_worker *worker, struct npu_task *task, struct npu_pick *pick);
bool npu_sched_wants_help(const struct npu_task *task);
bool npu_sched_should_yield(struct npu_core *core, unsigned int priority,
			    const struct npu_task *task, unsigned int slices);
void npu_queue_ready(struct npu_queue *queue, unsigned int helpers);

/* worker.c */
uint64_t npu_host_ns(void);
void npu_service_need(struct npu_core *core, uint64_t due);
void npu_sync_run(struct npu_core *core);
void npu_quiesce_begin(struct npu_core *core);
void npu_quiesce_end(struct npu_core *core);
bool npu_threads_start(struct npu_core *core);
void npu_threads_stop(struct npu_core *core);

/* core.c */
void npu_reset(struct npu_core *core);
void npu_reset_request(struct npu_core *core);

#endif /* NPU_INTERNAL_H */
