#include "runner/fault_config.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "compose/pool.h"
#include "compose/units.h"
#include "compose/yaml_tree.h"

#define MS     1000000ull
#define SECOND (1000 * MS)

static const struct {
    const char *name;
    size_t offset;
    struct plan_fault def;
} kinds[] = {
    {"partition", offsetof(struct plan_faults, partition), {10 * SECOND, 500 * MS, 8 * SECOND}},
    {"clog", offsetof(struct plan_faults, clog), {10 * SECOND, 200 * MS, 6 * SECOND}},
    {"pause", offsetof(struct plan_faults, pause), {20 * SECOND, 200 * MS, 5 * SECOND}},
    {"kill", offsetof(struct plan_faults, kill), {30 * SECOND, 500 * MS, 5 * SECOND}},
};

static struct plan_fault *fault_of(struct fault_config *c, size_t kind)
{
    return (struct plan_fault *)(void *)((char *)&c->faults + kinds[kind].offset);
}

void fault_config_none(struct fault_config *c)
{
    memset(c, 0, sizeof *c);
    c->link = (struct plan_link){.latency_ns = 200000, .jitter_ns = 300000};
}

void fault_config_default(struct fault_config *c)
{
    fault_config_none(c);
    c->faults.enabled = 1;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        *fault_of(c, i) = kinds[i].def;
    }
}

void fault_config_fini(struct fault_config *c)
{
    for (size_t i = 0; i < c->exclusion_count; i++) {
        free(c->exclusions[i].pattern);
    }
    free(c->exclusions);
    *c = (struct fault_config){0};
}

