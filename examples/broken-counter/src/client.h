/* What the programs of the client container share: asking the replicas, and the ledger of promises.
 *
 * Settings, from the environment: COUNTER_REPLICAS (three HOST:PORT, separated by blanks),
 * COUNTER_INDEX (the counter that belongs to this container) and COUNTER_LEDGER (a file with one
 * acknowledged amount a line). A wrong setting ends the program with status 2. */
#ifndef COUNTER_CLIENT_H
#define COUNTER_CLIENT_H

#include "protocol.h"

struct client {
    int socket;
    char names[REPLICAS][64];
    uint32_t counter;
    const char *ledger;
    uint64_t request;
};

void client_open(struct client *client);

/* Sends to one replica and waits up to a second for its answer. False: no answer. */
bool client_ask(struct client *client, uint32_t replica, struct message message,
                struct message *reply);

/* True when some replica promised to keep the amount. Follows hints to the leader. */
bool client_add(struct client *client, uint32_t first_replica, uint64_t amount);

/* True once all replicas report the same state, which is then in `*state`. */
bool client_agreement(struct client *client, struct state *state);

/* One line at the end of the ledger; the sum of all lines. */
void client_note(const struct client *client, uint64_t amount);
uint64_t client_promised(const struct client *client);

#endif
