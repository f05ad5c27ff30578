/* Syntax trees and values of lambdas; for lambda*.c only. */
#ifndef EVERETT_SERVER_API_LAMBDA_PRIV_H
#define EVERETT_SERVER_API_LAMBDA_PRIV_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "server/api/lambda.h"

#define LAMBDA_DEPTH_MAX  64u        /* of syntax and of calls */
#define LAMBDA_STEPS_MAX  200000u    /* evaluations for one event */
#define LAMBDA_MEMORY_MAX (4u << 20) /* bytes for one event */
#define LAMBDA_PARAMS     4u

enum node_kind {
    NODE_UNDEFINED,
    NODE_NULL,
    NODE_TRUE,
    NODE_FALSE,
    NODE_NUMBER,
    NODE_STRING,
    NODE_TEMPLATE, /* kids joined as text */
    NODE_REGEX,
    NODE_NAME,
    NODE_ARRAY,
    NODE_ARROW,  /* params; kids[0]: body */
    NODE_MEMBER, /* kids[0].text */
    NODE_INDEX,  /* kids[0][kids[1]] */
    NODE_CALL,   /* kids[0](kids[1]...) */
    NODE_UNARY,
    NODE_BINARY,
    NODE_TERNARY,
    NODE_BLOCK,
    NODE_LET,    /* text = kids[0] */
    NODE_RETURN, /* kids[0], or nothing */
    NODE_IF,     /* kids[0], kids[1], perhaps kids[2] */
};

enum op {
    OP_COALESCE,
    OP_OR,
    OP_AND,
    OP_SAME,
    OP_NOT_SAME,
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_LESS_EQUAL,
    OP_MORE_EQUAL,
    OP_LESS,
    OP_MORE,
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_REMAINDER,
    OP_NOT,
    OP_TYPEOF,
};

struct node {
    enum node_kind kind;
    enum op op;
    bool is_optional; /* ?. before it */
    bool is_grouped;  /* in parentheses: ends an optional chain */
    double number;
    char *text; /* owned */
    size_t text_len;
    char *params[LAMBDA_PARAMS]; /* owned */
    unsigned param_count;
    pcre2_code *regex;  /* owned */
    struct node **kids; /* owned array of nodes that the lambda owns */
    size_t kid_count, kid_cap;
};

struct lambda {
    struct node **nodes; /* owned: all of them */
    size_t count, cap;
    struct node *root;
    struct arena *arena; /* of the event at hand */
};

enum value_kind {
    VALUE_UNDEFINED,
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_ARRAY,
    VALUE_OBJECT,
    VALUE_FUNCTION,
    VALUE_REGEX,
};

struct value {
    enum value_kind kind;
    union {
        bool flag;
        double number;
        struct {
            const char *data; /* of the tree, the event or the arena */
            size_t len;
        } text;
        struct {
            const struct value *items;
            size_t count;
        } array;
        const json_t *object; /* of the event */
        const struct closure *function;
        const struct node *regex;
    };
};

/* One evaluation. After `has_failed` all values are undefined. */
struct run {
    struct lambda *lambda;
    unsigned steps, depth;
    bool has_failed;
};

/* lambda.c: memory of one event; NULL makes the run fail. */
void *run_alloc(struct run *r, size_t size) must_check;
struct value run_fail(struct run *r);

/* lambda_value.c */
struct value value_of_json(struct run *r, const json_t *v);
struct value value_text(const char *data, size_t len);
struct value value_number(double n);
struct value value_flag(bool flag);
bool value_is_nullish(struct value v);
bool value_truth(struct value v);
double value_to_number(struct value v);
struct value value_to_string(struct run *r, struct value v);
bool value_same(struct value a, struct value b);  /* === */
bool value_equal(struct value a, struct value b); /* == */
const char *value_type_name(struct value v);

/* lambda_eval.c */
struct value lambda_call(struct run *r, const struct closure *f, const struct value *args,
                         size_t count);
struct value lambda_evaluate(struct run *r, const json_t *event);

/* lambda_methods.c */
struct value lambda_member(struct run *r, struct value of, const char *name, size_t len);
/* Nothing else can be called by a member's name: events hold no functions. */
bool lambda_is_method(const char *name);
struct value lambda_method(struct run *r, struct value of, const struct node *name,
                           const struct value *args, size_t count);
/* String(), Number(), Boolean(), Array.isArray(). */
bool lambda_is_global(const struct node *callee);
struct value lambda_global(struct run *r, const struct node *callee, const struct value *args,
                           size_t count);

/* lambda_parse.c */
struct node *lambda_node(struct lambda *l, enum node_kind kind);

#endif
