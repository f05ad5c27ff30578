/* `volumes` (short and long form) and `tmpfs` of a service. */
#include <errno.h>
#include <string.h>

#include "compose/paths.h"
#include "compose/read_parts.h"
#include "compose/units.h"

static struct compose_mount *add_mount(struct reader *r, struct compose_service *s, struct mark at)
{
    struct compose_mount *m = POOL_PUSH(r->pool, s->mounts, s->mount_count, s->mount_cap);
    m->mode = 01777;
    m->line = at.line;
    m->col = at.col;
    return m;
}

static int set_target(struct reader *r, struct compose_mount *m, const char *target, struct mark at)
{
    if (target[0] != '/') {
        return diag_error(&r->diags, at, NULL,
                          "mount target `%s` must be an absolute path in the container", target);
    }
    m->target = path_normalise(r->pool, target);
    if (strcmp(m->target, "/") == 0) {
        return diag_error(&r->diags, at, NULL, "nothing can be mounted over the root `/`");
    }
    return 0;
}

/* Sockets of container engines: a program that is given one expects to steer its own host. */
static bool is_engine_socket(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    return strcmp(base, "docker.sock") == 0 || strcmp(base, "podman.sock") == 0 ||
           strcmp(base, "containerd.sock") == 0;
}

/* Resolves a bind source inside the compose directory. There is no host behind a universe, so an
 * absolute path names nothing. */
static int set_bind(struct reader *r, struct compose_mount *m, const char *source, bool must_exist,
                    struct mark at)
{
    m->type = COMPOSE_MOUNT_BIND;
    if (is_engine_socket(source)) {
        return diag_error(&r->diags, at, NULL,
                          "bind mount of `%s` is refused: a universe has no container engine",
                          source);
    }
    if (source[0] == '/' || source[0] == '~') {
        m->source = pool_strdup(r->pool, source);
        m->empty_source = true;
        diag_warn(&r->diags, at,
                  "bind mount of `%s`: a universe has no host, so an empty directory takes its "
                  "place; put what the service needs beside the compose file",
                  source);
        return 0;
    }
    m->source = path_below(r->pool, source);
    if (!m->source) {
        return diag_error(&r->diags, at, "copy what it names beside the compose file",
                          "bind source `%s` lies outside the compose directory", source);
    }
    int rc = dir_check(r->dirfd, m->source);
    m->empty_source = rc != 0;
    if (rc == -ENOENT && !must_exist) {
        diag_warn(&r->diags, at,
                  "bind source `%s` does not exist; an empty directory takes its place", source);
        return 0;
    }
    return rc ? diag_error(&r->diags, at, NULL, "bind source `%s`: %s", source, strerror(-rc)) : 0;
}

static int set_volume(struct reader *r, struct compose_mount *m, const char *name, struct mark at)
{
    if (!valid_name(name)) {
        return diag_error(&r->diags, at, "a path must begin with `.` or `/`",
                          "`%s` is not the name of a volume", name);
    }
    m->type = COMPOSE_MOUNT_VOLUME;
    m->source = pool_strdup(r->pool, name);
    return 0;
}

static int set_short_options(struct reader *r, struct compose_mount *m, const char *options,
                             struct mark at)
{
    while (*options) {
        size_t n = strcspn(options, ",");
        const char *one = pool_strndup(r->pool, options, n);
        if (strcmp(one, "ro") == 0) {
            m->read_only = true;
        } else if (strcmp(one, "nocopy") == 0) {
            m->no_copy = true;
        } else if (strcmp(one, "rw") != 0 && strcmp(one, "z") != 0 && strcmp(one, "Z") != 0 &&
                   strcmp(one, "cached") != 0 && strcmp(one, "delegated") != 0 &&
                   strcmp(one, "consistent") != 0) {
            return diag_error(&r->diags, at, "options: ro, rw, nocopy, z, Z",
                              "unknown mount option `%s`", one);
        }
        options += n + (options[n] == ',');
    }
    return 0;
}

