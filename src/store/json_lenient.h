/* Reading the JSON that SDKs really send: cut short (a length counted in UTF-16 units), with
 * invalid UTF-8, raw control characters, lone surrogates, bare NaN and Infinity, or followed by
 * garbage. */
#ifndef EVERETT_STORE_JSON_LENIENT_H
#define EVERETT_STORE_JSON_LENIENT_H

#include <jansson.h>

#include "base/base.h"

/* A document the caller frees, or NULL when not even a prefix can be understood. `*cut` tells that
 * members at the end are missing: a cut document keeps only values that were complete. */
json_t *json_lenient(const char *text, size_t len, bool *cut) must_check;

/* Strings and numbers as text or number, whichever way they were sent; the platform's composer
 * sends numbers as strings. */
bool json_truthy(const json_t *value);
bool json_to_i64(const json_t *value, int64_t *out);
bool json_to_double(const json_t *value, double *out);
/* Member as a string, or NULL; borrowed. */
const char *json_text_member(const json_t *object, const char *key);

#endif
