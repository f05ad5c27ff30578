/* User and group ids and capabilities (credentials(7), capabilities(7)). Each thread has its own,
 * as in Linux; libc makes a process agree with itself. */
#include "kernel/task/cred.h"

#include <linux/capability.h>
#include <linux/securebits.h>

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/cred_priv.h"
#include "kernel/task/task.h"

#define CAP_ALL ((1ull << (CAP_LAST + 1)) - 1)
#define CAP_FS_SET                                                                                 \
    (1ull << CAP_CHOWN | 1ull << CAP_MKNOD | 1ull << CAP_DAC_OVERRIDE |                            \
     1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_FOWNER | 1ull << CAP_FSETID |                       \
     1ull << CAP_LINUX_IMMUTABLE | 1ull << CAP_MAC_OVERRIDE)
#define NGROUPS_MAX_ 65536u

static void set_groups(struct machine *m, struct credentials *c, const uint32_t *groups, uint32_t n)
{
    uint32_t *copy = NULL;
    if (n) {
        copy = kalloc(m, n * sizeof *copy);
        memcpy(copy, groups, n * sizeof *copy);
    }
    kfree(m, c->groups);
    c->groups = copy;
    c->ngroups = n;
}

void cred_init(struct machine *m, struct credentials *c, uint32_t uid, uint32_t gid,
               const uint32_t *groups, uint32_t ngroups)
{
    *c = (struct credentials){.uid = uid,
                              .euid = uid,
                              .suid = uid,
                              .fsuid = uid,
                              .gid = gid,
                              .egid = gid,
                              .sgid = gid,
                              .fsgid = gid};
    set_groups(m, c, groups, ngroups);
}

void cred_grant(struct credentials *c, const struct plan_node *plan)
{
    c->cap_bounding = plan->capabilities;
    if (c->uid == 0) {
        c->cap_effective = c->cap_permitted = plan->capabilities;
    }
    c->no_new_privs = plan->no_new_privs != 0;
}

void cred_copy(struct machine *m, struct credentials *dst, const struct credentials *src)
{
    const uint32_t *groups = src->groups;
    *dst = *src;
    dst->groups = NULL;
    set_groups(m, dst, groups, src->ngroups);
}

void cred_fini(struct machine *m, struct credentials *c)
{
    kfree(m, c->groups);
    c->groups = NULL;
    c->ngroups = 0;
}

bool cred_in_group(const struct credentials *c, uint32_t gid)
{
    if (c->fsgid == gid) {
        return true;
    }
    for (uint32_t i = 0; i < c->ngroups; i++) {
        if (c->groups[i] == gid) {
            return true;
        }
    }
    return false;
}

bool cred_exec(struct task *t, uint32_t euid, uint32_t egid)
{
    struct credentials *c = &t->cred;
    bool set_id = !c->no_new_privs && (euid != c->euid || egid != c->egid);
    uint64_t permitted = 0, effective = 0;
    if (!c->no_new_privs) {
        c->euid = euid;
        c->egid = egid;
    }
    if (set_id) {
        c->cap_ambient = 0;
    }
    if (!(c->securebits & SECBIT_NOROOT) && (c->euid == 0 || c->uid == 0)) {
        permitted = c->cap_inheritable | c->cap_bounding;
        effective = c->euid == 0 ? permitted : 0;
    }
    c->cap_permitted = permitted | c->cap_ambient;
    c->cap_effective = effective | c->cap_ambient;
    c->suid = c->fsuid = c->euid;
    c->sgid = c->fsgid = c->egid;
    c->keep_caps = false;
    c->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
    return set_id || c->uid != c->euid || c->gid != c->egid;
}

/* Capabilities follow changes between root and others (capabilities(7), "Effect of user ID changes
 * on capabilities"). */
static void fixup_caps(struct credentials *c, const struct credentials *old)
{
    bool had_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
    bool has_root = c->uid == 0 || c->euid == 0 || c->suid == 0;
    if (c->securebits & SECBIT_NO_SETUID_FIXUP) {
        return;
    }
    if (had_root && !has_root) {
        if (!c->keep_caps) {
            c->cap_permitted = 0;
            c->cap_effective = 0;
        }
        c->cap_ambient = 0;
    }
    if (old->euid == 0 && c->euid != 0) {
        c->cap_effective = 0;
    }
    if (old->euid != 0 && c->euid == 0) {
        c->cap_effective = c->cap_permitted;
    }
}

/* --- user ids
 * ---------------------------------------------------------------------------------------- */

