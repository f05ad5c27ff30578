#include <stdio.h>
#include <string.h>

#include "server/auth/auth_priv.h"

static size_t find(const struct lockout *l, const char *name, const char *peer)
{
    for (size_t i = 0; i < LOCKOUT_PAIRS; i++) {
        const struct lockout_pair *p = &l->pairs[i];
        if (p->recent_s && strcmp(p->name, name) == 0 && strcmp(p->peer, peer) == 0) {
            return i;
        }
    }
    return LOCKOUT_PAIRS;
}

unsigned lockout_check(const struct lockout *l, const char *name, const char *peer, uint64_t now_s)
{
    size_t i = find(l, name, peer);
    return i < LOCKOUT_PAIRS && l->pairs[i].until_s > now_s
               ? (unsigned)(l->pairs[i].until_s - now_s)
               : 0;
}

static size_t least_recent(const struct lockout *l)
{
    size_t best = 0;
    for (size_t i = 1; i < LOCKOUT_PAIRS; i++) {
        if (l->pairs[i].recent_s < l->pairs[best].recent_s) {
            best = i;
        }
    }
    return best;
}

bool lockout_wrong(struct lockout *l, const char *name, const char *peer, uint64_t now_s)
{
    size_t i = find(l, name, peer);
    if (i == LOCKOUT_PAIRS) {
        i = least_recent(l);
        l->pairs[i] = (struct lockout_pair){.since_s = now_s};
        snprintf(l->pairs[i].name, sizeof l->pairs[i].name, "%s", name);
        snprintf(l->pairs[i].peer, sizeof l->pairs[i].peer, "%s", peer);
    }
    struct lockout_pair *p = &l->pairs[i];
    if (now_s - p->since_s > LOCKOUT_WINDOW_S) {
        p->wrong = 0;
        p->since_s = now_s;
    }
    p->recent_s = now_s + 1; /* never 0 */
    p->wrong++;
    if (p->wrong < LOCKOUT_WRONG) {
        return false;
    }
    p->until_s = now_s + LOCKOUT_WINDOW_S;
    p->wrong = 0;
    p->since_s = now_s;
    return true;
}

void lockout_right(struct lockout *l, const char *name, const char *peer)
{
    size_t i = find(l, name, peer);
    if (i < LOCKOUT_PAIRS) {
        l->pairs[i].recent_s = 0;
    }
}
