/* What the verbs of everett-server share: actions, the database, passwords. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/server_verbs.h"
#include "server/server.h"

int cli_action(const struct cli_verb *v, const struct cli_action *actions, unsigned n, char **words)
{
    cleanup_buf struct buf all = {0};
    for (unsigned i = 0; i < n; i++) {
        buf_printf(&all, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", actions[i].name);
    }
    if (!words[0]) {
        cli_usage(v, "%s?", all.data);
        return -1;
    }
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(actions[i].name, words[0]) != 0) {
            continue;
        }
        int count = 0;
        while (words[count + 1]) {
            count++;
        }
        if (count < actions[i].operands) {
            cli_usage(v, "%s: %s", words[0], actions[i].missing);
            return -1;
        }
        if (count > actions[i].operands) {
            cli_usage(v, "%s: `%s` is too much", words[0], words[actions[i].operands + 1]);
            return -1;
        }
        return (int)i;
    }
    cli_usage(v, "there is no `%s %s`; %s?", v->name, words[0], all.data);
    return -1;
}

struct db_pool *open_db(const struct cli_verb *v, const char *dir)
{
    cleanup_err struct err err = {0};
    if (!dir) {
        cli_usage(v, "which directory? (--dir D)");
        return NULL;
    }
    struct db_pool *db = server_open_db(dir, &err);
    if (!db) {
        cli_fail(&err);
    }
    return db;
}

static char *read_line(FILE *f, struct err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n = getline(&line, &cap, f);
    if (n < 0) {
        free(line);
        err_set(err, ERR_USAGE, "no password was given");
        return NULL;
    }
    line[strcspn(line, "\r\n")] = 0;
    return line;
}

static char *prompt(FILE *tty, const char *text, struct err *err)
{
    struct termios was, quiet;
    if (tcgetattr(fileno(tty), &was)) {
        err_errno(err, errno, "the terminal");
        return NULL;
    }
    quiet = was;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
    fputs(text, tty);
    fflush(tty);
    char *line = read_line(tty, err);
    tcsetattr(fileno(tty), TCSAFLUSH, &was);
    fputs("\n", tty);
    return line;
}

static void wipe(char *secret)
{
    if (secret) {
        explicit_bzero(secret, strlen(secret));
    }
    free(secret);
}

char *ask_password(bool from_stdin, struct err *err)
{
    if (from_stdin) {
        return read_line(stdin, err);
    }
    cleanup_fclose FILE *tty = fopen("/dev/tty", "r+e");
    if (!tty) {
        err_set(err, ERR_USAGE, "there is no terminal to ask for the password");
        err_hint(err, "give it by standard input with --password-stdin");
        return NULL;
    }
    char *first = prompt(tty, "Password: ", err);
    char *second = first ? prompt(tty, "Once more: ", err) : NULL;
    if (first && second && strcmp(first, second) != 0) {
        err_set(err, ERR_USAGE, "the two passwords differ");
        wipe(first);
        first = NULL;
    } else if (!second) {
        wipe(first);
        first = NULL;
    }
    wipe(second);
    return first;
}
