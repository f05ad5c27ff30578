/* Event records: what a universe tells its runner.
 *
 * The kernel writes them into a ring that the runner drains; the store keeps them, compressed, in
 * the same form. Their order is the total order of the universe: (vtime, seq), and seq alone is
 * enough. Every byte of every record is part of the universe's digest. Little-endian; records are
 * padded with zero bytes to a multiple of 8 and `size` counts header, payload and padding. */
#ifndef EVERETT_ABI_EVENT_H
#define EVERETT_ABI_EVENT_H

#include <stdint.h>

enum event_type {
    EVENT_OUTPUT = 1,      /* one line (without its newline) of a container or a test command */
    EVENT_SDK = 2,         /* one JSON document from the SDK or a line of *.jsonl */
    EVENT_COMPOSER = 3,    /* JSON object in the composer's vocabulary */
    EVENT_FAULT = 4,       /* JSON object: {"fault":{...}} or {"info":{...}} */
    EVENT_CONTAINER = 5,   /* JSON object: life cycle of a container */
    EVENT_PROCESS = 6,     /* struct event_process */
    EVENT_UNKNOWN = 7,     /* struct event_unknown: something Everett does not cover */
    EVENT_STRACE = 8,      /* one line of --strace (not part of the digest) */
    EVENT_DECISION = 9,    /* struct event_decision */
    EVENT_DIAGNOSTIC = 10, /* text from the engine about itself */
    EVENT_END = 11,        /* struct event_end: the universe is over; the last record */
    EVENT_TTY = 12,        /* raw bytes for `exec`: struct event_output with no line splitting */
};

struct event {
    uint32_t size;
    uint16_t type;
    uint16_t node;     /* index in the plan; EVENT_NO_NODE for the universe itself */
    uint64_t vtime_ns; /* virtual time since boot */
    uint64_t seq;      /* 0, 1, 2, ... without gaps within the universe */
    uint32_t pid;      /* in the node's PID namespace; 0 when not a process */
    uint32_t length;   /* bytes of payload, without padding */
    unsigned char payload[];
};

#define EVENT_NO_NODE 0xffffu

/* EVENT_OUTPUT, EVENT_TTY, EVENT_SDK: this head, then the bytes. */
struct event_output {
    uint8_t stream;      /* 1 stdout, 2 stderr; EVENT_SDK: 0 library call, 1 jsonl file */
    uint8_t partial;     /* 1: the line was cut (too long, or the process ended); bit 2, in stored
                            logs alone: its text was left out (store/hide.h) */
    uint16_t is_probe;   /* 1: written by the container's health check */
    uint32_t command_id; /* 1-based id of the test command started by the composer; 0: container */
};

enum event_process_kind {
    PROCESS_FORK = 1,
    PROCESS_EXEC = 2, /* text: path */
    PROCESS_EXIT = 3,
};

/* Followed by text (no NUL). */
struct event_process {
    uint8_t kind;
    uint8_t core_signal; /* PROCESS_EXIT by a signal whose default action is core: crash */
    uint16_t signal;     /* terminating signal or 0 */
    uint32_t exit_code;
    uint32_t parent_pid;
    uint32_t by_injector; /* 1: killed by a fault or by the composer, not by itself */
    uint32_t command_id;
    uint32_t reserved;
};

/* A system call, option, ioctl or file that got an errno because Everett lacks it. Reported once
 * per (what, number, detail) and universe. Followed by text such as "ioctl 0x5413". */
struct event_unknown {
    uint32_t number;
    int32_t answered; /* the negative errno the guest saw */
};

/* Not a draw: a loop without calls is taken the processor, as the plan says (struct plan_spin).
 * index: entries; value: task << 16 | slices. The record holds all that a replay needs. */
#define EVENT_DECISION_SPIN 0x100u

/* A draw from a named stream that shaped the history. Followed by text: what was chosen. */
struct event_decision {
    uint32_t stream; /* enum stream_id or EVENT_DECISION_SPIN */
    uint32_t reserved;
    uint64_t index; /* how many draws of this stream came before */
    uint64_t value;
};

enum event_end_reason {
    END_TIME_LIMIT = 1,   /* virtual duration reached */
    END_ALL_EXITED = 2,   /* nothing is left that could run */
    END_COMPOSER = 3,     /* a terminal command finished */
    END_SETUP_FAILED = 4, /* text says which container and why */
    END_SETUP_TIMEOUT = 5,
    END_ENGINE_ERROR = 6, /* Everett's own fault; text says what */
    END_STOPPED = 7,      /* the runner asked */
    END_DEADLOCK = 8,     /* every process waits for something that cannot come (exec only) */
    END_BRANCH = 9,       /* the command of a branch ended; exit_code and signal are its */
    END_NOT_COVERED =
        10, /* strict: the guest asked for something that Everett lacks; text names it */
    END_WALL_LIMIT = 11, /* the runner's word: it took too long on the host; no digest */
};

struct event_end {
    uint32_t reason;
    uint32_t exit_code; /* exec: exit status of the command ... */
    uint32_t signal;    /* ... or the signal that ended it */
    uint32_t setup_complete;
    uint64_t digest[2];
    uint64_t calls;
    uint64_t switches;
    uint64_t draws;
    uint64_t edges; /* coverage edges seen */
};

#endif
