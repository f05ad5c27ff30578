/* openapi.json, embedded. */
#ifndef EVERETT_SERVER_API_OPENAPI_TEXT_H
#define EVERETT_SERVER_API_OPENAPI_TEXT_H

#include <stddef.h>

extern const unsigned char openapi_text[];
extern const size_t openapi_text_len;

#endif