struct sysret sys_setuid(struct task *t, const struct sysargs *a)
{
    struct credentials *c = &t->cred, old = t->cred;
    uint32_t uid = (uint32_t)a->a[0];
    if (uid == UINT32_MAX) {
        return sys_done(-EINVAL);
    }
    if (task_capable(t, CAP_SETUID)) {
        c->uid = c->suid = uid;
    } else if (uid != c->uid && uid != c->suid) {
        return sys_done(-EPERM);
    }
    c->euid = c->fsuid = uid;
    fixup_caps(c, &old);
    return sys_done(0);
}

struct sysret sys_setgid(struct task *t, const struct sysargs *a)
{
    struct credentials *c = &t->cred;
    uint32_t gid = (uint32_t)a->a[0];
    if (gid == UINT32_MAX) {
        return sys_done(-EINVAL);
    }
    if (task_capable(t, CAP_SETGID)) {
        c->gid = c->sgid = gid;
    } else if (gid != c->gid && gid != c->sgid) {
        return sys_done(-EPERM);
    }
    c->egid = c->fsgid = gid;
    return sys_done(0);
}

static bool allowed(uint32_t wanted, uint32_t a, uint32_t b, uint32_t c)
{
    return wanted == UINT32_MAX || wanted == a || wanted == b || wanted == c;
}

struct sysret sys_setreuid(struct task *t, const struct sysargs *a)
{
    struct credentials *c = &t->cred, old = t->cred;
    uint32_t ruid = (uint32_t)a->a[0], euid = (uint32_t)a->a[1];
    if (!task_capable(t, CAP_SETUID) &&
        (!allowed(ruid, c->uid, c->euid, c->uid) || !allowed(euid, c->uid, c->euid, c->suid))) {
        return sys_done(-EPERM);
    }
    if (ruid != UINT32_MAX) {
        c->uid = ruid;
    }
    if (euid != UINT32_MAX) {
        c->euid = euid;
    }
    if (ruid != UINT32_MAX || (euid != UINT32_MAX && euid != old.uid)) {
        c->suid = c->euid;
    }
    c->fsuid = c->euid;
    fixup_caps(c, &old);
    return sys_done(0);
}

struct sysret sys_setregid(struct task *t, const struct sysargs *a)
{
    struct credentials *c = &t->cred, old = t->cred;
    uint32_t rgid = (uint32_t)a->a[0], egid = (uint32_t)a->a[1];
    if (!task_capable(t, CAP_SETGID) &&
        (!allowed(rgid, c->gid, c->egid, c->gid) || !allowed(egid, c->gid, c->egid, c->sgid))) {
        return sys_done(-EPERM);
    }
    if (rgid != UINT32_MAX) {
        c->gid = rgid;
    }
    if (egid != UINT32_MAX) {
        c->egid = egid;
    }
    if (rgid != UINT32_MAX || (egid != UINT32_MAX && egid != old.gid)) {
        c->sgid = c->egid;
    }
    c->fsgid = c->egid;
    return sys_done(0);
}

struct sysret sys_setresuid(struct task *t, const struct sysargs *a)
{
    struct credentials *c = &t->cred, old = t->cred;
    uint32_t id[3] = {(uint32_t)a->a[0], (uint32_t)a->a[1], (uint32_t)a->a[2]};
    for (unsigned i = 0; i < 3; i++) {
        if (!task_capable(t, CAP_SETUID) && !allowed(id[i], c->uid, c->euid, c->suid)) {
            return sys_done(-EPERM);
        }
    }
    c->uid = id[0] != UINT32_MAX ? id[0] : c->uid;
    c->euid = id[1] != UINT32_MAX ? id[1] : c->euid;
    c->suid = id[2] != UINT32_MAX ? id[2] : c->suid;
    c->fsuid = c->euid;
    fixup_caps(c, &old);
    return sys_done(0);
}

struct sysret sys_setresgid(struct task *t, const struct sysargs *a)
{
    struct credentials *c = &t->cred;
    uint32_t id[3] = {(uint32_t)a->a[0], (uint32_t)a->a[1], (uint32_t)a->a[2]};
    for (unsigned i = 0; i < 3; i++) {
        if (!task_capable(t, CAP_SETGID) && !allowed(id[i], c->gid, c->egid, c->sgid)) {
            return sys_done(-EPERM);
        }
    }
    c->gid = id[0] != UINT32_MAX ? id[0] : c->gid;
    c->egid = id[1] != UINT32_MAX ? id[1] : c->egid;
    c->sgid = id[2] != UINT32_MAX ? id[2] : c->sgid;
    c->fsgid = c->egid;
    return sys_done(0);
}

