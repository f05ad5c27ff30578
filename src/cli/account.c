/* everett account: who may use the service. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/server_verbs.h"
#include "server/auth/auth.h"
#include "server/db/db.h"

enum action { CREATE, PASSWORD, DISABLE, LS };

struct options {
    const char *dir, *scopes;
    bool from_stdin;
};

static int print_row(void *ctx, const struct auth_account_row *row)
{
    cleanup_buf struct buf scopes = {0};
    char created[32];
    time_t at = (time_t)row->created;
    (void)ctx;
    auth_scopes_text(row->scopes, &scopes);
    strftime(created, sizeof created, "%Y-%m-%d", gmtime(&at));
    printf("%-24s %-24s %-10s %-12s %s\n", row->name, scopes.data ? scopes.data : "", created,
           row->has_password ? "password" : "tokens only", row->is_disabled ? "disabled" : "");
    return 0;
}

static int list(struct db_pool *db, struct err *err)
{
    printf("%-24s %-24s %-10s %-12s %s\n", "NAME", "SCOPES", "CREATED", "CREDENTIALS", "");
    return auth_each_account(db, print_row, NULL, err);
}

static int change(struct db_pool *db, enum action action, const struct options *o, const char *name,
                  struct err *err)
{
    unsigned scopes;
    if (action == PASSWORD && o->scopes) {
        return err_set(err, ERR_USAGE, "--scopes belongs to `account create`");
    }
    if (auth_scopes_parse(o->scopes ? o->scopes : "read,launch,push", &scopes, err)) {
        return -1;
    }
    char *password = ask_password(o->from_stdin, err);
    if (!password) {
        return -1;
    }
    int r = action == CREATE ? auth_account_create(db, name, password, scopes, err)
                             : auth_account_password(db, name, password, err);
    explicit_bzero(password, strlen(password));
    free(password);
    return r;
}

int verb_account(const struct cli_verb *v, int argc, char **argv)
{
    static const struct cli_action actions[] = {
        [CREATE] = {"create", 1, "which name?"},
        [PASSWORD] = {"password", 1, "of which account?"},
        [DISABLE] = {"disable", 1, "which account?"},
        [LS] = {"ls", 0, ""},
    };
    struct options o = {0};
    const struct cli_option options[] = {
        {"dir", CLI_STRING, &o.dir, "D", "directory of the service"},
        {"scopes", CLI_STRING, &o.scopes, "LIST",
         "what its password may do: push, launch, read, admin (read,launch,push)"},
        {"password-stdin", CLI_FLAG, &o.from_stdin, NULL,
         "read the password from standard input instead of the terminal"},
    };
    bool done;
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, false, &done);
    if (done || first < 0) {
        return done ? CLI_OK : CLI_USAGE;
    }
    int action = cli_action(v, actions, ARRAY_LEN(actions), argv + first);
    struct db_pool *db = action >= 0 ? open_db(v, o.dir) : NULL;
    if (!db) {
        return CLI_USAGE;
    }
    cleanup_err struct err err = {0};
    const char *name = argv[first + 1];
    int r = action == LS        ? list(db, &err)
            : action == DISABLE ? auth_account_disable(db, name, &err)
                                : change(db, (enum action)action, &o, name, &err);
    db_pool_close(db);
    return r ? cli_fail(&err) : CLI_OK;
}