/* TARGET, SOURCE:TARGET or SOURCE:TARGET:OPTIONS. */
static int read_short(struct reader *r, struct compose_service *s, const struct ynode *item)
{
    const char *text = scalar_text(r, item);
    if (!text) {
        return -1;
    }
    struct compose_mount *m = add_mount(r, s, item->at);
    const char *colon = strchr(text, ':');
    if (!colon) {
        m->type = COMPOSE_MOUNT_ANONYMOUS;
        return set_target(r, m, text, item->at);
    }
    const char *source = pool_strndup(r->pool, text, (size_t)(colon - text));
    const char *rest = colon + 1;
    const char *second = strchr(rest, ':');
    const char *target = second ? pool_strndup(r->pool, rest, (size_t)(second - rest)) : rest;
    if (second && set_short_options(r, m, second + 1, item->at)) {
        return -1;
    }
    if (set_target(r, m, target, item->at)) {
        return -1;
    }
    bool path = source[0] == '.' || source[0] == '/' || source[0] == '~';
    return path ? set_bind(r, m, source, false, item->at) : set_volume(r, m, source, item->at);
}

struct long_mount {
    char *type, *source, *target, *subpath;
    bool read_only, create_host_path, no_copy;
    uint64_t size;
    uint32_t mode;
};

static int read_long_bind(struct reader *r, const struct key_rule *rule, void *field,
                          const struct ynode *v)
{
    static const char one_host[] = "mounts do not spread between namespaces in a universe";
    static const struct key_rule rules[] = {
        RULE("create_host_path", struct long_mount, create_host_path, read_bool),
        RULE_NO_EFFECT("propagation", one_host),
        RULE_NO_EFFECT("recursive", one_host),
        RULE_NO_EFFECT("selinux", "a universe has no SELinux"),
        {0},
    };
    return read_map(r, v, rules, field, "`bind`");
}

static int read_long_volume(struct reader *r, const struct key_rule *rule, void *field,
                            const struct ynode *v)
{
    static const struct key_rule rules[] = {
        RULE("nocopy", struct long_mount, no_copy, read_bool),
        RULE("subpath", struct long_mount, subpath, read_string),
        RULE_NO_EFFECT("labels", "nothing reads labels of a mount"),
        {0},
    };
    return read_map(r, v, rules, field, "`volume`");
}

static int read_long_tmpfs(struct reader *r, const struct key_rule *rule, void *field,
                           const struct ynode *v)
{
    static const struct key_rule rules[] = {
        RULE("size", struct long_mount, size, read_size),
        RULE("mode", struct long_mount, mode, read_mode),
        {0},
    };
    return read_map(r, v, rules, field, "`tmpfs`");
}

static const struct key_rule long_rules[] = {
    RULE("type", struct long_mount, type, read_string),
    RULE("source", struct long_mount, source, read_string),
    RULE("src", struct long_mount, source, read_string),
    RULE("target", struct long_mount, target, read_string),
    RULE("dst", struct long_mount, target, read_string),
    RULE("destination", struct long_mount, target, read_string),
    RULE("read_only", struct long_mount, read_only, read_bool),
    RULE("readonly", struct long_mount, read_only, read_bool),
    RULE_WHOLE("bind", read_long_bind),
    RULE_WHOLE("volume", read_long_volume),
    RULE_WHOLE("tmpfs", read_long_tmpfs),
    RULE_NO_EFFECT("consistency", "all mounts of a universe are consistent"),
    RULE_REFUSED("image", "mounts of images are not supported"),
    {0},
};

static int place_long(struct reader *r, struct compose_mount *m, const struct long_mount *l,
                      const struct ynode *item)
{
    if (strcmp(l->type, "tmpfs") == 0) {
        m->type = COMPOSE_MOUNT_TMPFS;
        return 0;
    }
    if (strcmp(l->type, "bind") == 0) {
        if (!l->source) {
            return diag_error(&r->diags, item->at, NULL, "a bind mount needs a `source`");
        }
        return set_bind(r, m, l->source, !l->create_host_path, item->at);
    }
    if (strcmp(l->type, "volume") == 0) {
        if (l->source) {
            return set_volume(r, m, l->source, item->at);
        }
        m->type = COMPOSE_MOUNT_ANONYMOUS;
        return 0;
    }
    return diag_error(&r->diags, item->at, "types: volume, bind, tmpfs",
                      "mount type `%s` is refused", l->type);
}

