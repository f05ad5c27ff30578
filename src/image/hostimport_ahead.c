/* Answers given ahead, and what is remembered of a universe's questions for the next one that
 * starts the same program. Hints may be stale or wrong: each is asked of the host anew. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "image/hostimport_priv.h"

/* Hints are lines, the first one for the root; a directory comes before what is in it. Each is one
 * struct hint_line and a name without NUL. */
struct hint_line {
    uint32_t dir;  /* line of the directory */
    uint8_t asked; /* enum import_asked */
    uint8_t name_len;
};

#define KEY_MAX        4096u /* longer ones are not worth remembering */
#define HINT_LINES_MAX (IMPORT_AHEAD_SLOTS / 2)

/* --- giving ahead ------------------------------------------------------------------------------
 */

/* Puts the answer to `q` into the area, for a long listing or list of call sites all parts. */
static void give(struct hostimport *h, struct import_request *q, struct import_given given)
{
    do {
        hostimport_answer(h, q, h->scratch);
        given.at = import_ahead_put(h->ahead, q, h->scratch);
        if (!given.at) {
            return;
        }
        *ARRAY_PUSH(h->givens, h->given_count, h->given_cap) = given;
        q->cursor = h->scratch->cursor;
    } while (q->cursor);
}

static void give_of_node(struct hostimport *h, struct import_node *n, enum import_op op,
                         enum import_asked bit)
{
    struct import_request q = {.op = op, .ino = n->attr.ino};
    if (!((n->given | n->asked) & bit)) {
        n->given |= bit;
        give(h, &q, (struct import_given){.node = n, .bit = bit});
    }
}

static void give_name(struct hostimport *h, struct import_memo *m)
{
    struct import_request q = {.op = IMPORT_LOOKUP, .ino = m->dir};
    if (!m->given) {
        m->given = ASKED_NAME;
        q.name_len = (uint32_t)strlen(m->name);
        memcpy(q.name, m->name, q.name_len);
        give(h, &q, (struct import_given){.memo = m, .bit = ASKED_NAME});
    }
}

