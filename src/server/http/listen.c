/* The listening socket: made here rather than in libmicrohttpd, for names, IPv6, port 0 and clear
 * errors. */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/http/http_priv.h"

#define BACKLOG 1024

/* "ADDR:PORT" or "[V6]:PORT". */
static bool split(const char *text, char **host, const char **port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1] ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || atol(colon + 1) > 65535) {
        return false;
    }
    size_t len = (size_t)(colon - text);
    bool is_bracketed = text[0] == '[' && text[len - 1] == ']' && len > 2;
    if (!is_bracketed && memchr(text, ':', len)) {
        return false;
    }
    *host = is_bracketed ? mem_strndup(text + 1, len - 2) : mem_strndup(text, len);
    *port = colon + 1;
    return true;
}

static char *bound_address(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    char host[128] = "", port[16] = "";
    if (getsockname(fd, (struct sockaddr *)&addr, &len) == 0) {
        getnameinfo((struct sockaddr *)&addr, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    }
    struct buf b = {0};
    buf_printf(&b, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    return buf_steal(&b);
}

static int open_one(const struct addrinfo *a, const char *text, struct err *err)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, BACKLOG)) {
        int e = errno;
        err_errno(err, e, "cannot listen on %s", text);
        if (e == EADDRINUSE || e == EACCES || e == EADDRNOTAVAIL) {
            err->kind = ERR_USAGE;
            err_hint(err, e == EADDRNOTAVAIL ? "this machine has no such address"
                          : e == EACCES      ? "ports below 1024 need a privilege; take another"
                                             : "another program serves there; give another port by "
                                               "--listen");
        }
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

int listen_open(const char *text, char **address, struct err *err)
{
    cleanup_free char *host = NULL;
    const char *port;
    if (!split(text, &host, &port)) {
        err_set(err, ERR_USAGE, "`%s` is not an address and port", text);
        return err_hint(err, "such as 127.0.0.1:8080 or [::1]:8080; port 0 takes any free one");
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list;
    int r = getaddrinfo(host, port, &hints, &list);
    if (r) {
        return err_set(err, ERR_USAGE, "%s: %s", text, gai_strerror(r));
    }
    int fd = open_one(list, text, err);
    freeaddrinfo(list);
    if (fd >= 0) {
        *address = bound_address(fd);
    }
    return fd;
}
