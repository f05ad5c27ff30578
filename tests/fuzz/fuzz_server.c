/* libFuzzer target for what clients of the service send to be parsed: the first byte says what the
 * rest is, `m` a manifest for the registry, `l` a lambda of an event set.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc tests/fuzz/fuzz_server.c \
 *       src/server/api/lambda*.c src/server/registry/{manifest,names}.c \
 *       src/base/{assert_host,buf,err,mem}.c -ljansson -lpcre2-8 -lm -o fuzz_server
 *   ./fuzz_server corpus/ tests/fuzz/regress/server/
 *
 * Inputs that once failed stay in tests/fuzz/regress/server; `make check` replays them. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/api/lambda.h"
#include "server/registry/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_manifest(const char *text, size_t len)
{
    struct err err = {0};
    struct manifest m;
    if (manifest_parse(text, len, NULL, &m, &err) < 0) {
        ASSERT(err.kind == ERR_USAGE);
        ASSERT(err.msg != NULL);
        err_clear(&err);
        return;
    }
    for (size_t i = 0; i < m.ref_count; i++) {
        ASSERT(name_is_digest(m.refs[i].digest));
    }
    ASSERT(!*m.subject || name_is_digest(m.subject));
    manifest_fini(&m);
}

static void fuzz_lambda(const char *text, size_t len)
{
    static const char event_text[] =
        "{\"output_text\":\"Raft leader 42\",\"n\":3,\"list\":[1,\"two\",[3,null]],"
        "\"source\":{\"name\":\"etcd0\"},\"moment\":{\"vtime\":\"398.4\"}}";
    char *copy = mem_strndup(text, len);
    const char *at = copy, *expected = NULL;
    struct lambda *l = lambda_parse(&at, &expected);
    ASSERT(at >= copy);
    ASSERT(at <= copy + strlen(copy));
    if (l) {
        json_t *event = json_loads(event_text, 0, NULL);
        bool first = lambda_holds(l, event);
        ASSERT(lambda_holds(l, event) == first);
        json_decref(event);
    } else {
        ASSERT(expected != NULL);
    }
    lambda_free(l);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    if (size && data[0] == 'm') {
        fuzz_manifest(text, size - 1);
    } else if (size && data[0] == 'l') {
        fuzz_lambda(text, size - 1);
    }
    return 0;
}
