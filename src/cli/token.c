/* everett token: keys for programs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/server_verbs.h"
#include "server/auth/auth.h"
#include "server/db/db.h"

enum action { CREATE, LS, REVOKE };

struct options {
    const char *dir, *account, *label, *scopes;
    uint64_t expires_ns;
};

static void print_day(int64_t unix_s, const char *never)
{
    char text[32];
    time_t at = (time_t)unix_s;
    strftime(text, sizeof text, "%Y-%m-%d", gmtime(&at));
    printf(" %-10s", unix_s ? text : never);
}

static int print_row(void *ctx, const struct auth_token_row *row)
{
    cleanup_buf struct buf scopes = {0};
    (void)ctx;
    auth_scopes_text(row->scopes, &scopes);
    printf("%-5lld %-20s %-20s %-24s", (long long)row->id, row->account, row->label,
           scopes.data ? scopes.data : "");
    print_day(row->created, "");
    print_day(row->last_used, "never");
    print_day(row->expires, "never");
    bool is_over = row->expires && row->expires <= time(NULL);
    printf(" %s\n", row->revoked ? "revoked" : is_over ? "expired" : "");
    return 0;
}

static int list(struct db_pool *db, struct err *err)
{
    printf("%-5s %-20s %-20s %-24s %-10s %-10s %-10s\n", "ID", "ACCOUNT", "LABEL", "SCOPES",
           "CREATED", "LAST USED", "EXPIRES");
    return auth_each_token(db, print_row, NULL, err);
}

static int create(struct db_pool *db, const struct options *o, struct err *err)
{
    unsigned scopes;
    if (auth_scopes_parse(o->scopes, &scopes, err)) {
        return -1;
    }
    int64_t expires = o->expires_ns ? time(NULL) + (int64_t)(o->expires_ns / 1000000000u) : 0;
    struct buf text = {0};
    int r = auth_token_create(db, o->account, o->label, scopes, expires, &text, err);
    if (r == 0) {
        /* Alone on standard output, so that a script can take it. */
        puts(text.data);
        fputs("This is the only time that it is shown.\n", stderr);
        explicit_bzero(text.data, text.len);
    }
    buf_free(&text);
    return r;
}

static int revoke_one(struct db_pool *db, const char *word, struct err *err)
{
    char *end;
    errno = 0;
    long long id = strtoll(word, &end, 10);
    if (errno || !*word || *end) {
        err_set(err, ERR_USAGE, "`%s` is not the number of a token", word);
        return err_hint(err, "everett token ls shows them");
    }
    return auth_token_revoke(db, id, err);
}

int verb_token(const struct cli_verb *v, int argc, char **argv)
{
    static const struct cli_action actions[] = {
        [CREATE] = {"create", 0, ""},
        [LS] = {"ls", 0, ""},
        [REVOKE] = {"revoke", 1, "which one? (`everett token ls` shows their numbers)"},
    };
    struct options o = {.label = "", .scopes = "read,launch,push"};
    const struct cli_option options[] = {
        {"dir", CLI_STRING, &o.dir, "D", "directory of the service"},
        {"account", CLI_STRING, &o.account, "NAME",
         "whose token; the account is made when missing"},
        {"scopes", CLI_STRING, &o.scopes, "LIST",
         "what it may do: push, launch, read, admin (read,launch,push)"},
        {"label", CLI_STRING, &o.label, "TEXT", "what it is for"},
        {"expires", CLI_DURATION, &o.expires_ns, "TIME",
         "end after this time, such as 90d (never)"},
    };
    bool done;
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, false, &done);
    if (done || first < 0) {
        return done ? CLI_OK : CLI_USAGE;
    }
    int action = cli_action(v, actions, ARRAY_LEN(actions), argv + first);
    if (action == CREATE && !o.account) {
        return cli_usage(v, "create: for which account? (--account NAME)");
    }
    struct db_pool *db = action >= 0 ? open_db(v, o.dir) : NULL;
    if (!db) {
        return CLI_USAGE;
    }
    cleanup_err struct err err = {0};
    int r = action == LS       ? list(db, &err)
            : action == CREATE ? create(db, &o, &err)
                               : revoke_one(db, argv[first + 1], &err);
    db_pool_close(db);
    return r ? cli_fail(&err) : CLI_OK;
}
