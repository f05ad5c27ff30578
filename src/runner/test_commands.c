#include "runner/test_commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "compose/compose.h"
#include "image/image.h"
#include "runner/system_images.h"

#define HEAD_BYTES 256 /* BINPRM_BUF_SIZE of Linux: what execve looks at */

static const char *const prefixes[] = {
    "first_",   "parallel_driver_", "serial_driver_", "singleton_driver_",
    "anytime_", "eventually_",      "finally_"};

/* One template directory of one image. */
struct scan {
    struct test_commands *out;
    const struct image *image;
    const struct compose_service *service;
    const char *container;
    const char *template;
};

static void finding(struct scan *s, bool is_problem, const char *hint, const char *fmt, ...)
    printf_like(4, 5);

static void finding(struct scan *s, bool is_problem, const char *hint, const char *fmt, ...)
{
    struct buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    char *text = mem_vprintf(fmt, ap);
    va_end(ap);
    buf_printf(&b, "service %s: %s", s->service->name, text);
    free(text);
    struct test_finding *f =
        ARRAY_PUSH(s->out->findings, s->out->finding_count, s->out->finding_cap);
    f->is_problem = is_problem;
    f->text = buf_steal(&b);
    f->hint = hint ? mem_strdup(hint) : NULL;
}

/* --- whether execve would take it ------------------------------------------------------------- */

static ssize_t read_head(const struct image *image, const struct pack_inode *inode,
                         char head[HEAD_BYTES + 1])
{
    size_t want = (size_t)min_u64(inode->size, HEAD_BYTES);
    ssize_t n = want == 0 ? 0
                          : pread(image->data_fds[inode->reg.data], head, want,
                                  (off_t)(inode->reg.page * PACK_PAGE));
    head[n > 0 ? n : 0] = 0;
    return n;
}

static bool is_executable(const struct image *image, const char *path)
{
    uint32_t ino = image_lookup(image, path, true);
    const struct pack_inode *i = ino ? image_inode(image, ino) : NULL;
    return i && S_ISREG(i->mode) && (i->mode & 0111);
}