static int read_long(struct reader *r, struct compose_service *s, const struct ynode *item)
{
    struct long_mount l = {.mode = 01777, .create_host_path = true};
    if (read_map(r, item, long_rules, &l, "a mount")) {
        return -1;
    }
    if (!l.type || !l.target) {
        return diag_error(&r->diags, item->at, NULL, "a mount needs `%s`",
                          l.type ? "target" : "type");
    }
    struct compose_mount *m = add_mount(r, s, item->at);
    m->read_only = l.read_only;
    m->no_copy = l.no_copy;
    m->size = l.size;
    m->mode = l.mode;
    if (l.subpath) {
        m->subpath = path_below(r->pool, l.subpath);
        if (!m->subpath || l.subpath[0] == '/') {
            return diag_error(&r->diags, item->at, NULL,
                              "`subpath` must be a relative path inside the volume");
        }
    }
    return set_target(r, m, l.target, item->at) || place_long(r, m, &l, item) ? -1 : 0;
}

int read_volumes(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    struct compose_service *s = &((struct service_draft *)field)->s;
    if (expect_kind(r, v, YNODE_SEQ)) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < v->count; i++) {
        rc |= v->items[i]->kind == YNODE_MAP ? read_long(r, s, v->items[i])
                                             : read_short(r, s, v->items[i]);
    }
    return rc ? -1 : 0;
}

static int set_tmpfs_option(struct reader *r, struct compose_mount *m, const char *option,
                            struct mark at)
{
    static const char *const ignored[] = {"rw",  "noexec",  "exec",     "nosuid", "suid", "nodev",
                                          "dev", "noatime", "relatime", "sync",   "async"};
    const char *eq = strchr(option, '=');
    const char *value = eq ? eq + 1 : "";
    size_t n = eq ? (size_t)(eq - option) : strlen(option);
    int64_t id = 0;
    if (n == 4 && strncmp(option, "size", 4) == 0 && parse_size(value, &m->size) == 0) {
        return 0;
    }
    if (n == 4 && strncmp(option, "mode", 4) == 0 && parse_mode(value, &m->mode) == 0) {
        return 0;
    }
    if (n == 3 && strncmp(option, "uid", 3) == 0 &&
        parse_integer(value, 0, UINT32_MAX - 1, &id) == 0) {
        m->uid = (uint32_t)id;
        return 0;
    }
    if (n == 3 && strncmp(option, "gid", 3) == 0 &&
        parse_integer(value, 0, UINT32_MAX - 1, &id) == 0) {
        m->gid = (uint32_t)id;
        return 0;
    }
    if (strcmp(option, "ro") == 0) {
        m->read_only = true;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
        if (strcmp(option, ignored[i]) == 0) {
            return 0;
        }
    }
    return diag_error(&r->diags, at, "options: size=, mode=, uid=, gid=, ro",
                      "tmpfs option `%s` is not understood", option);
}

static int read_tmpfs_item(struct reader *r, struct compose_service *s, const struct ynode *item)
{
    const char *text = scalar_text(r, item);
    if (!text) {
        return -1;
    }
    struct compose_mount *m = add_mount(r, s, item->at);
    m->type = COMPOSE_MOUNT_TMPFS;
    size_t n = strcspn(text, ":");
    if (set_target(r, m, pool_strndup(r->pool, text, n), item->at)) {
        return -1;
    }
    for (const char *o = text + n + (text[n] == ':'); *o;) {
        size_t len = strcspn(o, ",");
        if (set_tmpfs_option(r, m, pool_strndup(r->pool, o, len), item->at)) {
            return -1;
        }
        o += len + (o[len] == ',');
    }
    return 0;
}

int read_tmpfs(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    struct compose_service *s = &((struct service_draft *)field)->s;
    if (v->kind == YNODE_SCALAR) {
        return read_tmpfs_item(r, s, v);
    }
    if (expect_kind(r, v, YNODE_SEQ)) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < v->count; i++) {
        rc |= read_tmpfs_item(r, s, v->items[i]);
    }
    return rc ? -1 : 0;
}
