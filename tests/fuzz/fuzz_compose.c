/* libFuzzer target for compose files: the bytes up to the first NUL are a compose file, the rest a
 * .env file and a command line. What loads must describe itself, as the same bytes each time.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc \
 *       tests/fuzz/fuzz_compose.c src/compose/[a-z]*.c src/base/{assert_host,buf,err,mem}.c \
 *       -lyaml -lcrypto -o fuzz_compose
 *   ./fuzz_compose corpus/ tests/fuzz/regress/compose/
 *
 * Inputs that once failed stay in tests/fuzz/regress/compose; `make check` replays them. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "compose/compose.h"
#include "compose/dotenv.h"
#include "compose/interp.h"
#include "compose/pool.h"
#include "compose/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(const char *text, size_t len, struct buf *out)
{
    struct err err cleanup_err = {0};
    struct compose_project *p = NULL;
    const struct compose_text in = {.file = "f.yaml", .text = text, .len = len, .dirfd = -1};
    if (compose_parse(&in, NULL, &p, &err)) {
        ASSERT(err.msg && err.kind == ERR_USAGE && !p);
        buf_puts(out, err.msg);
        return;
    }
    ASSERT(p->start_count <= p->service_count);
    compose_describe(p, out);
    compose_json(p, out);
    compose_destroy(p);
}

static void fuzz_compose_file(const char *text, size_t len)
{
    struct buf first cleanup_buf = {0}, second cleanup_buf = {0};
    load(text, len, &first);
    load(text, len, &second);
    ASSERT(first.len == second.len);
    ASSERT(memcmp(first.data, second.data, first.len) == 0);
}

static void fuzz_env_file(const char *text, size_t len, enum dotenv_format format)
{
    struct pool pool = {0};
    struct diags diags = {.pool = &pool};
    struct env env = {0};
    struct interp in = {.pool = &pool, .diags = &diags, .first = &env};
    struct source src = {"f.env", pool_strndup(&pool, text, len), len};
    int rc = dotenv_parse(&src, format, &in, &env);
    ASSERT((rc != 0) == (diags.errors != 0));
    struct compose_strings words = {0};
    const char *operator_at = NULL;
    (void)words_split(&pool, src.text, &words, &operator_at);
    struct buf out cleanup_buf = {0};
    for (size_t i = 0; i < diags.n; i++) {
        diag_render(&diags.v[i], &out);
    }
    pool_fini(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        fuzz_compose_file("", 0);
        return 0;
    }
    const char *text = (const char *)data;
    const char *nul = memchr(text, 0, size);
    size_t len = nul ? (size_t)(nul - text) : size;
    fuzz_compose_file(text, len);
    if (nul) {
        fuzz_env_file(nul + 1, size - len - 1, DOTENV_COMPOSE);
        fuzz_env_file(nul + 1, size - len - 1, DOTENV_RAW);
    }
    return 0;
}
