#include "runner/exec_plan.h"

#include <stdlib.h>

#include "abi/layout.h"
#include "base/mem.h"
#include "image/hostimport.h"
#include "image/image.h"
#include "runner/plan_builder.h"

#define IMPORT_RESERVE (256ul << 30) /* address space for the growing import file */

/* 2026-01-01T00:00:00Z: every universe begins here. */
#define REALTIME_START_NS 1767225600000000000ll

/* Computing between calls costs no virtual time, so a call stands for it: real servers and scripts
 * spend 5 to 30 us of processor time a call (etcd 8, a Python import 30). With less, a universe
 * packs more work into a virtual second than any real machine could do. */
#define CALL_COST_NS 5000

static const char *const default_env[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
    "TERM=dumb",
};

void plan_set_defaults(struct plan *p, uint64_t seed)
{
    p->seed = seed;
    p->realtime_start_ns = REALTIME_START_NS;
    p->call_cost_ns = CALL_COST_NS;
    p->clock_cost_ns = 50;
    p->memory_bytes = 8ul << 30;
    p->cpus = 2;
}

static uint32_t add_image_files(struct plan_builder *b, const struct image *image,
                                struct plan_list *data_files)
{
    uint32_t index = plan_add_file(b, image->index_fd, false, image->index_len, 0);
    const struct pack_header *h = image_header(image);
    const struct pack_data *data =
        (const struct pack_data *)(const void *)((const char *)image->index + h->data_off);
    uint32_t *list = mem_zalloc((image->data_count + 1) * sizeof *list);
    for (size_t i = 0; i < image->data_count; i++) {
        list[i] = plan_add_file(b, image->data_fds[i], true, data[i].pages * PAGE_SIZE, 0);
    }
    *data_files = plan_put_list(b, list, image->data_count, sizeof *list);
    free(list);
    return index;
}

struct plan_image plan_image_of(struct plan_builder *b, const struct image *image, const char *name)
{
    struct plan_image pi = {.name = plan_put_str(b, name)};
    pi.index_file = add_image_files(b, image, &pi.data_files);
    return pi;
}

static struct plan_image host_root(struct plan_builder *b, const struct hostimport *import)
{
    uint32_t data = plan_add_file(b, hostimport_data_fd(import), true, 0, IMPORT_RESERVE);
    struct plan_image pi = {.name = plan_put_str(b, "host"), .index_file = PLAN_NONE};
    pi.data_files = plan_put_list(b, &data, 1, sizeof data);
    return pi;
}

static bool same_variable(const char *a, const char *b)
{
    while (*a && *a == *b && *a != '=') {
        a++;
        b++;
    }
    return *a == '=' && *b == '=';
}

/* Later entries replace earlier ones of the same name. */
static void merge_env(char ***env, size_t *count, size_t *cap, const char *entry)
{
    for (size_t i = 0; i < *count; i++) {
        if (same_variable((*env)[i], entry)) {
            (*env)[i] = (char *)(uintptr_t)entry;
            return;
        }
    }
    *ARRAY_PUSH(*env, *count, *cap) = (char *)(uintptr_t)entry;
}

static struct plan_list environment(struct plan_builder *b, const struct exec_request *r)
{
    char **env = NULL;
    size_t count = 0, cap = 0;
    for (size_t i = 0; i < ARRAY_LEN(default_env); i++) {
        merge_env(&env, &count, &cap, default_env[i]);
    }
    for (size_t i = 0; r->image && i < r->image->config.env.count; i++) {
        merge_env(&env, &count, &cap, r->image->config.env.items[i]);
    }
    for (char *const *e = r->env; e && *e; e++) {
        merge_env(&env, &count, &cap, *e);
    }
    struct plan_list list = plan_put_strs(b, env, count);
    free(env);
    return list;
}

static size_t count_strings(char *const *v)
{
    size_t n = 0;
    while (v[n]) {
        n++;
    }
    return n;
}

static int fill_user(struct plan_builder *b, const struct exec_request *r, struct plan_node *n,
                     struct err *err)
{
    struct image_user user = {0};
    if (!r->image) {
        return 0;
    }
    if (image_user_init(&user, r->image, r->image->config.user, err)) {
        return -1;
    }
    n->uid = user.uid;
    n->gid = user.gid;
    n->groups = plan_put_list(b, user.groups, user.group_count, sizeof *user.groups);
    image_user_fini(&user);
    return 0;
}

int exec_plan_build(struct plan_builder *b, const struct exec_request *r, struct err *err)
{
    plan_set_defaults(plan_head(b), r->seed);
    struct plan_image image =
        r->image ? plan_image_of(b, r->image, "image") : host_root(b, r->import);
    struct plan_node node = {.name = plan_put_str(b, "exec"),
                             .hostname = plan_put_str(b, "everett")};
    node.service = node.name;
    node.argv = plan_put_strs(b, r->argv, count_strings(r->argv));
    node.env = environment(b, r);
    const char *cwd = r->cwd                                 ? r->cwd
                      : r->image && r->image->config.workdir ? r->image->config.workdir
                                                             : "/";
    node.cwd = plan_put_str(b, cwd);
    node.shm_bytes = 64ul << 20;
    node.capabilities = PLAN_CAPABILITIES;
    if (fill_user(b, r, &node, err)) {
        return -1;
    }
    struct plan_list images = plan_put_list(b, &image, 1, sizeof image);
    struct plan_list nodes = plan_put_list(b, &node, 1, sizeof node);
    struct plan *p = plan_head(b);
    p->images = images;
    p->nodes = nodes;
    p->is_exec = 1;
    p->duration_ns = r->duration_ns;
    p->strace = r->strace;
    p->strict = r->strict;
    p->no_patch = r->no_patch;
    p->preempt_mean_calls = r->preempt_mean_calls;
    plan_finish(b);
    return 0;
}
