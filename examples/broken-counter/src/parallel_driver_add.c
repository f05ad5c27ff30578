/* Test command: adds a few random amounts to this container's counter, and notes what a replica
 * promised to keep. A request without an answer may or may not have been carried out; it is not
 * noted, so the ledger never claims too much. */
#include "client.h"

#include <stdio.h>

#include <everett/everett.h>

int main(void)
{
    struct client client;
    client_open(&client);
    size_t requests = 1 + everett_random_index(20);
    for (size_t i = 0; i < requests; i++) {
        uint64_t amount = 1 + everett_random() % 100;
        bool promised = client_add(&client, (uint32_t)everett_random_index(REPLICAS), amount);
        EVERETT_SOMETIMES(promised, "An addition is acknowledged", everett_uint("amount", amount));
        EVERETT_SOMETIMES(!promised, "An addition is not acknowledged");
        if (promised) {
            client_note(&client, amount);
        }
        printf("client: adding %llu %s\n", (unsigned long long)amount,
               promised ? "was acknowledged" : "failed");
    }
    return 0;
}
