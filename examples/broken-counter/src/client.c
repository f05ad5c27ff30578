#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MS = 1000, HINTS_MAX = 4 };

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set\n", name);
        exit(2);
    }
    return value;
}

void client_open(struct client *client)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    memset(client, 0, sizeof(*client));
    client->ledger = setting("COUNTER_LEDGER");
    client->counter = (uint32_t)strtoul(setting("COUNTER_INDEX"), NULL, 10);
    client->socket = socket(AF_INET, SOCK_DGRAM, 0);
    if (client->counter >= COUNTERS || client->socket < 0 ||
        sscanf(setting("COUNTER_REPLICAS"), "%63s %63s %63s", client->names[0], client->names[1],
               client->names[2]) != REPLICAS) {
        fprintf(stderr, "COUNTER_REPLICAS or COUNTER_INDEX is wrong, or no socket can be had\n");
        exit(2);
    }
}

/* Answers to earlier requests that come late are dropped. */
static bool wait_reply(struct client *client, struct message *reply)
{
    int64_t end = now_ms() + ANSWER_MS;
    for (int64_t now = now_ms(); now < end; now = now_ms()) {
        struct pollfd input = {.fd = client->socket, .events = POLLIN};
        if (poll(&input, 1, (int)(end - now)) <= 0) {
            continue;
        }
        ssize_t got = recv(client->socket, reply, sizeof(*reply), 0);
        if (got == (ssize_t)sizeof(*reply) && reply->kind == MESSAGE_REPLY &&
            reply->request == client->request) {
            return true;
        }
    }
    return false;
}

bool client_ask(struct client *client, uint32_t replica, struct message message,
                struct message *reply)
{
    struct sockaddr_in address;
    message.request = ++client->request;
    if (!resolve(client->names[replica], &address) ||
        sendto(client->socket, &message, sizeof(message), 0, (struct sockaddr *)&address,
               sizeof(address)) != (ssize_t)sizeof(message)) {
        poll(NULL, 0, ANSWER_MS); /* as long as a lost answer, so that retries never spin */
        return false;
    }
    return wait_reply(client, reply);
}

bool client_add(struct client *client, uint32_t first_replica, uint64_t amount)
{
    const struct message message = {
        .kind = MESSAGE_ADD, .counter = client->counter, .amount = amount};
    struct message reply;
    uint32_t replica = first_replica;
    for (int hint = 0; hint < HINTS_MAX; hint++) {
        if (!client_ask(client, replica, message, &reply)) {
            return false;
        }
        if (reply.accepted) {
            return true;
        }
        if (reply.leader >= REPLICAS || reply.leader == replica) {
            return false;
        }
        replica = reply.leader;
    }
    return false;
}

bool client_agreement(struct client *client, struct state *state)
{
    const struct message message = {.kind = MESSAGE_READ};
    struct message replies[REPLICAS];
    for (uint32_t i = 0; i < REPLICAS; i++) {
        if (!client_ask(client, i, message, &replies[i])) {
            return false;
        }
    }
    *state = replies[0].state;
    for (uint32_t i = 1; i < REPLICAS; i++) {
        if (replies[i].state.term != state->term ||
            memcmp(replies[i].state.counters, state->counters, sizeof(state->counters)) != 0) {
            return false;
        }
    }
    return state->term != 0;
}

void client_note(const struct client *client, uint64_t amount)
{
    char line[32];
    int length = snprintf(line, sizeof(line), "%llu\n", (unsigned long long)amount);
    int fd = open(client->ledger, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0 || write(fd, line, (size_t)length) != length) {
        fprintf(stderr, "cannot write %s: %s\n", client->ledger, strerror(errno));
        exit(1);
    }
    close(fd);
}

uint64_t client_promised(const struct client *client)
{
    unsigned long long amount;
    uint64_t sum = 0;
    FILE *file = fopen(client->ledger, "r");
    if (file == NULL) {
        return 0;
    }
    while (fscanf(file, "%llu", &amount) == 1) {
        sum += amount;
    }
    fclose(file);
    return sum;
}
