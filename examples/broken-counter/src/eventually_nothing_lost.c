/* Test command, run when faults have stopped: waits until the replicas agree, then compares this
 * container's counter with what was promised to it. */
#include "client.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include <everett/everett.h>

enum { ROUNDS_MAX = 60 };

/* Agreement must hold for two looks in a row: just healed replicas may agree on what an old leader
 * is about to overwrite. */
static bool wait_agreement(struct client *client, struct state *state)
{
    struct state before;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        if (client_agreement(client, &before) && client_agreement(client, state) &&
            state->term == before.term) {
            return true;
        }
        poll(NULL, 0, 500); /* five announcements */
    }
    return false;
}

int main(void)
{
    struct client client;
    struct state state = {0};
    client_open(&client);
    bool agreed = wait_agreement(&client, &state);
    EVERETT_ALWAYS(agreed, "The replicas agree once faults have stopped");
    if (!agreed) {
        return 0;
    }
    uint64_t promised = client_promised(&client);
    uint64_t counted = state.counters[client.counter];
    printf("client: promised %" PRIu64 ", counted %" PRIu64 "\n", promised, counted);
    EVERETT_ALWAYS_GREATER_THAN_OR_EQUAL_TO(counted, promised, "Acknowledged additions are kept",
                                            everett_uint("term", state.term));
    return 0;
}
