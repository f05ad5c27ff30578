/* The datagrams between clients and replicas of the counter, and the one socket helper both need.
 * Integers are in the machine's order: all replicas run the same binary. */
#ifndef COUNTER_PROTOCOL_H
#define COUNTER_PROTOCOL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum { REPLICAS = 3, COUNTERS = 4, NO_LEADER = REPLICAS };

enum message_kind {
    MESSAGE_ADD = 1,   /* client: counter, amount */
    MESSAGE_READ = 2,  /* client: nothing else */
    MESSAGE_REPLY = 3, /* replica: accepted, leader, and its whole state */
    MESSAGE_STATE = 4, /* leader to the others: its whole state */
};

/* Announcements are ordered by (term, sequence). */
struct state {
    uint64_t term;     /* term % REPLICAS is the leader that began it; 0: before the first */
    uint64_t sequence; /* announcements of this term so far */
    uint64_t counters[COUNTERS];
};

struct message {
    uint32_t kind;
    uint32_t sender; /* replica */
    uint64_t request;
    uint32_t counter;
    uint32_t accepted;
    uint32_t leader;
    uint32_t reserved;
    uint64_t amount;
    struct state state;
};

/* "host:port". False when the name does not resolve (yet). */
bool resolve(const char *host_port, struct sockaddr_in *address);

/* Milliseconds of a clock that never jumps. */
int64_t now_ms(void);

#endif