/* --- exclusions ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t bits;
} exclude_words[] = {
    {"network", PLAN_EXCLUDE_NETWORK},
    {"pause", PLAN_EXCLUDE_PAUSE},
    {"kill", PLAN_EXCLUDE_KILL},
    {"stop", PLAN_EXCLUDE_STOP},
    {"all", PLAN_EXCLUDE_NETWORK | PLAN_EXCLUDE_PAUSE | PLAN_EXCLUDE_KILL | PLAN_EXCLUDE_STOP},
};

uint32_t fault_exclude_bits(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(exclude_words); i++) {
        if (strcmp(exclude_words[i].name, word) == 0) {
            return exclude_words[i].bits;
        }
    }
    return 0;
}

uint32_t fault_config_excluded(const struct fault_config *c, const char *container,
                               const char *service)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < c->exclusion_count; i++) {
        const struct fault_exclusion *x = &c->exclusions[i];
        bool hit = (container && fnmatch(x->pattern, container, 0) == 0) ||
                   (service && fnmatch(x->pattern, service, 0) == 0);
        bits |= hit ? x->bits : 0;
    }
    return bits;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_time(struct diags *d, const struct ynode *n, uint64_t *out)
{
    if (n->kind == YNODE_SCALAR && parse_duration(n->text, out) == 0) {
        return 0;
    }
    return diag_error(d, n->at, "write a time with its unit, such as 500ms, 10s or 1m30s",
                      "expected a duration");
}

static int read_span(struct diags *d, const struct ynode *n, struct plan_fault *f)
{
    if (n->kind == YNODE_SEQ && n->count == 2) {
        if (read_time(d, n->items[0], &f->min_duration_ns) ||
            read_time(d, n->items[1], &f->max_duration_ns)) {
            return -1;
        }
    } else if (n->kind == YNODE_SCALAR) {
        if (read_time(d, n, &f->min_duration_ns)) {
            return -1;
        }
        f->max_duration_ns = f->min_duration_ns;
    } else {
        return diag_error(d, n->at, "for example: [500ms, 8s]",
                          "`for` is one duration or a list of two");
    }
    return f->min_duration_ns <= f->max_duration_ns
               ? 0
               : diag_error(d, n->at, NULL, "the shortest duration is above the longest");
}

static bool is_off(const struct ynode *n)
{
    bool on = true;
    return n->kind == YNODE_SCALAR && parse_bool(n->text, &on) == 0 && !on;
}

static int read_fault(struct diags *d, const struct ynode *n, struct plan_fault *f)
{
    if (is_off(n)) {
        *f = (struct plan_fault){0};
        return 0;
    }
    if (n->kind != YNODE_MAP) {
        return diag_error(d, n->at, "for example: {every: 10s, for: [500ms, 8s]}",
                          "expected `off` or a mapping with `every` and `for`");
    }
    for (size_t i = 0; i < n->count; i++) {
        const struct ypair *p = &n->pairs[i];
        int r = strcmp(p->key->text, "every") == 0 ? read_time(d, p->value, &f->mean_interval_ns)
                : strcmp(p->key->text, "for") == 0
                    ? read_span(d, p->value, f)
                    : diag_error(d, p->key->at, "the keys are `every` and `for`",
                                 "unknown key `%s`", p->key->text);
        if (r) {
            return -1;
        }
    }
    return f->mean_interval_ns
               ? 0
               : diag_error(d, n->at, "write `off` to switch it off", "`every` must not be zero");
}

static int read_loss(struct diags *d, const struct ynode *n, uint32_t *ppm)
{
    char *end = NULL;
    double v = n->kind == YNODE_SCALAR && n->text[0] ? strtod(n->text, &end) : -1;
    if (!end || *end || !(v >= 0 && v <= 1)) {
        return diag_error(d, n->at, NULL, "`loss` is a share from 0 to 1");
    }
    *ppm = (uint32_t)(v * 1e6 + 0.5);
    return 0;
}

static int read_link(struct diags *d, const struct ynode *n, struct plan_link *l)
{
    if (n->kind != YNODE_MAP) {
        return diag_error(d, n->at, "for example: {latency: 200us, jitter: 300us, loss: 0.0001}",
                          "`link` is a mapping");
    }
    for (size_t i = 0; i < n->count; i++) {
        const struct ypair *p = &n->pairs[i];
        const char *key = p->key->text;
        int r = strcmp(key, "latency") == 0  ? read_time(d, p->value, &l->latency_ns)
                : strcmp(key, "jitter") == 0 ? read_time(d, p->value, &l->jitter_ns)
                : strcmp(key, "loss") == 0
                    ? read_loss(d, p->value, &l->loss_ppm)
                    : diag_error(d, p->key->at, "the keys are latency, jitter and loss",
                                 "unknown key `%s`", key);
        if (r) {
            return -1;
        }
    }
    return 0;
}

static int read_pattern(struct diags *d, const struct ynode *n, uint32_t bits,
                        struct fault_config *c)
{
    if (n->kind != YNODE_SCALAR || !n->text[0]) {
        return diag_error(d, n->at, "for example: [etcd0, \"client*\"]",
                          "expected the name of a container or service, or a list of them");
    }
    *ARRAY_PUSH(c->exclusions, c->exclusion_count, c->exclusion_cap) =
        (struct fault_exclusion){mem_strdup(n->text), bits};
    return 0;
}

static int read_exclusions(struct diags *d, const struct ynode *n, struct fault_config *c)
{
    if (n->kind != YNODE_MAP) {
        return diag_error(d, n->at, "for example: {network: [etcd0], kill: [\"client*\"]}",
                          "`exclude` is a mapping from faults to names");
    }
    for (size_t i = 0; i < n->count; i++) {
        const struct ypair *p = &n->pairs[i];
        uint32_t bits = fault_exclude_bits(p->key->text);
        if (!bits) {
            return diag_error(d, p->key->at, "the keys are network, pause, kill, stop and all",
                              "unknown fault `%s`", p->key->text);
        }
        bool list = p->value->kind == YNODE_SEQ;
        for (size_t k = 0; k < (list ? p->value->count : 1); k++) {
            if (read_pattern(d, list ? p->value->items[k] : p->value, bits, c)) {
                return -1;
            }
        }
    }
    return 0;
}

static int read_entry(struct diags *d, const struct ypair *p, struct fault_config *c)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, p->key->text) == 0) {
            return read_fault(d, p->value, fault_of(c, i));
        }
    }
    if (strcmp(p->key->text, "link") == 0) {
        return read_link(d, p->value, &c->link);
    }
    if (strcmp(p->key->text, "exclude") == 0) {
        return read_exclusions(d, p->value, c);
    }
    const char *near = suggest_name(p->key->text, kinds, ARRAY_LEN(kinds), sizeof kinds[0]);
    cleanup_buf struct buf hint = {0};
    if (near) {
        buf_printf(&hint, "did you mean `%s`?", near);
    } else {
        buf_puts(&hint, "the keys are partition, clog, pause, kill, link and exclude");
    }
    return diag_error(d, p->key->at, hint.data, "unknown fault `%s`", p->key->text);
}

static int read_tree(struct fault_config *c, const struct source *src, struct pool *pool,
                     struct err *err)
{
    struct diags diags = {.pool = pool};
    struct ynode *root = yaml_load(pool, src, &diags);
    if (root && root->kind != YNODE_MAP) {
        diag_error(&diags, root->at, NULL, "a fault file is a mapping, not %s",
                   ynode_kind_name(root));
    } else if (root) {
        for (size_t i = 0; i < root->count; i++) {
            int r = read_entry(&diags, &root->pairs[i], c);
            (void)r; /* collected: the user sees all errors at once */
        }
    }
    return diags.errors ? diags_to_err(&diags, err) : 0;
}

