/* Finds a value in a JSON object without building anything. Tolerant: what is malformed is "not
 * found"; nothing is ever read past the end. */
#ifndef EVERETT_DIRECTOR_JSON_SCAN_H
#define EVERETT_DIRECTOR_JSON_SCAN_H

#include "base/base.h"

struct json_span {
    const char *text;
    size_t len;
};

/* Value of `key` at the top level of the object `in` (which may have blanks around it). */
bool json_member(struct json_span in, const char *key, struct json_span *value);
/* The value is the string `s` (compared without unescaping). */
bool json_is_string(struct json_span value, const char *s);

#endif
