#include "protocol.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

bool resolve(const char *host_port, struct sockaddr_in *address)
{
    char host[128];
    const char *colon = strrchr(host_port, ':');
    if (colon == NULL || (size_t)(colon - host_port) >= sizeof(host)) {
        return false;
    }
    snprintf(host, sizeof(host), "%.*s", (int)(colon - host_port), host_port);
    struct addrinfo *found = NULL;
    const struct addrinfo want = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
    if (getaddrinfo(host, colon + 1, &want, &found) != 0) {
        return false;
    }
    memcpy(address, found->ai_addr, sizeof(*address));
    freeaddrinfo(found);
    return true;
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
