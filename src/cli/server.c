/* The verbs of the service become everett-server, so that `everett` loads none of its libraries. */
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/verbs.h"

int verb_server(const struct cli_verb *v, int argc, char **argv)
{
    cleanup_err struct err err = {0};
    cleanup_free char *path = cli_companion("everett-server", &err);
    (void)v, (void)argc;
    if (!path) {
        return cli_fail(&err);
    }
    argv[-1] = path; /* argv starts at the verb: the program's name is before it */
    execv(path, argv - 1);
    err_errno(&err, errno, "%s", path);
    return cli_fail(&err);
}