static const char *path_of(const struct scan *s)
{
    for (size_t i = 0; i < s->service->environment.n; i++) {
        const struct compose_pair *p = &s->service->environment.v[i];
        if (strcmp(p->name, "PATH") == 0 && p->value) {
            return p->value;
        }
    }
    for (size_t i = 0; i < s->image->config.env.count; i++) {
        if (strncmp(s->image->config.env.items[i], "PATH=", 5) == 0) {
            return s->image->config.env.items[i] + 5;
        }
    }
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static bool is_on_path(const struct scan *s, const char *name)
{
    if (strchr(name, '/')) {
        return is_executable(s->image, name);
    }
    cleanup_free char *dirs = mem_strdup(path_of(s));
    for (char *save = NULL, *d = strtok_r(dirs, ":", &save); d; d = strtok_r(NULL, ":", &save)) {
        cleanup_buf struct buf full = {0};
        buf_printf(&full, "%s/%s", d, name);
        if (is_executable(s->image, full.data)) {
            return true;
        }
    }
    return false;
}

/* "#!/usr/bin/env [-S] python3": the interpreter, and what env would look for. */
static void check_shebang(struct scan *s, const char *path, char *head)
{
    head[strcspn(head, "\n")] = 0;
    char *save = NULL, *program = strtok_r(head + 2, " \t\r", &save);
    if (!program) {
        finding(s, true, "write the interpreter behind #!",
                "%s: its first line names no interpreter", path);
        return;
    }
    if (!is_executable(s->image, program)) {
        finding(s, true, "install it in the image, or correct the first line of the command",
                "%s: interpreter %s is not in image %s", path, program, s->service->image);
        return;
    }
    const char *base = strrchr(program, '/');
    if (!base || strcmp(base, "/env") != 0) {
        return;
    }
    const char *word = strtok_r(NULL, " \t\r", &save);
    while (word && (word[0] == '-' || strchr(word, '='))) {
        word = strtok_r(NULL, " \t\r", &save);
    }
    if (word && !is_on_path(s, word)) {
        finding(s, true, "install it in the image, or name its full path",
                "%s: `env` finds no %s in image %s", path, word, s->service->image);
    }
}

static void check_format(struct scan *s, const char *path, const struct pack_inode *inode)
{
    char head[HEAD_BYTES + 1] = {0};
    if (read_head(s->image, inode, head) < 0) {
        finding(s, true, NULL, "%s: cannot be read from the image store", path);
    } else if (strncmp(head, "#!", 2) == 0) {
        check_shebang(s, path, head);
    } else if (memcmp(head, "\177ELF", 4) != 0 || inode->size < 4) {
        finding(s, true, "begin it with a line such as #!/bin/sh",
                "%s: neither a script with #! nor an ELF program", path);
    }
}

/* --- walking ---------------------------------------------------------------------------------- */

static bool has_prefix(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_driver(const char *name)
{
    return strstr(name, "_driver_") || strncmp(name, "anytime_", 8) == 0;
}

static int compare(const char *template, const char *name, const struct test_command *c)
{
    int r = strcmp(template, c->template);
    return r ? r : strcmp(name, c->name);
}

static void add_command(struct scan *s, const char *name)
{
    struct test_commands *t = s->out;
    size_t at = 0;
    while (at < t->count && compare(s->template, name, &t->commands[at]) > 0) {
        at++;
    }
    if (at < t->count && compare(s->template, name, &t->commands[at]) == 0) {
        return;
    }
    (void)ARRAY_PUSH(t->commands, t->count, t->cap);
    memmove(&t->commands[at + 1], &t->commands[at], (t->count - 1 - at) * sizeof *t->commands);
    t->commands[at] =
        (struct test_command){mem_strdup(s->template), mem_strdup(name), mem_strdup(s->container)};
}

static void scan_command(struct scan *s, const char *name)
{
    cleanup_buf struct buf path = {0};
    buf_printf(&path, TEST_COMMANDS_DIR "/%s/%s", s->template, name);
    uint32_t ino = image_lookup(s->image, path.data, true);
    const struct pack_inode *inode = ino ? image_inode(s->image, ino) : NULL;
    if (strncmp(name, "helper_", 7) == 0 || (inode && S_ISDIR(inode->mode))) {
        return;
    }
    if (!has_prefix(name)) {
        finding(s, true,
                "begin its name with first_, parallel_driver_, serial_driver_, singleton_driver_, "
                "anytime_, eventually_, finally_ or helper_",
                "%s: not a test command by its name", path.data);
        return;
    }
    if (!inode || !S_ISREG(inode->mode)) {
        finding(s, true, NULL, "%s: %s", path.data,
                inode ? "not a regular file" : "a link that leads nowhere");
        return;
    }
    if (!(inode->mode & 0111)) {
        finding(s, true, "chmod +x it before the image is built", "%s: not executable", path.data);
    } else {
        check_format(s, path.data, inode);
    }
    add_command(s, name);
}

static void scan_template(struct scan *s, const struct pack_inode *dir)
{
    const struct pack_dirent *d = image_dirents(s->image, dir);
    for (uint32_t i = 0; i < dir->dir.count; i++) {
        scan_command(s, image_string(s->image, d[i].name_off));
    }
}

static void scan_image(struct scan *s)
{
    uint32_t ino = image_lookup(s->image, TEST_COMMANDS_DIR, true);
    const struct pack_inode *root = ino ? image_inode(s->image, ino) : NULL;
    if (!root || !S_ISDIR(root->mode)) {
        return;
    }
    const struct pack_dirent *d = image_dirents(s->image, root);
    for (uint32_t i = 0; i < root->dir.count; i++) {
        cleanup_buf struct buf path = {0};
        s->template = image_string(s->image, d[i].name_off);
        buf_printf(&path, TEST_COMMANDS_DIR "/%s", s->template);
        uint32_t at = image_lookup(s->image, path.data, true);
        const struct pack_inode *inode = at ? image_inode(s->image, at) : NULL;
        if (inode && S_ISDIR(inode->mode)) {
            scan_template(s, inode);
        } else {
            finding(s, true, "put it into a directory, which is then a template",
                    "%s: commands lie in a template, not beside it", path.data);
        }
    }
}

static bool seen_before(const struct compose_project *p, size_t container)
{
    const char *ref = p->services[p->containers[container].service].image;
    for (size_t i = 0; i < container; i++) {
        if (strcmp(p->services[p->containers[i].service].image, ref) == 0) {
            return true;
        }
    }
    return false;
}

static bool template_has_driver(const struct test_commands *t, const char *template)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->commands[i].template, template) == 0 && is_driver(t->commands[i].name)) {
            return true;
        }
    }
    return false;
}

/* A template is the union over all containers, so this waits until all were seen. */
static void check_templates(struct test_commands *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const char *template = t->commands[i].template;
        bool first = i == 0 || strcmp(t->commands[i - 1].template, template) != 0;
        if (first && !template_has_driver(t, template)) {
            struct buf b = {0};
            struct test_finding *f = ARRAY_PUSH(t->findings, t->finding_count, t->finding_cap);
            buf_printf(&b, "template %s has no driver and no anytime_ command", template);
            f->is_problem = true;
            f->text = buf_steal(&b);
            f->hint = mem_strdup("add a parallel_driver_, serial_driver_, singleton_driver_ or "
                                 "anytime_ command");
        }
    }
}

void test_commands_find(struct test_commands *t, const struct compose_project *project,
                        const struct system_images *images)
{
    *t = (struct test_commands){0};
    for (size_t i = 0; i < project->container_count; i++) {
        const struct compose_service *service = &project->services[project->containers[i].service];
        size_t at = system_images_find(images, SYSTEM_IMAGE_STORED, service->image);
        if (at != SIZE_MAX && !seen_before(project, i)) {
            struct scan s = {.out = t,
                             .image = images->items[at].image,
                             .service = service,
                             .container = project->containers[i].name};
            scan_image(&s);
        }
    }
    check_templates(t);
}

void test_commands_fini(struct test_commands *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->commands[i].template);
        free(t->commands[i].name);
        free(t->commands[i].container);
    }
    for (size_t i = 0; i < t->finding_count; i++) {
        free(t->findings[i].text);
        free(t->findings[i].hint);
    }
    free(t->commands);
    free(t->findings);
    *t = (struct test_commands){0};
}

bool test_commands_has_template(const struct test_commands *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->commands[i].template, name) == 0) {
            return true;
        }
    }
    return false;
}