static int read_file(const char *path, struct buf *text, struct err *err)
{
    cleanup_fclose FILE *f = fopen(path, "re");
    struct stat st;
    if (!f || fstat(fileno(f), &st)) {
        err_errno(err, errno, "cannot read the fault file %s", path);
        err->kind = ERR_USAGE;
        return -1;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > YAML_BYTES_MAX) {
        return err_set(err, ERR_USAGE, "fault file %s is no regular file of at most %d bytes", path,
                       (int)YAML_BYTES_MAX);
    }
    buf_reserve(text, (size_t)st.st_size + 1);
    text->len = fread(text->data, 1, (size_t)st.st_size, f);
    text->data[text->len] = 0;
    return 0;
}

int fault_config_read(struct fault_config *c, const char *path, struct err *err)
{
    cleanup_buf struct buf text = {0};
    fault_config_default(c);
    if (read_file(path, &text, err)) {
        return -1;
    }
    struct source src = {.name = path, .text = text.data, .len = text.len};
    struct pool pool = {0};
    int r = read_tree(c, &src, &pool, err);
    pool_fini(&pool);
    if (r == 0) {
        c->faults.enabled = 0;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
            c->faults.enabled |= fault_of(c, i)->mean_interval_ns != 0;
        }
    }
    return r;
}

static void put_exclusions(const struct fault_config *c, struct buf *out)
{
    const char *between = ",\"exclude\":{";
    for (size_t w = 0; w < ARRAY_LEN(exclude_words); w++) {
        bool first = true;
        for (size_t i = 0; i < c->exclusion_count; i++) {
            const struct fault_exclusion *x = &c->exclusions[i];
            if (x->bits != exclude_words[w].bits) {
                continue;
            }
            if (first) {
                buf_printf(out, "%s\"%s\":[", between, exclude_words[w].name);
                between = "],";
            }
            buf_puts(out, first ? "" : ",");
            buf_json_string(out, x->pattern, strlen(x->pattern));
            first = false;
        }
    }
    buf_puts(out, c->exclusion_count ? "]}" : "");
}

void fault_config_json(const struct fault_config *c, struct buf *out)
{
    struct fault_config copy = *c;
    buf_putc(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct plan_fault *f = fault_of(&copy, i);
        if (!c->faults.enabled || !f->mean_interval_ns) {
            buf_printf(out, "\"%s\":\"off\",", kinds[i].name);
            continue;
        }
        char every[DURATION_TEXT_MAX], low[DURATION_TEXT_MAX], high[DURATION_TEXT_MAX];
        format_duration(f->mean_interval_ns, every);
        format_duration(f->min_duration_ns, low);
        format_duration(f->max_duration_ns, high);
        buf_printf(out, "\"%s\":{\"every\":\"%s\",\"for\":[\"%s\",\"%s\"]},", kinds[i].name, every,
                   low, high);
    }
    char latency[DURATION_TEXT_MAX], jitter[DURATION_TEXT_MAX];
    format_duration(c->link.latency_ns, latency);
    format_duration(c->link.jitter_ns, jitter);
    buf_printf(out, "\"link\":{\"latency\":\"%s\",\"jitter\":\"%s\",\"loss\":%u.%06u}", latency,
               jitter, c->link.loss_ppm / 1000000, c->link.loss_ppm % 1000000);
    put_exclusions(c, out);
    buf_putc(out, '}');
}
