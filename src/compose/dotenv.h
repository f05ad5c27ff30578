/* `.env` and `env_file` files: `NAME=value` lines with the quoting rules of the compose
 * specification ("Env_file format"). */
#ifndef EVERETT_COMPOSE_DOTENV_H
#define EVERETT_COMPOSE_DOTENV_H

#include "compose/diag.h"

struct env;
struct interp;

enum dotenv_format {
    DOTENV_COMPOSE, /* quotes, escapes, comments, variables */
    DOTENV_RAW,     /* everything behind the first `=` as it stands */
};

/* Adds the variables of `src` to `out`. With `in`, unquoted and double-quoted values have their
 * variables replaced; to see those of the file itself, let `in->first` be `out`. Errors go to the
 * diags of `in`; returns -1 if there was one. A name without `=` is stored with value NULL. */
int dotenv_parse(const struct source *src, enum dotenv_format format, struct interp *in,
                 struct env *out);

#endif
