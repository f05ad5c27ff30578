/* Users of an image (passwd(5), group(5)), by the rules of Docker's USER. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "image/image.h"

#define TABLE_MAX (16u << 20)
#define ID_MAX    0x7fffffffu

struct passwd_row {
    char *fields[7];
    size_t count;
};

/* Splits one line at colons, in place. */
static void split(char *line, struct passwd_row *row)
{
    row->count = 0;
    while (line && row->count < ARRAY_LEN(row->fields)) {
        row->fields[row->count++] = strsep(&line, ":");
    }
}

static bool parse_id(const char *s, uint32_t *id)
{
    char *end;
    if (!*s || strspn(s, "0123456789") != strlen(s)) {
        return false;
    }
    errno = 0;
    unsigned long v = strtoul(s, &end, 10);
    if (errno || v > ID_MAX) {
        return false;
    }
    *id = (uint32_t)v;
    return true;
}

/* Calls `row` for each line until it returns true. */
static int each_row(const struct image *image, const char *path,
                    bool (*row)(void *, const struct passwd_row *), void *closure, struct err *err)
{
    cleanup_buf struct buf text = {0};
    int r = image_read_file(image, path, TABLE_MAX, &text, err);
    if (r <= 0) {
        return r;
    }
    char *at = text.data;
    for (char *line; (line = strsep(&at, "\n"));) {
        struct passwd_row parsed;
        split(line, &parsed);
        if (parsed.count >= 3 && *parsed.fields[0] && row(closure, &parsed)) {
            break;
        }
    }
    return 0;
}

struct user_query {
    struct image_user *user;
    const char *who; /* name or number */
    char *name;      /* owned: of the matching row */
    bool found;
};

static bool match_user(void *closure, const struct passwd_row *row)
{
    struct user_query *q = closure;
    uint32_t uid, gid, wanted;
    if (row->count < 4 || !parse_id(row->fields[2], &uid) || !parse_id(row->fields[3], &gid)) {
        return false;
    }
    if (strcmp(row->fields[0], q->who) != 0 && !(parse_id(q->who, &wanted) && wanted == uid)) {
        return false;
    }
    q->found = true;
    q->name = mem_strdup(row->fields[0]);
    q->user->uid = uid;
    q->user->gid = gid;
    if (row->count > 5 && row->fields[5][0] == '/') {
        free(q->user->home);
        q->user->home = mem_strdup(row->fields[5]);
    }
    return true;
}

struct group_query {
    struct image_user *user;
    const char *who;    /* name or number of the group wanted, or NULL */
    const char *member; /* name of the user whose groups are collected, or NULL */
    bool found;
};

static bool has_member(char *list, const char *name)
{
    bool hit = false;
    for (char *one; (one = strsep(&list, ","));) {
        hit = hit || strcmp(one, name) == 0;
    }
    return hit;
}

static bool match_group(void *closure, const struct passwd_row *row)
{
    struct group_query *q = closure;
    uint32_t gid, wanted;
    if (!parse_id(row->fields[2], &gid)) {
        return false;
    }
    if (q->who) {
        q->found =
            strcmp(row->fields[0], q->who) == 0 || (parse_id(q->who, &wanted) && wanted == gid);
        if (q->found) {
            q->user->gid = gid;
        }
        return q->found;
    }
    if (row->count > 3 && has_member(row->fields[3], q->member)) {
        *ARRAY_PUSH(q->user->groups, q->user->group_count, q->user->group_cap) = gid;
    }
    return false;
}

static int compare_gid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Primary group first, then the others ascending and once each. */
static void settle_groups(struct image_user *user)
{
    uint32_t *all = user->groups;
    size_t count = user->group_count, kept = 0;
    if (count) {
        qsort(all, count, sizeof *all, compare_gid);
    }
    user->groups = NULL;
    user->group_count = user->group_cap = 0;
    *ARRAY_PUSH(user->groups, user->group_count, user->group_cap) = user->gid;
    for (size_t i = 0; i < count; i++) {
        if (all[i] != user->gid && (!kept || all[i] != all[i - 1])) {
            *ARRAY_PUSH(user->groups, user->group_count, user->group_cap) = all[i];
            kept++;
        }
    }
    free(all);
}

static int find_user(struct user_query *q, const struct image *image, struct err *err)
{
    if (each_row(image, "/etc/passwd", match_user, q, err) < 0) {
        return -1;
    }
    if (!q->found && !parse_id(q->who, &q->user->uid)) {
        err_set(err, ERR_USAGE, "user '%s' is not in the image's /etc/passwd", q->who);
        return err_hint(err, "use a number, or add the user to the image");
    }
    return 0;
}

static int find_group(struct image_user *user, const struct image *image, const char *group,
                      const char *member, struct err *err)
{
    struct group_query q = {.user = user, .who = group, .member = member};
    if (!group && !member) {
        return 0;
    }
    if (each_row(image, "/etc/group", match_group, &q, err) < 0) {
        return -1;
    }
    if (group && !q.found && !parse_id(group, &user->gid)) {
        err_set(err, ERR_USAGE, "group '%s' is not in the image's /etc/group", group);
        return err_hint(err, "use a number, or add the group to the image");
    }
    return 0;
}

int image_user_init(struct image_user *user, const struct image *image, const char *spec,
                    struct err *err)
{
    *user = (struct image_user){.home = mem_strdup("/")};
    cleanup_free char *copy = mem_strdup(spec);
    char *group = copy;
    char *who = strsep(&group, ":");
    struct user_query q = {.user = user, .who = *who ? who : "0"};
    group = group && *group ? group : NULL;
    int r = find_user(&q, image, err);
    r = r < 0 ? r : find_group(user, image, group, q.name, err);
    free(q.name);
    if (r < 0) {
        image_user_fini(user);
        return -1;
    }
    settle_groups(user);
    return 0;
}

void image_user_fini(struct image_user *user)
{
    free(user->groups);
    free(user->home);
    *user = (struct image_user){0};
}
