/* The verbs, one file each. */
#ifndef EVERETT_CLI_VERBS_H
#define EVERETT_CLI_VERBS_H

struct cli_verb;

int verb_run(const struct cli_verb *v, int argc, char **argv);
int verb_replay(const struct cli_verb *v, int argc, char **argv);
int verb_shell(const struct cli_verb *v, int argc, char **argv);
int verb_log(const struct cli_verb *v, int argc, char **argv);
int verb_validate(const struct cli_verb *v, int argc, char **argv);
int verb_image(const struct cli_verb *v, int argc, char **argv);
int verb_server(const struct cli_verb *v, int argc, char **argv);
int verb_exec(const struct cli_verb *v, int argc, char **argv);

#endif
