/* What an image name in a compose file or a launch request means here. */
#include <stdio.h>
#include <string.h>

#include "image/ref.h"
#include "server/registry/registry_priv.h"
#include "server/registry/rows.h"

/* The name without the registry's host: the first part when it has a dot or a colon, or is
 * "localhost". */
static const char *without_host(const char *name)
{
    size_t len = strcspn(name, "/");
    bool is_host = name[len] && (memchr(name, '.', len) || memchr(name, ':', len) ||
                                 (len == 9 && memcmp(name, "localhost", 9) == 0));
    return is_host ? name + len + 1 : name;
}

struct candidates {
    struct buf *repository, *digest;
    struct buf names;
    unsigned count; /* of different digests */
};

static int add_candidate(void *ctx, const char *repository, const char *digest, struct err *err)
{
    struct candidates *c = ctx;
    if (!c->count) {
        buf_puts(c->repository, repository);
        buf_puts(c->digest, digest);
    }
    c->count += !c->count || strcmp(c->digest->data, digest) != 0;
    buf_printf(&c->names, "%s%s", c->names.len ? ", " : "", repository);
    return 0;
}

static int exact(struct registry *r, const char *path, const char *reference, struct candidates *c,
                 struct err *err)
{
    struct manifest_row row;
    int found = rows_manifest_find(r, path, reference, &row, err);
    if (found == 1) {
        found = add_candidate(c, path, row.digest, err) < 0 ? -1 : 1;
    }
    manifest_row_fini(&row);
    return found;
}

static int by_last_part(struct registry *r, const struct image_ref *ref, const char *reference,
                        struct candidates *c, struct err *err)
{
    if (rows_each_named(r, image_ref_last_part(ref), reference, add_candidate, c, err) < 0) {
        return -1;
    }
    if (c->count > 1) {
        err_set(err, ERR_USAGE, "'%s' may mean more than one image: %s", ref->normal,
                c->names.data);
        return err_hint(err, "write the whole path of the repository, or delete the others");
    }
    return (int)c->count;
}

int registry_resolve(struct registry *r, const char *ref, struct buf *repository,
                     struct buf *digest, struct err *err)
{
    struct image_ref parsed;
    struct candidates c = {.repository = repository, .digest = digest};
    char full[CONTENT_DIGEST];
    if (image_ref_init(&parsed, ref, err) < 0) {
        return -1;
    }
    const char *reference = parsed.tag, *path = without_host(parsed.name);
    if (*parsed.digest) {
        snprintf(full, sizeof full, "sha256:%s", parsed.digest);
        reference = full;
    }
    int found = rows_repository_exists(r, path, err);
    if (found == 1) {
        found = exact(r, path, reference, &c, err);
    } else if (found == 0) {
        found = by_last_part(r, &parsed, reference, &c, err);
    }
    buf_free(&c.names);
    image_ref_fini(&parsed);
    return found;
}
