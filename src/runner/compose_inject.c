/* Files that appear in containers without being in an image: Everett's own, configs, secrets. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/guestcall.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "compose/paths.h"
#include "runner/compose_plan_priv.h"

static int read_host_file(const char *path, struct buf *out, struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        return err_errno(err, errno, "cannot read %s", path);
    }
    buf_reserve(out, (size_t)st.st_size + 1);
    for (;;) {
        char piece[65536];
        ssize_t n = read(fd, piece, sizeof piece);
        if (n == 0) {
            return 0;
        }
        if (n < 0) {
            return err_errno(err, errno, "cannot read %s", path);
        }
        buf_append(out, piece, (size_t)n);
    }
}

/* `content` moves in. */
static void add(struct injected *in, char *path, uint32_t mode, struct buf content)
{
    *ARRAY_PUSH(in->contents, in->content_count, in->content_cap) = content;
    struct image_pack_file *f = ARRAY_PUSH(in->files, in->count, in->cap);
    *f = (struct image_pack_file){path, mode, content.data ? content.data : "", content.len};
}

static int add_host_file(struct injected *in, const char *host, const char *path, struct err *err)
{
    struct buf content = {0};
    if (read_host_file(host, &content, err)) {
        buf_free(&content);
        return -1;
    }
    add(in, mem_strdup(path), 0755, content);
    return 0;
}

char *injected_file_path(const char *service, size_t n)
{
    struct buf b = {0};
    buf_printf(&b, "/files/%s/%zu", service, n);
    return buf_steal(&b);
}

static int add_service_files(struct composing *c, struct injected *in, int dirfd,
                             const struct compose_service *s)
{
    for (size_t i = 0; s->active && i < s->file_count; i++) {
        const struct compose_file *f = &s->files[i];
        struct buf content = {0};
        int r = 0;
        if (f->content) {
            buf_puts(&content, f->content);
        } else {
            r = dir_read(dirfd, f->path, &content);
        }
        if (r) {
            buf_free(&content);
            return err_set(c->err, ERR_USAGE, "service %s: file %s: %s", s->name, f->path,
                           strerror(-r));
        }
        if (f->uid || f->gid) {
            composing_warn(c, "service %s: file %s belongs to root inside (uid %u, gid %u asked)",
                           s->name, f->target, f->uid, f->gid);
        }
        add(in, injected_file_path(s->name, i), f->mode & 07777, content);
    }
    return 0;
}

static int collect(struct composing *c, struct injected *in)
{
    if (add_host_file(in, c->r->libvoidstar, GUEST_LIBVOIDSTAR, c->err) ||
        add_host_file(in, c->r->stop_faults, GUEST_STOP_FAULTS, c->err)) {
        return -1;
    }
    cleanup_close int dirfd = open(c->r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0) {
        return err_errno(c->err, errno, "cannot read the compose directory %s", c->r->dir);
    }
    for (size_t i = 0; i < c->p->service_count; i++) {
        if (add_service_files(c, in, dirfd, &c->p->services[i])) {
            return -1;
        }
    }
    return 0;
}

int composing_inject(struct composing *c)
{
    struct injected in = {0};
    int r = collect(c, &in);
    struct image *image = r ? NULL : image_pack_files(in.files, in.count, 0, c->err);
    if (image) {
        c->injected_image =
            system_images_add(&c->out->images, SYSTEM_IMAGE_INJECTED, "everett", image);
    }
    for (size_t i = 0; i < in.count; i++) {
        free((void *)(uintptr_t)in.files[i].path);
        buf_free(&in.contents[i]);
    }
    free(in.files);
    free(in.contents);
    return image ? 0 : -1;
}
