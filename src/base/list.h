/* Doubly linked intrusive list. Order is insertion order, never address order. */
#ifndef EVERETT_BASE_LIST_H
#define EVERETT_BASE_LIST_H

#include "base/base.h"

struct list_head {
    struct list_head *next, *prev;
};

static inline void list_init(struct list_head *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_empty(const struct list_head *l)
{
    return l->next == l;
}

static inline void list_insert_between(struct list_head *n, struct list_head *prev,
                                       struct list_head *next)
{
    n->prev = prev;
    n->next = next;
    prev->next = n;
    next->prev = n;
}

static inline void list_add(struct list_head *head, struct list_head *n)
{
    list_insert_between(n, head, head->next);
}

static inline void list_add_tail(struct list_head *head, struct list_head *n)
{
    list_insert_between(n, head->prev, head);
}

/* Leaves `n` as an empty list of its own, so that deleting twice is harmless. */
static inline void list_del(struct list_head *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

#define list_entry(ptr, type, member)        container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)  list_entry((head)->prev, type, member)

#define list_for_each_entry(pos, head, member)                                                     \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member); &(pos)->member != (head);   \
         (pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

/* `tmp` holds the next entry, so the loop body may delete `pos`. */
#define list_for_each_entry_safe(pos, tmp, head, member)                                           \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member),                             \
        (tmp) = list_entry((pos)->member.next, __typeof__(*(pos)), member);                        \
         &(pos)->member != (head);                                                                 \
         (pos) = (tmp), (tmp) = list_entry((tmp)->member.next, __typeof__(*(tmp)), member))

#endif
