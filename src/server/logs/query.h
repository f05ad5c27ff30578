/* A parsed query: shared by the parser (query_parse.c), its printer and the evaluation (search.c).
 */
#ifndef EVERETT_SERVER_LOGS_QUERY_H
#define EVERETT_SERVER_LOGS_QUERY_H

#include <regex.h>

#include "base/err.h"
#include "server/logs/event_view.h"

#define QUERY_ROWS_MAX  32u
#define QUERY_VALUE_MAX 1023u

enum row_field { ROW_UNIVERSE = FIELD_COUNT, ROW_TIME, ROW_PATH, ROW_ANY };

enum row_op {
    OP_CONTAINS,
    OP_EXCLUDES,
    OP_IS,
    OP_IS_NOT,
    OP_MATCHES,
    OP_BEFORE,
    OP_AFTER,
    OP_COUNT
};

struct row {
    int field;  /* enum event_field or row_field */
    char *path; /* ROW_PATH: ".a.b", owned */
    enum row_op op;
    char *value; /* owned */
    bool is_or;  /* joined to the row before by "or" */
    bool is_number;
    double number;
    bool has_regex;
    regex_t regex; /* of OP_MATCHES */
};

struct rows {
    struct row *items; /* owned */
    size_t count, cap;
};

struct search {
    struct rows where;
    bool has_clause, is_negated, looks_ahead; /* not; followed by (else preceded by) */
    double within_s;                          /* 0: at any distance */
    struct rows clause;
};

const char *row_op_name(enum row_op op);
/* Checks and completes a row whose field, op and value are set. */
int row_finish(struct row *r, struct err *err);
int row_field_of(const char *name, struct row *r); /* 0, or -1: no such field */
/* Whether the rows hold for the view's event. */
bool rows_match(const struct rows *rows, struct event_view *v);

#endif
