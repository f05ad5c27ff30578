/* Splitting a command string into words as POSIX shells do (XCU 2.2 quoting), with no shell ever
 * involved: no expansion, no operators. */
#ifndef EVERETT_COMPOSE_WORDS_H
#define EVERETT_COMPOSE_WORDS_H

#include "base/base.h"

struct pool;
struct compose_strings;

enum words_result {
    WORDS_OK,
    WORDS_OPEN_QUOTE,      /* a quote is never closed */
    WORDS_TRAILING_ESCAPE, /* a backslash ends the text */
};

/* Appends the words of `text` to `out`. `*operator_at` is set to the first unquoted `&&`, `||`,
 * `;`, `|`, `<` or `>` that begins a word, which a shell would act on but is passed as a word
 * here; NULL when there is none. */
enum words_result words_split(struct pool *pool, const char *text, struct compose_strings *out,
                              const char **operator_at);

#endif