/* setfsuid(2): always answers the previous id, changed or not. */
struct sysret sys_setfsuid(struct task *t, const struct sysargs *a)
{
    struct credentials *c = &t->cred;
    uint32_t uid = (uint32_t)a->a[0], old = c->fsuid;
    if (uid != UINT32_MAX && (uid == c->uid || uid == c->euid || uid == c->suid || uid == old ||
                              task_capable(t, CAP_SETUID))) {
        c->fsuid = uid;
        if (!(c->securebits & SECBIT_NO_SETUID_FIXUP)) {
            if (old == 0 && uid != 0) {
                c->cap_effective &= ~CAP_FS_SET;
            } else if (old != 0 && uid == 0) {
                c->cap_effective |= c->cap_permitted & CAP_FS_SET;
            }
        }
    }
    return sys_done(old);
}

struct sysret sys_setfsgid(struct task *t, const struct sysargs *a)
{
    struct credentials *c = &t->cred;
    uint32_t gid = (uint32_t)a->a[0], old = c->fsgid;
    if (gid != UINT32_MAX && (gid == c->gid || gid == c->egid || gid == c->sgid || gid == old ||
                              task_capable(t, CAP_SETGID))) {
        c->fsgid = gid;
    }
    return sys_done(old);
}

static struct sysret write_three(struct task *t, const struct sysargs *a, uint32_t r, uint32_t e,
                                 uint32_t s)
{
    if (user_write_u32(t, gaddr_of(a->a[0]), r) || user_write_u32(t, gaddr_of(a->a[1]), e) ||
        user_write_u32(t, gaddr_of(a->a[2]), s)) {
        return sys_done(-EFAULT);
    }
    return sys_done(0);
}

struct sysret sys_getresuid(struct task *t, const struct sysargs *a)
{
    return write_three(t, a, t->cred.uid, t->cred.euid, t->cred.suid);
}

struct sysret sys_getresgid(struct task *t, const struct sysargs *a)
{
    return write_three(t, a, t->cred.gid, t->cred.egid, t->cred.sgid);
}

struct sysret sys_getuid(struct task *t, const struct sysargs *a)
{
    (void)a;
    return sys_done(t->cred.uid);
}

struct sysret sys_geteuid(struct task *t, const struct sysargs *a)
{
    (void)a;
    return sys_done(t->cred.euid);
}

struct sysret sys_getgid(struct task *t, const struct sysargs *a)
{
    (void)a;
    return sys_done(t->cred.gid);
}

struct sysret sys_getegid(struct task *t, const struct sysargs *a)
{
    (void)a;
    return sys_done(t->cred.egid);
}

/* --- groups
 * ------------------------------------------------------------------------------------------ */

struct sysret sys_getgroups(struct task *t, const struct sysargs *a)
{
    int size = (int)a->a[0];
    const struct credentials *c = &t->cred;
    if (size < 0) {
        return sys_done(-EINVAL);
    }
    if (size == 0) {
        return sys_done(c->ngroups);
    }
    if ((uint32_t)size < c->ngroups) {
        return sys_done(-EINVAL);
    }
    if (c->ngroups && user_write(t, gaddr_of(a->a[1]), c->groups, c->ngroups * sizeof *c->groups)) {
        return sys_done(-EFAULT);
    }
    return sys_done(c->ngroups);
}

/* Linux keeps the list sorted (groups_sort), which getgroups shows. */
static void sort_groups(uint32_t *g, uint32_t n)
{
    for (uint32_t gap = n / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < n; i++) {
            uint32_t v = g[i], j = i;
            for (; j >= gap && g[j - gap] > v; j -= gap) {
                g[j] = g[j - gap];
            }
            g[j] = v;
        }
    }
}

struct sysret sys_setgroups(struct task *t, const struct sysargs *a)
{
    struct credentials *c = &t->cred;
    if (!task_capable(t, CAP_SETGID)) {
        return sys_done(-EPERM);
    }
    if ((uint32_t)a->a[0] > NGROUPS_MAX_) {
        return sys_done(-EINVAL);
    }
    uint32_t n = (uint32_t)a->a[0];
    uint32_t *groups = kalloc(t->m, n ? n * sizeof *groups : sizeof *groups);
    if (n && user_read(t, groups, gaddr_of(a->a[1]), n * sizeof *groups)) {
        kfree(t->m, groups);
        return sys_done(-EFAULT);
    }
    sort_groups(groups, n);
    kfree(t->m, c->groups);
    c->groups = groups;
    c->ngroups = n;
    return sys_done(0);
}
