/* Finds templates and their commands: /opt/antithesis/test/v1/TEMPLATE/COMMAND in every running
 * container; a template is the union over containers. helper_ files and sub-directories are left
 * alone; what else does not belong there is reported and left out. */
#include "abi/linux.h"
#include "base/str.h"
#include "director/composer_priv.h"
#include "director/container.h"
#include "director/report.h"
#include "kernel/alloc.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/vfs.h"

#define ROOT      "/opt/antithesis/test/v1"
#define PATH_SIZE (2 * LIMIT_NAME + 64)

static const char *const prefixes[COMMAND_KINDS] = {
    [COMMAND_FIRST] = "first_",          [COMMAND_PARALLEL] = "parallel_driver_",
    [COMMAND_SERIAL] = "serial_driver_", [COMMAND_SINGLETON] = "singleton_driver_",
    [COMMAND_ANYTIME] = "anytime_",      [COMMAND_EVENTUALLY] = "eventually_",
    [COMMAND_FINALLY] = "finally_",
};

struct finder {
    struct machine *m;
    struct composer *c;
    struct node *node;
    const char *template; /* while its directory is listed */
};

static struct template *template_get(struct finder *f, const char *name)
{
    struct composer *c = f->c;
    uint32_t at = 0;
    while (at < c->template_count) {
        int order =
            str_cmp(c->templates[at].name, str_len(c->templates[at].name), name, str_len(name));
        if (order == 0) {
            return &c->templates[at];
        }
        if (order > 0) {
            break;
        }
        at++;
    }
    if (c->template_count == c->template_cap) {
        c->template_cap = c->template_cap ? 2 * c->template_cap : 4;
        c->templates = krealloc(f->m, c->templates, c->template_cap * sizeof *c->templates);
    }
    memmove(&c->templates[at + 1], &c->templates[at],
            (c->template_count - at) * sizeof *c->templates);
    c->template_count++;
    c->templates[at] = (struct template){.name = kstrdup(f->m, name, str_len(name))};
    return &c->templates[at];
}

static bool may_execute(const struct node *n, const struct inode *i)
{
    const struct plan_node *pn = n->plan;
    if (pn->uid == 0) {
        return (i->mode & 0111) != 0;
    }
    if (pn->uid == i->uid) {
        return (i->mode & 0100) != 0;
    }
    bool in_group = pn->gid == i->gid;
    for (uint32_t g = 0; g < pn->groups.count; g++) {
        in_group |= *PLAN_AT(n->m->plan, pn->groups, uint32_t, g) == i->gid;
    }
    return (i->mode & (in_group ? 010 : 01)) != 0;
}

static void add_command(struct finder *f, const char *name, enum command_kind kind)
{
    struct template *t = template_get(f, f->template);
    if (t->count == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 8;
        t->commands = krealloc(f->m, t->commands, t->cap * sizeof *t->commands);
    }
    t->commands[t->count++] = (struct command){
        .name = kstrdup(f->m, name, str_len(name)), .node = f->node, .kind = kind, .weight = 1};
    t->kinds[kind]++;
    char path[2 * LIMIT_NAME + 2];
    str_format(path, sizeof path, "%s/%s", t->name, name);
    struct report r;
    report_open(&r, f->m);
    json_cstr(&r.json, "new_command_path", path);
    report_container(&r, f->node, "container_id", "container");
    report_send(&r, EVENT_COMPOSER, f->node, 0);
}

static enum command_kind kind_of(const char *name)
{
    for (unsigned k = 0; k < COMMAND_KINDS; k++) {
        if (str_starts(name, prefixes[k])) {
            return k;
        }
    }
    return COMMAND_KINDS;
}

/* Links are followed, as execve will. NULL and a reason when it cannot be a command. */
static const char *why_not(const struct finder *f, const char *path, const struct attr *a)
{
    struct file *file;
    uint32_t type = a->mode & ABI_S_IFMT;
    if (type != ABI_S_IFREG && type != ABI_S_IFLNK) {
        return "is not a file";
    }
    if (vfs_node_open(f->node, path, O_RDONLY, 0, &file)) {
        return "cannot be opened";
    }
    const struct inode *i = file->inode;
    const char *why = (i->mode & ABI_S_IFMT) != ABI_S_IFREG ? "is not a file"
                      : may_execute(f->node, i)             ? NULL
                                                : "is not executable for the container's user";
    file_put(file);
    return why;
}

static void see_entry(void *ctx, const char *name, const struct attr *a)
{
    struct finder *f = ctx;
    if (str_starts(name, "helper_") || (a->mode & ABI_S_IFMT) == ABI_S_IFDIR) {
        return;
    }
    char path[PATH_SIZE];
    str_format(path, sizeof path, ROOT "/%s/%s", f->template, name);
    enum command_kind kind = kind_of(name);
    const char *why =
        kind == COMMAND_KINDS ? "is not named like a test command" : why_not(f, path, a);
    if (why) {
        report_message(f->m, f->node, "%s in container '%s' %s and is left out", path,
                       f->node->name, why);
    } else {
        add_command(f, name, kind);
    }
}

static void see_template(void *ctx, const char *name, const struct attr *a)
{
    struct finder *f = ctx;
    if (str_starts(name, "helper_")) {
        return;
    }
    char path[PATH_SIZE];
    str_format(path, sizeof path, ROOT "/%s", name);
    f->template = name;
    if (vfs_node_list(f->node, path, see_entry, f)) {
        report_message(f->m, f->node, "%s in container '%s' is not a directory and is left out",
                       path, f->node->name);
    }
}

void composer_find(struct machine *m, struct composer *c)
{
    for (uint32_t i = 0; i < m->node_count; i++) {
        struct finder f = {.m = m, .c = c, .node = m->nodes[i]};
        if (m->nodes[i]->container->state == CONTAINER_UP) {
            vfs_node_list(m->nodes[i], ROOT, see_template, &f); /* -ENOENT: it has none */
        }
    }
}
