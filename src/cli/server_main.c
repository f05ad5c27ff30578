/* everett-server: the verbs of the service. `everett serve` and its siblings become this program.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/server_verbs.h"

static const struct cli_verb verbs[] = {
    {"serve", "--dir D [OPTIONS]", "serve registry, API and pages", verb_serve},
    {"account", "create NAME | password NAME | disable NAME | ls", "manage who may use the service",
     verb_account},
    {"token", "create --account NAME | ls | revoke ID", "manage keys for programs", verb_token},
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc >= 2 && i < ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].name, argv[1]) == 0) {
            return verbs[i].run(&verbs[i], argc - 1, argv + 1);
        }
    }
    fputs("everett-server belongs to `everett`: use everett serve, account or token\n", stderr);
    return CLI_USAGE;
}
