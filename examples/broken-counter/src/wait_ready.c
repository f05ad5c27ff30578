/* The client container's own program: says when the replicas have a leader and agree, then stays,
 * because test commands need a container that lives. */
#include "client.h"

#include <stdio.h>
#include <unistd.h>

#include <everett/everett.h>

int main(void)
{
    struct client client;
    struct state state;
    client_open(&client);
    while (!client_agreement(&client, &state)) {
        printf("client: the replicas do not agree yet\n");
    }
    printf("client: ready, term %llu\n", (unsigned long long)state.term);
    EVERETT_SETUP_COMPLETE(everett_str("message", "The replicas agree"),
                           everett_uint("term", state.term));
    for (;;) {
        pause();
    }
}
