/* What `everett run` prints: a live line, plain lines where there is no terminal, JSON lines, and
 * the summary. */
#ifndef EVERETT_CLI_RUN_OUTPUT_H
#define EVERETT_CLI_RUN_OUTPUT_H

#include "explorer/explorer.h"
#include "report/terminal.h"

enum run_verdict { RUN_PASSED = 1, RUN_FAILED, RUN_SETUP_FAILED };

struct run_output {
    bool json, quiet;
    struct terminal_style style; /* of stderr: the live line */
    struct terminal_numbers now, last;
    bool line_open; /* a live line stands in the terminal */
};

void run_output_init(struct run_output *o, bool json, bool quiet, const char *name,
                     uint32_t workers);
/* The callbacks of the explorer; ctx is a struct run_output. */
void run_output_progress(void *ctx, const struct explorer_progress *p);
void run_output_universe(void *ctx, const struct store_universe *u, uint64_t new_behaviours);
/* Before anything else is printed: takes the live line away. */
void run_output_clear(struct run_output *o);
void run_output_begin(const struct run_output *o, const char *dir, uint64_t seed);

struct run_ending {
    struct report *report; /* NULL when there is none */
    const struct explorer_summary *summary;
    enum run_verdict verdict;
    const char *dir;
    const char *error; /* NULL: none */
    bool one_universe; /* the budget was one: its digest is the run's */
};

int run_output_end(struct run_output *o, const struct run_ending *e, struct err *err) must_check;

#endif