/* Contents that were copied before, of a file that has not changed since and that we may read. */
static bool have_data(struct hostimport *h, struct import_node *n)
{
    struct stat st = {.st_dev = n->dev,
                      .st_ino = n->host_ino,
                      .st_size = (off_t)n->attr.size,
                      .st_mtim = n->host_mtim,
                      .st_ctim = n->host_ctim};
    if (!n->copied && !n->data_result) {
        n->copied = faccessat(h->rootfd, n->path, R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0 &&
                    import_cache_find(h->cache, &st, &n->file);
    }
    return n->copied;
}

static void give_contents(struct hostimport *h, struct import_node *n)
{
    if (n->attr.size > 0 && have_data(h, n)) {
        give_of_node(h, n, IMPORT_DATA, ASKED_DATA);
    }
}

void hostimport_follow(struct hostimport *h, struct import_node *n)
{
    if (!h->ahead) {
        return;
    }
    if (S_ISLNK(n->attr.mode)) {
        give_of_node(h, n, IMPORT_READLINK, ASKED_LINK);
    } else if (S_ISREG(n->attr.mode)) {
        give_contents(h, n);
    }
}

/* --- hints -------------------------------------------------------------------------------------
 */

static void follow_hint(struct hostimport *h, struct import_node *n, uint8_t asked)
{
    if (asked & ASKED_LIST && S_ISDIR(n->attr.mode)) {
        give_of_node(h, n, IMPORT_READDIR, ASKED_LIST);
    }
    if (asked & ASKED_LINK && S_ISLNK(n->attr.mode)) {
        give_of_node(h, n, IMPORT_READLINK, ASKED_LINK);
    }
    if (asked & ASKED_DATA && S_ISREG(n->attr.mode)) {
        give_contents(h, n);
    }
}

/* The file of a line, or NULL. */
static struct import_node *take_line(struct hostimport *h, const struct hint_line *line,
                                     const char *name, struct import_node *dir)
{
    if (!dir || !S_ISDIR(dir->attr.mode) || !*name) {
        return NULL;
    }
    struct import_memo *m = hostimport_look(h, dir, -1, name);
    if (line->asked & ASKED_NAME) {
        give_name(h, m);
    }
    return m->node;
}

static void take_hints(struct hostimport *h)
{
    struct import_node **nodes = mem_zalloc(HINT_LINES_MAX * sizeof(struct import_node *));
    size_t at = 0;
    for (uint32_t i = 0; i < HINT_LINES_MAX; i++) {
        struct hint_line line;
        char name[IMPORT_NAME_MAX + 1] = "";
        if (h->hints.len - at < sizeof line) {
            break;
        }
        memcpy(&line, h->hints.data + at, sizeof line);
        at += sizeof line;
        if (h->hints.len - at < line.name_len || (i > 0 && line.dir >= i)) {
            break;
        }
        memcpy(name, h->hints.data + at, line.name_len);
        at += line.name_len;
        nodes[i] = i == 0 ? h->nodes[0] : take_line(h, &line, name, nodes[line.dir]);
        if (nodes[i]) {
            follow_hint(h, nodes[i], line.asked);
        }
    }
    free(nodes);
}

static uint8_t asked_of(const struct import_memo *m)
{
    bool first_name = m->node && m->node->memo == m;
    return (uint8_t)(m->asked | (first_name ? m->node->asked : 0));
}

/* Marks what must be told: what was asked about, and the directories that lead there. */
static void mark_lines(struct hostimport *h)
{
    for (size_t i = 0; i < h->memo_count; i++) {
        struct import_memo *m = h->memo_list[i];
        for (m = asked_of(m) ? m : NULL; m && !m->line;) {
            m->line = UINT32_MAX;
            m = (struct import_memo *)(uintptr_t)h->nodes[m->dir - 1]->memo;
        }
    }
}

static void put_line(struct buf *out, uint32_t dir, uint8_t asked, const char *name)
{
    struct hint_line line;
    memset(&line, 0, sizeof line);
    line.dir = dir;
    line.asked = asked;
    line.name_len = (uint8_t)strlen(name);
    buf_append(out, &line, sizeof line);
    buf_append(out, name, line.name_len);
}

static void make_hints(struct hostimport *h, struct buf *out)
{
    uint32_t count = 1;
    put_line(out, 0, h->nodes[0]->asked, "");
    mark_lines(h);
    for (size_t i = 0; i < h->memo_count && count < HINT_LINES_MAX; i++) {
        struct import_memo *m = h->memo_list[i];
        if (m->line) {
            const struct import_memo *dir = h->nodes[m->dir - 1]->memo;
            put_line(out, dir ? dir->line : 0, asked_of(m), m->name);
            m->line = count++;
        }
    }
}

void hostimport_expect(struct hostimport *h, const void *key, size_t key_len)
{
    buf_reset(&h->key);
    if (key_len <= KEY_MAX) {
        buf_append(&h->key, key, key_len);
    }
}

void hostimport_share(struct hostimport *h, void *area)
{
    struct import_request root = {.op = IMPORT_LOOKUP, .ino = IMPORT_ROOT_INO, .name_len = 1};
    h->ahead = mem_zalloc(sizeof *h->ahead);
    h->scratch = mem_zalloc(sizeof *h->scratch);
    import_ahead_init(h->ahead, area);
    root.name[0] = '.';
    give(h, &root, (struct import_given){.node = h->nodes[0]});
    if (h->key.len) {
        import_cache_recall(h->cache, &h->key, &h->hints);
        take_hints(h);
    }
}

void hostimport_unshare(struct hostimport *h)
{
    if (!h->ahead) {
        return;
    }
    for (size_t i = 0; i < h->given_count; i++) {
        const struct import_given *g = &h->givens[i];
        if (import_ahead_taken(h->ahead, g->at)) {
            uint8_t *asked = g->memo ? &g->memo->asked : &g->node->asked;
            *asked |= g->bit;
        }
    }
    h->given_count = 0;
    free(h->ahead);
    h->ahead = NULL;
    cleanup_buf struct buf hints = {0};
    if (h->key.len) {
        make_hints(h, &hints);
        if (hints.len != h->hints.len || memcmp(hints.data, h->hints.data, hints.len) != 0) {
            import_cache_note(h->cache, &h->key, &hints);
        }
    }
}
