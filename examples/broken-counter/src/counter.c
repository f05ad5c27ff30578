/* counter ID HOST:PORT HOST:PORT HOST:PORT: one of three replicas of a few counters, in memory.
 *
 * One replica leads. It alone accepts additions, and announces the whole state to the others ten
 * times a second, which also tells them that it lives. When the announcements stop, the replica
 * that loses patience first begins a new term with the state it last heard.
 *
 * THE BUG, for Everett to find: the leader answers an addition before any other replica knows of
 * it (see accept_addition). Kill or cut off the leader between the answer and the next
 * announcement, and the addition that the client was promised is gone. */
#include "protocol.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <everett/everett.h>

enum {
    ANNOUNCE_MS = 100,
    PATIENCE_MS = 1000,
    FRESH_PATIENCE_MS = 3000, /* a restarted replica knows nothing: let the others lead */
    PATIENCE_STEP_MS = 500,   /* times the id, so that two seldom lose patience at once */
};

struct replica {
    uint32_t id, leader;
    int socket;
    struct sockaddr_in peers[REPLICAS];
    bool known[REPLICAS];
    const char *names[REPLICAS];
    struct state state;
    int64_t announce_at, lead_at;
};

static bool is_newer(const struct state *a, const struct state *b)
{
    return a->term != b->term ? a->term > b->term : a->sequence > b->sequence;
}

static void send_message(const struct replica *self, const struct message *message,
                         const struct sockaddr_in *to)
{
    /* A lost datagram is a lost datagram: the next announcement repeats everything. */
    sendto(self->socket, message, sizeof(*message), 0, (const struct sockaddr *)to, sizeof(*to));
}

static void announce(struct replica *self, int64_t now)
{
    self->state.sequence++;
    const struct message message = {
        .kind = MESSAGE_STATE, .sender = self->id, .leader = self->id, .state = self->state};
    for (uint32_t peer = 0; peer < REPLICAS; peer++) {
        if (peer == self->id) {
            continue;
        }
        if (!self->known[peer]) {
            self->known[peer] = resolve(self->names[peer], &self->peers[peer]);
        }
        if (self->known[peer]) {
            send_message(self, &message, &self->peers[peer]);
        }
    }
    self->announce_at = now + ANNOUNCE_MS;
}

static void lead(struct replica *self, int64_t now)
{
    self->state.term = (self->state.term / REPLICAS + 1) * REPLICAS + self->id;
    self->state.sequence = 0;
    self->leader = self->id;
    printf("counter%u: leads term %llu\n", self->id, (unsigned long long)self->state.term);
    EVERETT_SOMETIMES(self->state.term >= 2 * REPLICAS, "A second leader takes over",
                      everett_uint("term", self->state.term));
    announce(self, now);
}

static void follow(struct replica *self, const struct message *message, int64_t now)
{
    if (!is_newer(&message->state, &self->state)) {
        return;
    }
    if (self->leader == self->id) {
        printf("counter%u: steps down for term %llu\n", self->id,
               (unsigned long long)message->state.term);
    }
    self->state = message->state;
    self->leader = message->sender;
    self->lead_at = now + PATIENCE_MS + PATIENCE_STEP_MS * self->id;
}

static bool accept_addition(struct replica *self, const struct message *message)
{
    if (self->leader != self->id || message->counter >= COUNTERS) {
        return false;
    }
    self->state.counters[message->counter] += message->amount;
    /* Here a correct counter would announce, and wait until a majority has confirmed. */
    return true;
}

static void receive(struct replica *self)
{
    struct message message;
    struct sockaddr_in from;
    socklen_t from_size = sizeof(from);
    ssize_t got =
        recvfrom(self->socket, &message, sizeof(message), 0, (struct sockaddr *)&from, &from_size);
    if (got != (ssize_t)sizeof(message)) {
        return;
    }
    if (message.kind == MESSAGE_STATE && message.sender < REPLICAS) {
        self->peers[message.sender] = from; /* a restarted replica may have a new address */
        self->known[message.sender] = true;
        follow(self, &message, now_ms());
        return;
    }
    struct message reply = {.kind = MESSAGE_REPLY, .sender = self->id, .request = message.request};
    reply.accepted = message.kind == MESSAGE_ADD && accept_addition(self, &message);
    reply.leader = self->leader;
    reply.state = self->state;
    send_message(self, &reply, &from);
}

static void run(struct replica *self)
{
    for (;;) {
        int64_t now = now_ms();
        int64_t next = self->leader == self->id ? self->announce_at : self->lead_at;
        struct pollfd input = {.fd = self->socket, .events = POLLIN};
        int ready = poll(&input, 1, next > now ? (int)(next - now) : 0);
        if (ready > 0) {
            receive(self);
        }
        now = now_ms();
        if (self->leader == self->id && now >= self->announce_at) {
            announce(self, now);
        } else if (self->leader != self->id && now >= self->lead_at) {
            lead(self, now);
        }
    }
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct replica self = {.leader = NO_LEADER};
    if (argc != 2 + REPLICAS || (self.id = (uint32_t)strtoul(argv[1], NULL, 10)) >= REPLICAS) {
        fprintf(stderr, "usage: counter ID HOST:PORT HOST:PORT HOST:PORT\n");
        return 2;
    }
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    const char *port = strrchr(argv[2 + self.id], ':');
    own.sin_port = htons((uint16_t)(port != NULL ? strtoul(port + 1, NULL, 10) : 0));
    for (int i = 0; i < REPLICAS; i++) {
        self.names[i] = argv[2 + i];
    }
    self.socket = socket(AF_INET, SOCK_DGRAM, 0);
    if (self.socket < 0 || bind(self.socket, (struct sockaddr *)&own, sizeof(own)) != 0) {
        fprintf(stderr, "counter%u: cannot listen on %s: %s\n", self.id, argv[2 + self.id],
                strerror(errno));
        return 1;
    }
    self.lead_at = now_ms() + FRESH_PATIENCE_MS + PATIENCE_STEP_MS * self.id;
    run(&self);
}
