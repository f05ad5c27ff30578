/* Reading of manifests: what they refer to, and what is refused. */
#include "server/registry/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define A             "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B             "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C             "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define DESC(d, type) "{\"mediaType\":\"" type "\",\"digest\":\"" d "\",\"size\":3}"
#define CONFIG        DESC(A, "application/vnd.oci.image.config.v1+json")
#define LAYER         DESC(B, "application/vnd.oci.image.layer.v1.tar+gzip")

static int parse(const char *text, const char *type, struct manifest *m)
{
    struct err err = {0};
    int r = manifest_parse(text, strlen(text), type, m, &err);
    if (r < 0) {
        assert_int_equal(err.kind, ERR_USAGE);
        assert_non_null(err.msg);
        err_clear(&err);
    }
    return r;
}

static void image(void **state)
{
    struct manifest m;
    assert_int_equal(parse("{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER
                           "],\"annotations\":{\"k\":\"v\"},\"x\":1}",
                           TYPE_OCI_MANIFEST "; charset=utf-8", &m),
                     0);
    assert_string_equal(m.media_type, TYPE_OCI_MANIFEST);
    assert_false(m.is_index);
    assert_int_equal(m.ref_count, 2);
    assert_string_equal(m.refs[0].digest, A);
    assert_string_equal(m.refs[1].digest, B);
    assert_false(m.refs[1].of_index);
    assert_string_equal(m.artifact_type, "application/vnd.oci.image.config.v1+json");
    assert_string_equal(m.annotations, "{\"k\":\"v\"}");
    assert_string_equal(m.subject, "");
    manifest_fini(&m);
}

static void artifact(void **state)
{
    struct manifest m;
    assert_int_equal(parse("{\"schemaVersion\":2,\"mediaType\":\"" TYPE_OCI_MANIFEST
                           "\",\"artifactType\":\"application/x\",\"config\":" CONFIG
                           ",\"layers\":[],\"subject\":" DESC(C, TYPE_OCI_MANIFEST) "}",
                           NULL, &m),
                     0);
    assert_string_equal(m.subject, C);
    assert_string_equal(m.artifact_type, "application/x");
    assert_int_equal(m.ref_count, 1); /* a subject need not be there */
    manifest_fini(&m);
}

static void image_index(void **state)
{
    struct manifest m;
    assert_int_equal(parse("{\"schemaVersion\":2,\"manifests\":[" DESC(A, TYPE_OCI_MANIFEST) "]}",
                           TYPE_OCI_INDEX, &m),
                     0);
    assert_true(m.is_index);
    assert_int_equal(m.ref_count, 1);
    assert_true(m.refs[0].of_index);
    assert_null(m.artifact_type);
    manifest_fini(&m);
}

static void layers_elsewhere(void **state)
{
    struct manifest m;
    assert_int_equal(
        parse("{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER
              "," DESC(C, "application/vnd.oci.image.layer.nondistributable.v1.tar") "," DESC(
                  C, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip") "]}",
              TYPE_DOCKER_MANIFEST, &m),
        0);
    assert_int_equal(m.ref_count, 2);
    manifest_fini(&m);
}

static void refused(void **state)
{
    static const struct {
        const char *text, *type;
    } rows[] = {
        {"", TYPE_OCI_MANIFEST},
        {"[]", TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2", TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":1,\"config\":" CONFIG ",\"layers\":[]}", TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"layers\":[]}", TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"config\":" CONFIG "}", TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[5]}", TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{}]}", TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\",\"size\":-1},\"layers\":[]}",
         TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"config\":{\"digest\":\"../x\",\"size\":1},\"layers\":[]}",
         TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}", NULL},
        {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}", "text/plain"},
        {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}", TYPE_OCI_INDEX},
        {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]}",
         TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}",
         TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"mediaType\":\"" TYPE_OCI_INDEX "\",\"config\":" CONFIG
         ",\"layers\":[]}",
         TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"subject\":{}}",
         TYPE_OCI_MANIFEST},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}",
         "application/vnd.docker.distribution.manifest.v1+prettyjws"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct manifest m;
        assert_int_equal(parse(rows[i].text, rows[i].type, &m), -1);
        assert_null(m.refs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image),       cmocka_unit_test(artifact),
        cmocka_unit_test(image_index), cmocka_unit_test(layers_elsewhere),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
