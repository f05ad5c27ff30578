/* The registry without HTTP: names of images, exports, collections of garbage, restarts. */
#include "server/registry/registry.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "server/config.h"
#include "server/db/db.h"
#include "server/registry/content.h"
#include "server/registry/manifest.h"
#include "server/registry/registry_priv.h"
#include "server/registry/rows.h"
#include "server/registry/upload.h"
#include "server/server.h"

struct fixture {
    char dir[64];
    struct server server;
};

static void open_registry(struct fixture *f)
{
    struct err err = {0};
    f->server.registry = registry_open(&f->server, &err);
    assert_non_null(f->server.registry);
}

static int setup(void **state)
{
    struct err err = {0};
    char path[128];
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    strcpy(f->dir, "/tmp/everett-registry-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->server.dir = f->dir;
    snprintf(path, sizeof path, "%s/none.conf", f->dir);
    f->server.config = server_config_load(path, &err);
    snprintf(path, sizeof path, "%s/server.db", f->dir);
    f->server.db = db_pool_open(path, &err);
    assert_non_null(f->server.config);
    assert_non_null(f->server.db);
    open_registry(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[96];
    registry_close(f->server.registry);
    db_pool_close(f->server.db);
    server_config_free(f->server.config);
    snprintf(command, sizeof command, "rm -r %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static struct registry *registry_of(void **state)
{
    return ((struct fixture *)*state)->server.registry;
}

static void push_blob(struct registry *r, const char *repository, const char *text,
                      char digest[CONTENT_DIGEST])
{
    struct err err = {0};
    struct upload *up;
    uint64_t size;
    hash_bytes(HASH_SHA256, text, strlen(text), digest);
    assert_int_equal(upload_start(r, repository, 1, HASH_SHA256, &up, &err), 0);
    uint64_t claim = upload_claim(up, &size);
    assert_int_equal(size, 0);
    assert_int_equal(upload_write(r, up, claim, text, strlen(text), &err), UPLOAD_OK);
    assert_int_equal(upload_finish(r, up, claim, digest, &err), UPLOAD_OK);
    upload_put(r, up);
}

/* The bytes come by an upload; what counts is the row. */
static void push_manifest(struct registry *r, const char *repository, const char *tag,
                          const char *text, char digest[CONTENT_DIGEST])
{
    struct err err = {0};
    struct manifest m;
    push_blob(r, repository, text, digest);
    assert_int_equal(manifest_parse(text, strlen(text), NULL, &m, &err), 0);
    struct manifest_put put = {.repository = repository,
                               .digest = digest,
                               .size = strlen(text),
                               .manifest = &m,
                               .tags = &tag,
                               .tag_count = tag ? 1 : 0};
    assert_int_equal(rows_manifest_put(r, &put, &err), 0);
    assert_int_equal(rows_blob_unlink(r, repository, digest, &err), 1);
    manifest_fini(&m);
}

static void push_image(struct registry *r, const char *repository, const char *tag,
                       const char *text, char digest[CONTENT_DIGEST])
{
    char config[CONTENT_DIGEST], manifest[1024];
    push_blob(r, repository, text, config);
    snprintf(manifest, sizeof manifest,
             "{\"schemaVersion\":2,\"mediaType\":\"" TYPE_OCI_MANIFEST
             "\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
             "\"digest\":\"%s\",\"size\":%zu},\"layers\":[]}",
             config, strlen(text));
    push_manifest(r, repository, tag, manifest, digest);
}

static int resolve(struct registry *r, const char *ref, char repository[256],
                   char digest[CONTENT_DIGEST], struct err *err)
{
    cleanup_buf struct buf name = {0}, sum = {0};
    int found = registry_resolve(r, ref, &name, &sum, err);
    snprintf(repository, 256, "%s", name.data ? name.data : "");
    snprintf(digest, CONTENT_DIGEST, "%s", sum.data ? sum.data : "");
    return found;
}

static void resolves(void **state)
{
    struct registry *r = registry_of(state);
    struct err err = {0};
    char one[CONTENT_DIGEST], two[CONTENT_DIGEST], found[CONTENT_DIGEST], name[256], ref[512];
    push_image(r, "t-repository/etcd-client", "v1", "one", one);
    push_image(r, "library/redis", "latest", "two", two);
    static const char *const ways[] = {
        "etcd-client:v1",
        "t-repository/etcd-client:v1",
        "127.0.0.1:5000/t-repository/etcd-client:v1",
        "localhost/t-repository/etcd-client:v1",
        "us-central1-docker.pkg.dev/molten-verve-216720/t-repository/etcd-client:v1",
    };
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        assert_int_equal(resolve(r, ways[i], name, found, &err), 1);
        assert_string_equal(name, "t-repository/etcd-client");
        assert_string_equal(found, one);
    }
    assert_int_equal(resolve(r, "redis", name, found, &err), 1);
    assert_string_equal(found, two);
    assert_int_equal(resolve(r, "docker.io/library/redis:latest", name, found, &err), 1);
    assert_string_equal(name, "library/redis");
    snprintf(ref, sizeof ref, "x.example/a/etcd-client@%s", one);
    assert_int_equal(resolve(r, ref, name, found, &err), 1);
    assert_string_equal(found, one);
    assert_int_equal(resolve(r, "etcd-client:v2", name, found, &err), 0);
    assert_int_equal(resolve(r, "client:v1", name, found, &err), 0); /* no part of that name */
    assert_int_equal(resolve(r, "etcd-client:", name, found, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    err_clear(&err);
}

static void resolves_or_says_why_not(void **state)
{
    struct registry *r = registry_of(state);
    struct err err = {0};
    char one[CONTENT_DIGEST], two[CONTENT_DIGEST], found[CONTENT_DIGEST], name[256];
    push_image(r, "a/app", "v1", "one", one);
    push_image(r, "b/app", "v1", "one", two);
    assert_string_equal(one, two);
    assert_int_equal(resolve(r, "app:v1", name, found, &err), 1); /* the same image twice */
    push_image(r, "b/app", "v1", "another", two);
    assert_int_equal(resolve(r, "app:v1", name, found, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.msg, "a/app, b/app"));
    assert_non_null(err.hint);
    err_clear(&err);
    assert_int_equal(resolve(r, "b/app:v1", name, found, &err), 1);
    assert_string_equal(found, two);
    push_image(r, "app", "v9", "third", two);
    assert_int_equal(resolve(r, "app:v1", name, found, &err), 0); /* the exact path wins */
}

static bool exists(const char *dir, const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", dir, path);
    return access(full, F_OK) == 0;
}

static void exports(void **state)
{
    struct registry *r = registry_of(state);
    struct err err = {0};
    char amd[CONTENT_DIGEST], arm[CONTENT_DIGEST], list[CONTENT_DIGEST], path[CONTENT_PATH];
    char text[1024], dir[128], config[CONTENT_DIGEST];
    push_image(r, "multi", NULL, "amd64", amd);
    push_image(r, "multi", NULL, "arm64", arm);
    snprintf(text, sizeof text,
             "{\"schemaVersion\":2,\"mediaType\":\"" TYPE_OCI_INDEX "\",\"manifests\":["
             "{\"mediaType\":\"" TYPE_OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":1,"
             "\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}},"
             "{\"mediaType\":\"" TYPE_OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":1,"
             "\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
             arm, amd);
    push_manifest(r, "multi", "v1", text, list);
    snprintf(dir, sizeof dir, "%s/layout", r->dir);
    assert_int_equal(registry_export(r, "multi", list, "multi:v1", dir, &err), 0);
    assert_true(exists(dir, "oci-layout"));
    assert_true(exists(dir, "index.json"));
    content_blob_path(list, path);
    assert_true(exists(dir, path));
    content_blob_path(amd, path);
    assert_true(exists(dir, path));
    hash_bytes(HASH_SHA256, "amd64", 5, config);
    content_blob_path(config, path);
    assert_true(exists(dir, path));
    content_blob_path(arm, path);
    assert_false(exists(dir, path));

    /* A blob that has gone is named; an index without this platform is refused. */
    assert_int_equal(content_remove_blob(r, config, &err), 0);
    snprintf(dir, sizeof dir, "%s/layout2", r->dir);
    assert_int_equal(registry_export(r, "multi", amd, "multi:v1", dir, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.msg, config));
    err_clear(&err);
    snprintf(text, sizeof text,
             "{\"schemaVersion\":2,\"mediaType\":\"" TYPE_OCI_INDEX "\",\"manifests\":["
             "{\"mediaType\":\"" TYPE_OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":1,"
             "\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}}]}",
             arm);
    push_manifest(r, "multi", "arm", text, list);
    snprintf(dir, sizeof dir, "%s/layout3", r->dir);
    assert_int_equal(registry_export(r, "multi", list, "multi:arm", dir, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.msg, "linux/amd64"));
    err_clear(&err);
}

/* All blobs were last asked for two hours ago, or just now. */
static void set_age(struct registry *r, int64_t seconds)
{
    struct err err = {0};
    struct db *db = db_get(r->db);
    sqlite3_stmt *st = db_prepare(db, "UPDATE blob SET created=?", &err);
    assert_non_null(st);
    db_i64(st, 1, time(NULL) - seconds);
    assert_int_equal(db_run(db, st, &err), 0);
    db_put(r->db, db);
}

static void set_file_age(struct registry *r, const char *path, int64_t seconds)
{
    struct timespec times[2] = {{.tv_sec = time(NULL) - seconds}, {.tv_sec = time(NULL) - seconds}};
    assert_int_equal(utimensat(r->dirfd, path, times, 0), 0);
}

static void collects(void **state)
{
    struct registry *r = registry_of(state);
    struct err err = {0};
    struct registry_gc gc;
    char kept[CONTENT_DIGEST], config[CONTENT_DIGEST], loose[CONTENT_DIGEST], path[CONTENT_PATH];
    push_image(r, "gc/a", "v1", "kept", kept);
    push_blob(r, "gc/b", "loose", loose);
    hash_bytes(HASH_SHA256, "kept", 4, config);
    uint64_t before = r->bytes;
    assert_int_equal(registry_collect(r, &gc, &err), 0);
    assert_int_equal(gc.blobs, 0); /* nothing is an hour old */
    set_age(r, 7200);
    assert_int_equal(rows_blob_touch(r, loose, &err), 0);
    assert_int_equal(registry_collect(r, &gc, &err), 0);
    assert_int_equal(gc.blobs, 0); /* a client has just asked for it */
    set_age(r, 7200);
    assert_int_equal(registry_collect(r, &gc, &err), 0);
    assert_int_equal(gc.blobs, 1);
    assert_int_equal(gc.bytes, 5);
    assert_int_equal(r->bytes, before - 5);
    assert_int_equal(content_blob_exists(r, loose, &err), 0);
    assert_int_equal(rows_blob_find(r, "gc/b", loose, &err), 0);
    assert_int_equal(rows_repository_exists(r, "gc/b", &err), 0);
    assert_int_equal(content_blob_exists(r, kept, &err), 1);
    assert_int_equal(content_blob_exists(r, config, &err), 1);
    assert_int_equal(rows_manifest_delete(r, "gc/a", kept, &err), 1);
    assert_int_equal(registry_collect(r, &gc, &err), 0);
    assert_int_equal(gc.blobs, 2);
    assert_int_equal(r->bytes, 0);

    /* A file without a row: what a crash left. */
    char name[UPLOAD_ID_CHARS + 1];
    assert_int_equal(content_new_name(name, &err), 0);
    int fd = content_create_upload(r, name, &err);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(content_publish(r, name, loose, &err), 0);
    assert_int_equal(registry_collect(r, &gc, &err), 0);
    assert_int_equal(gc.blobs, 0);
    content_blob_path(loose, path);
    set_file_age(r, path, 7200);
    assert_int_equal(registry_collect(r, &gc, &err), 0);
    assert_int_equal(gc.blobs, 1);
    assert_int_equal(content_blob_exists(r, loose, &err), 0);
}

static void gives_up_old_uploads(void **state)
{
    struct registry *r = registry_of(state);
    struct err err = {0};
    struct registry_gc gc;
    struct upload *up;
    char id[UPLOAD_ID_CHARS + 1], path[CONTENT_PATH];
    uint64_t size;
    assert_int_equal(upload_start(r, "up/a", 1, HASH_SHA256, &up, &err), 0);
    memcpy(id, up->id, sizeof id);
    content_upload_path(id, path);
    assert_int_equal(upload_write(r, up, upload_claim(up, &size), "abc", 3, &err), UPLOAD_OK);
    set_file_age(r, path, 2 * 24 * 3600);
    assert_int_equal(registry_collect(r, &gc, &err), 0);
    assert_int_equal(gc.blobs, 0); /* somebody is at it */
    upload_put(r, up);
    assert_int_equal(registry_collect(r, &gc, &err), 0);
    assert_int_equal(gc.blobs, 1);
    assert_int_equal(r->bytes, 0);
    assert_int_equal(upload_get(r, id, "up/a", &up, &err), 0);
}

static void goes_on_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct registry *r = registry_of(state);
    struct err err = {0};
    struct upload *up, *lost;
    char id[UPLOAD_ID_CHARS + 1], gone[UPLOAD_ID_CHARS + 1], digest[CONTENT_DIGEST];
    uint64_t size;
    assert_int_equal(upload_start(r, "up/a", 1, HASH_SHA256, &up, &err), 0);
    assert_int_equal(upload_start(r, "up/a", 1, HASH_SHA256, &lost, &err), 0);
    memcpy(id, up->id, sizeof id);
    memcpy(gone, lost->id, sizeof gone);
    assert_int_equal(upload_write(r, up, upload_claim(up, &size), "first ", 6, &err), UPLOAD_OK);
    upload_put(r, up);
    upload_put(r, lost);
    assert_int_equal(content_remove_upload(r, gone, &err), 0);
    registry_close(r);
    open_registry(f);
    r = registry_of(state);
    assert_int_equal(r->bytes, 6);
    assert_int_equal(rows_upload_exists(r, gone, NULL, &err), 0);
    assert_int_equal(upload_get(r, id, "up/b", &up, &err), 0); /* another repository's */
    assert_int_equal(upload_get(r, id, "up/a", &up, &err), 1);
    uint64_t claim = upload_claim(up, &size);
    assert_int_equal(size, 6);
    assert_int_equal(upload_write(r, up, claim - 1, "x", 1, &err), UPLOAD_GONE);
    assert_int_equal(upload_write(r, up, claim, "second", 6, &err), UPLOAD_OK);
    hash_bytes(HASH_SHA512, "first second", 12, digest);
    assert_int_equal(upload_finish(r, up, claim, digest, &err), UPLOAD_OK);
    assert_int_equal(upload_finish(r, up, claim, digest, &err), UPLOAD_GONE);
    upload_put(r, up);
    assert_int_equal(rows_blob_find(r, "up/a", digest, &err), 1);
    assert_int_equal(r->bytes, 12);
}

static void forgets_idle_uploads_only(void **state)
{
    struct registry *r = registry_of(state);
    struct err err = {0};
    struct upload *up;
    char id[UPLOAD_ID_CHARS + 1], digest[CONTENT_DIGEST];
    uint64_t size;
    assert_int_equal(upload_start(r, "up/a", 1, HASH_SHA256, &up, &err), 0);
    memcpy(id, up->id, sizeof id);
    assert_int_equal(upload_write(r, up, upload_claim(up, &size), "abc", 3, &err), UPLOAD_OK);
    upload_put(r, up);
    upload_forget_all(r); /* as when very many lie idle */
    assert_int_equal(upload_get(r, id, "up/a", &up, &err), 1);
    uint64_t claim = upload_claim(up, &size);
    hash_bytes(HASH_SHA256, "abc", 3, digest);
    assert_int_equal(upload_finish(r, up, claim, digest, &err), UPLOAD_OK);
    upload_put(r, up);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(resolves),
        CASE(resolves_or_says_why_not),
        CASE(exports),
        CASE(collects),
        CASE(gives_up_old_uploads),
        CASE(goes_on_after_a_restart),
        CASE(forgets_idle_uploads_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
