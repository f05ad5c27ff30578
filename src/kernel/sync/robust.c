/* Robust mutexes: at a thread's end the kernel walks the list the thread registered and marks what
 * it still holds (set_robust_list(2), Documentation/locking/robust-futex-ABI.rst). The list is
 * guest memory: every read may fail and every count is bounded. */
#include "kernel/sync/futex_priv.h"

#include <linux/futex.h>

#include "kernel/mm/usercopy.h"

struct abi_robust_head {
    uint64_t next;
    int64_t futex_offset;
    uint64_t op_pending;
};

_Static_assert(sizeof(struct abi_robust_head) == 24, "robust_list_head layout");

#define ENTRY_PI 1u

/* One lock of the dying thread. False: the list makes no sense, stop. */
static bool mark_dead(struct task *t, uint64_t addr, bool pi, bool pending)
{
    uint32_t word;
    if ((addr & 3) || user_read_u32(t, &word, gaddr_of(addr))) {
        return false;
    }
    uint32_t owner = word & FUTEX_TID_MASK;
    if (pending && !pi && owner == 0) {
        /* It died between releasing the lock and waking a waiter. */
        (void)futex_wake_addr(t, addr, 1);
        return true;
    }
    if (owner != (uint32_t)t->tid) {
        return true;
    }
    uint32_t dead = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    if (user_write_u32(t, gaddr_of(addr), dead)) {
        return false;
    }
    if (!pi && (word & FUTEX_WAITERS)) {
        (void)futex_wake_addr(t, addr, 1);
    }
    return true;
}

static void walk(struct task *t, uint64_t head_addr)
{
    struct abi_robust_head head;
    if (user_read(t, &head, gaddr_of(head_addr), sizeof head)) {
        return;
    }
    uint64_t entry = head.next;
    uint64_t pending = head.op_pending & ~(uint64_t)ENTRY_PI;
    for (uint32_t i = 0; i < ROBUST_LIST_LIMIT; i++) {
        uint64_t here = entry & ~(uint64_t)ENTRY_PI;
        uint64_t next;
        if (here == head_addr) {
            break;
        }
        /* Before the lock is given away: its new owner may free the memory. */
        bool more = user_read_u64(t, &next, gaddr_of(here)) == 0;
        if (here != pending &&
            !mark_dead(t, here + (uint64_t)head.futex_offset, entry & ENTRY_PI, false)) {
            return;
        }
        if (!more) {
            return;
        }
        entry = next;
    }
    if (pending) {
        (void)mark_dead(t, pending + (uint64_t)head.futex_offset, head.op_pending & ENTRY_PI, true);
    }
}

void futex_exit_robust(struct task *t)
{
    uint64_t head = t->robust_list;
    t->robust_list = 0;
    if (head) {
        walk(t, head);
    }
    futex_pi_owner_died(t);
}
