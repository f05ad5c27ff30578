/* Grammar of the distribution specification: repository names, tags, digests, upload ids, ranges.
 * Pure functions. */
#ifndef EVERETT_SERVER_REGISTRY_NAMES_H
#define EVERETT_SERVER_REGISTRY_NAMES_H

#include "base/base.h"

#define NAME_MAX_LEN    255u
#define TAG_MAX_LEN     128u
#define CONTENT_DIGEST  136u /* "sha512:", 128 digits and a NUL; shorter for sha256 */
#define UPLOAD_ID_CHARS 32u

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* with slashes between, at most 255 characters. */
bool name_is_repository(const char *s);
bool name_is_tag(const char *s);
/* "sha256:" with 64 or "sha512:" with 128 lower-case digits. */
bool name_is_digest(const char *s);
bool name_is_upload(const char *s);

/* Decimal digits and nothing else. */
bool name_number(const char *s, uint64_t *out);
/* "START-END" or "bytes START-END[/TOTAL]", both ends included; false when malformed. */
bool name_content_range(const char *s, uint64_t *start, uint64_t *end);

enum range_kind {
    RANGE_ALL,    /* none, malformed, or several: the whole is sent (RFC 9110 14.2) */
    RANGE_PART,   /* one satisfiable range */
    RANGE_BEYOND, /* 416 */
};
/* A Range header against a body of `size` bytes. `header` may be NULL. */
enum range_kind name_range(const char *header, uint64_t size, uint64_t *from, uint64_t *len);

#endif
