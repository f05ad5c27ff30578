/* everett serve: the service, until SIGTERM or SIGINT. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/server_verbs.h"
#include "server/config.h"
#include "server/log.h"
#include "server/server.h"

#define GRACE_MS 10000u

/* sd_notify(3): a datagram to the socket that systemd names; nothing without it. */
static void notify_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len == 0 || len >= sizeof addr.sun_path) {
        return;
    }
    memcpy(addr.sun_path, path, len);
    if (addr.sun_path[0] == '@') {
        addr.sun_path[0] = 0;
    }
    cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (fd < 0 ||
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr, addr_len) < 0) {
        log_message(LOG_LEVEL_WARNING, "notify", "systemd could not be told: %m");
    }
}

static void print_welcome(struct server *s)
{
    printf("Everett serves %s\n", s->public_url);
    if (strcmp(s->public_url, s->address) != 0) {
        printf("  listening on %s\n", s->address);
    }
    if (server_is_fresh(s)) {
        printf("  there is no account yet; this makes one and its first token:\n"
               "    everett token create --dir %s --account me --scopes read,launch,push\n",
               s->dir);
    }
    fflush(stdout);
}

/* The second signal ends the process at once: whoever sends it does not want to wait. */
static void end_at_once(int signo)
{
    (void)signo;
    _exit(128 + signo);
}

static void wait_for_signal(const sigset_t *signals)
{
    int signo;
    sigwait(signals, &signo);
    struct sigaction sa = {.sa_handler = end_at_once};
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

static int print_config(void)
{
    cleanup_buf struct buf b = {0};
    server_config_help(&b, false);
    fputs(b.data, stdout);
    return CLI_OK;
}

static int serve(const struct server_options *o)
{
    cleanup_err struct err err = {0};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct server *s = server_start(o, &err);
    if (!s) {
        return cli_fail(&err);
    }
    print_welcome(s);
    log_message(LOG_LEVEL_INFO, "start", "serving %s from %s", s->address, s->dir);
    notify_systemd("READY=1\n");
    wait_for_signal(&signals);
    log_message(LOG_LEVEL_INFO, "stop", "requests in progress get %u s", GRACE_MS / 1000);
    notify_systemd("STOPPING=1\n");
    server_stop(s, GRACE_MS);
    return CLI_OK;
}

int verb_serve(const struct cli_verb *v, int argc, char **argv)
{
    struct server_options o = {0};
    bool wants_config = false, done;
    const struct cli_option options[] = {
        {"dir", CLI_STRING, &o.dir, "D", "directory for everything the service keeps"},
        {"listen", CLI_STRING, &o.listen, "ADDR:PORT",
         "address to serve (127.0.0.1:8080); port 0 takes any free one"},
        {"help-config", CLI_FLAG, &wants_config, NULL, "print all keys of D/server.conf"},
    };
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, false, &done);
    if (done || first < 0) {
        return done ? CLI_OK : CLI_USAGE;
    }
    if (wants_config) {
        return print_config();
    }
    if (argv[first]) {
        return cli_usage(v, "`%s` is too much", argv[first]);
    }
    if (!o.dir) {
        return cli_usage(v, "which directory? (--dir D)");
    }
    cleanup_err struct err err = {0};
    cleanup_free char *everett = cli_companion("everett", &err);
    if (!everett) {
        return cli_fail(&err);
    }
    o.everett = everett;
    return serve(&o);
}
