#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/verbs.h"

const struct cli_verb cli_verbs[] = {
    {"run", "[OPTIONS] DIR", "explore the system of DIR/docker-compose.yaml and judge it",
     verb_run},
    {"replay", "[OPTIONS] RUN MOMENT", "run a history of a run again and compare it bit for bit",
     verb_replay},
    {"shell", "[OPTIONS] RUN MOMENT [--] CMD [ARGS]",
     "run one more command at a moment, on a fresh branch of its history", verb_shell},
    {"log", "[OPTIONS] RUN [MOMENT]", "print the stored log of a history", verb_log},
    {"validate", "[OPTIONS] DIR", "check a compose directory without running it", verb_validate},
    {"image", "load FILE... | ls | rm REF... | inspect REF", "keep container images", verb_image},
    {"exec", "[OPTIONS] [--] CMD [ARGS]", "run one program in a deterministic universe", verb_exec},
    {"serve", "--dir D [OPTIONS]", "serve registry, API and pages", verb_server},
    {"account", "create NAME | password NAME | disable NAME | ls", "manage who may use the service",
     verb_server},
    {"token", "create --account NAME | ls | revoke ID", "manage keys for programs", verb_server},
};
const unsigned cli_verb_count = ARRAY_LEN(cli_verbs);

static void print_help(FILE *f)
{
    fputs("usage: everett VERB [OPTIONS]\n\n"
          "Runs unmodified Linux programs and clusters in deterministic universes and finds bugs\n"
          "that repeat bit for bit.\n\n",
          f);
    for (unsigned i = 0; i < cli_verb_count; i++) {
        fprintf(f, "  %-10s %s\n", cli_verbs[i].name, cli_verbs[i].summary);
    }
    fputs("\n`everett VERB --help` explains each.\n", f);
}

static const char *nearest_verb(const char *name)
{
    for (unsigned i = 0; i < cli_verb_count; i++) {
        if (strncmp(cli_verbs[i].name, name, 2) == 0) {
            return cli_verbs[i].name;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("everett %s\n", EVERETT_VERSION);
        return CLI_OK;
    }
    for (unsigned i = 0; i < cli_verb_count; i++) {
        if (strcmp(cli_verbs[i].name, name) == 0) {
            return cli_verbs[i].run(&cli_verbs[i], argc - 1, argv + 1);
        }
    }
    const char *near = nearest_verb(name);
    fprintf(stderr, "everett: there is no verb `%s`", name);
    if (near) {
        fprintf(stderr, "; did you mean `%s`?", near);
    }
    fputs("\n  try: everett --help\n", stderr);
    return CLI_USAGE;
}
