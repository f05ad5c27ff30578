/* Lambdas of event sets, `ev => ev.output_text?.includes("raft")`: the expressions of JavaScript
 * that choose events, evaluated without a JavaScript engine.
 *
 * Served: arrow functions with expression or block bodies (`const`, `let`, `if`, `return`), all
 * operators without side effects, optional chaining, template strings, regular expressions (PCRE2),
 * arrays, String(), Number(), Boolean(), Array.isArray(), and the methods of strings, arrays and
 * regular expressions that read (lambda_methods.c lists them). There are no loops, no assignments
 * and no objects in the making, so that a lambda ends; how long it may take and how much it may
 * hold is limited all the same. Case is folded for ASCII only.
 *
 * Source: ECMAScript 2020, chapters 7, 12 to 14, 21 to 22. */
#ifndef EVERETT_SERVER_API_LAMBDA_H
#define EVERETT_SERVER_API_LAMBDA_H

#include <jansson.h>

#include "base/base.h"

struct lambda;

/* Reads one arrow function at *at and moves *at behind it. NULL: *expected says what was expected
 * at *at (static text). */
struct lambda *lambda_parse(const char **at, const char **expected) must_check;
void lambda_free(struct lambda *l); /* accepts NULL */
/* Whether what it answers is true, as JavaScript sees it. An exception (a member of undefined) and
 * a lambda that exceeds its limits are no. Not for two threads at once. */
bool lambda_holds(struct lambda *l, const json_t *event);

#endif
