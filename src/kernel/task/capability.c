/* capget(2), capset(2) and the capability options of prctl(2). */
#include "kernel/task/cred_priv.h"

#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "abi/linux.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"

#define CAP_ALL ((1ull << (CAP_LAST + 1)) - 1)

/* Number of 32-bit words of each set for the header's version; an unknown version is answered with
 * the preferred one (capget(2)). */
static int words_of_version(struct task *t, uint64_t header, uint32_t version, unsigned *words)
{
    switch (version) {
    case _LINUX_CAPABILITY_VERSION_1:
        *words = _LINUX_CAPABILITY_U32S_1;
        return 0;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
        *words = _LINUX_CAPABILITY_U32S_3;
        return 0;
    default:
        if (user_write_u32(t, gaddr_of(header), _LINUX_CAPABILITY_VERSION_3)) {
            return -EFAULT;
        }
        return -EINVAL;
    }
}

struct sysret sys_capget(struct task *t, const struct sysargs *a)
{
    struct __user_cap_header_struct h;
    struct __user_cap_data_struct d[2] = {{0}};
    unsigned words;
    if (user_read(t, &h, gaddr_of(a->a[0]), sizeof h)) {
        return sys_done(-EFAULT);
    }
    int error = words_of_version(t, a->a[0], h.version, &words);
    if (error) {
        return sys_done(error == -EINVAL && !a->a[1] ? 0 : error);
    }
    if (h.pid < 0) {
        return sys_done(-EINVAL);
    }
    const struct task *of = h.pid ? task_find(t->node, h.pid) : t;
    if (!of) {
        return sys_done(-ESRCH);
    }
    const struct credentials *c = &of->cred;
    for (unsigned i = 0; i < 2; i++) {
        d[i].effective = (uint32_t)(c->cap_effective >> 32 * i);
        d[i].permitted = (uint32_t)(c->cap_permitted >> 32 * i);
        d[i].inheritable = (uint32_t)(c->cap_inheritable >> 32 * i);
    }
    if (!a->a[1]) {
        return sys_done(0);
    }
    return sys_done(user_write(t, gaddr_of(a->a[1]), d, words * sizeof d[0]));
}

struct sysret sys_capset(struct task *t, const struct sysargs *a)
{
    struct __user_cap_header_struct h;
    struct __user_cap_data_struct d[2] = {{0}};
    struct credentials *c = &t->cred;
    unsigned words;
    if (user_read_u32(t, &h.version, gaddr_of(a->a[0]))) {
        return sys_done(-EFAULT);
    }
    int error = words_of_version(t, a->a[0], h.version, &words);
    if (error) {
        return sys_done(error);
    }
    if (user_read(t, &h, gaddr_of(a->a[0]), sizeof h)) {
        return sys_done(-EFAULT);
    }
    if (h.pid != 0 && h.pid != t->tid) {
        return sys_done(-EPERM);
    }
    if (user_read(t, d, gaddr_of(a->a[1]), words * sizeof d[0])) {
        return sys_done(-EFAULT);
    }
    uint64_t effective = (d[0].effective | (uint64_t)d[1].effective << 32) & CAP_ALL;
    uint64_t permitted = (d[0].permitted | (uint64_t)d[1].permitted << 32) & CAP_ALL;
    uint64_t inheritable = (d[0].inheritable | (uint64_t)d[1].inheritable << 32) & CAP_ALL;
    bool may_inherit = task_capable(t, CAP_SETPCAP);
    if ((!may_inherit && inheritable & ~(c->cap_inheritable | c->cap_permitted)) ||
        inheritable & ~(c->cap_inheritable | c->cap_bounding) || permitted & ~c->cap_permitted ||
        effective & ~permitted) {
        return sys_done(-EPERM);
    }
    c->cap_effective = effective;
    c->cap_permitted = permitted;
    c->cap_inheritable = inheritable;
    c->cap_ambient &= permitted & inheritable;
    return sys_done(0);
}

static int64_t ambient(struct credentials *c, const struct sysargs *a)
{
    uint64_t op = a->a[1], cap = a->a[2];
    if (op == PR_CAP_AMBIENT_CLEAR_ALL) {
        if (a->a[2] | a->a[3] | a->a[4]) {
            return -EINVAL;
        }
        c->cap_ambient = 0;
        return 0;
    }
    if ((a->a[3] | a->a[4]) || cap > CAP_LAST) {
        return -EINVAL;
    }
    switch (op) {
    case PR_CAP_AMBIENT_IS_SET:
        return (c->cap_ambient & cap_bit(cap)) != 0;
    case PR_CAP_AMBIENT_RAISE:
        if (!(c->cap_permitted & c->cap_inheritable & cap_bit(cap)) ||
            (c->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)) {
            return -EPERM;
        }
        c->cap_ambient |= cap_bit(cap);
        return 0;
    case PR_CAP_AMBIENT_LOWER:
        c->cap_ambient &= ~cap_bit(cap);
        return 0;
    default:
        return -EINVAL;
    }
}

/* capabilities(7), "The securebits flags": locks hold for ever. */
static int64_t set_securebits(struct task *t, uint64_t bits)
{
    struct credentials *c = &t->cred;
    uint64_t locked = c->securebits & SECURE_ALL_LOCKS;
    uint64_t changed = c->securebits ^ bits;
    if ((((locked >> 1) & changed) || (locked & ~bits)) ||
        (bits & ~(uint64_t)(SECURE_ALL_LOCKS | SECURE_ALL_BITS)) || !task_capable(t, CAP_SETPCAP)) {
        return -EPERM;
    }
    c->securebits = (uint32_t)bits;
    c->keep_caps = bits & SECBIT_KEEP_CAPS;
    return 0;
}

struct sysret cap_prctl(struct task *t, const struct sysargs *a)
{
    struct credentials *c = &t->cred;
    uint64_t cap = a->a[1];
    switch (a->a[0]) {
    case PR_CAPBSET_READ:
        return sys_done(cap > CAP_LAST ? -EINVAL : (c->cap_bounding & cap_bit(cap)) != 0);
    case PR_CAPBSET_DROP:
        if (!task_capable(t, CAP_SETPCAP)) {
            return sys_done(-EPERM);
        }
        if (cap > CAP_LAST) {
            return sys_done(-EINVAL);
        }
        c->cap_bounding &= ~cap_bit(cap);
        return sys_done(0);
    case PR_CAP_AMBIENT:
        return sys_done(ambient(c, a));
    case PR_GET_SECUREBITS:
        return sys_done(c->securebits);
    case PR_SET_SECUREBITS:
        return sys_done(set_securebits(t, cap));
    case PR_GET_KEEPCAPS:
        return sys_done(c->keep_caps);
    case PR_SET_KEEPCAPS:
        if (cap > 1) {
            return sys_done(-EINVAL);
        }
        if (c->securebits & SECBIT_KEEP_CAPS_LOCKED) {
            return sys_done(-EPERM);
        }
        c->keep_caps = cap;
        c->securebits =
            (c->securebits & ~(uint32_t)SECBIT_KEEP_CAPS) | (cap ? (uint32_t)SECBIT_KEEP_CAPS : 0);
        return sys_done(0);
    default:
        return sys_done(-EINVAL);
    }
}
