/* The YAML tree: scalars stay text, anchors, merge keys, positions and limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "compose/pool.h"
#include "compose/yaml_tree.h"

struct bench {
    struct pool pool;
    struct diags diags;
    struct source src;
};

static struct ynode *load(struct bench *b, const char *text)
{
    memset(b, 0, sizeof *b);
    b->diags.pool = &b->pool;
    b->src = (struct source){"t.yaml", text, strlen(text)};
    return yaml_load(&b->pool, &b->src, &b->diags);
}

/* The tree in flow form; plain scalars bare, others in quotes. */
static void dump(const struct ynode *n, struct buf *out)
{
    if (n->kind == YNODE_SCALAR) {
        buf_printf(out, n->plain ? "%s" : "'%s'", n->text);
        return;
    }
    buf_putc(out, n->kind == YNODE_MAP ? '{' : '[');
    for (size_t i = 0; i < n->count; i++) {
        buf_puts(out, i ? ", " : "");
        if (n->kind == YNODE_MAP) {
            dump(n->pairs[i].key, out);
            buf_puts(out, ": ");
            dump(n->pairs[i].value, out);
        } else {
            dump(n->items[i], out);
        }
    }
    buf_putc(out, n->kind == YNODE_MAP ? '}' : ']');
}

static void trees(void **state)
{
    static const struct {
        const char *text, *tree;
    } cases[] = {
        {"a: 22:22\nb: on\nc: 0755\nd: 'x'\ne: ~\nf:\n",
         "{a: 22:22, b: on, c: 0755, d: 'x', e: ~, f: }"},
        {"- |\n  a\n  b\n- >-\n  c\n  d\n", "['a\nb\n', 'c d']"},
        {"a: !!str 1\nb: !!int 2\n", "{a: '1', b: 2}"},
        {"x: &x {a: 1, b: 2}\ny: *x\n", "{x: {a: 1, b: 2}, y: {a: 1, b: 2}}"},
        {"x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n", "{x: {a: 1, b: 2}, y: {b: 3, a: 1}}"},
        {"y: {<<: {a: 1}, b: 2}\n", "{y: {b: 2, a: 1}}"},
        {"x: &x {a: 1}\nz: &z {a: 2, c: 3}\ny: {<<: [*x, *z, {d: 4}]}\n",
         "{x: {a: 1}, z: {a: 2, c: 3}, y: {a: 1, c: 3, d: 4}}"},
        {"x: &x {e: {p: 1}}\ny: {<<: *x, e: {q: 2}}\n", "{x: {e: {p: 1}}, y: {e: {q: 2}}}"},
        {"x: &x {<<: {a: 1}, b: 2}\ny: {<<: *x}\n", "{x: {b: 2, a: 1}, y: {b: 2, a: 1}}"},
        {"a: &n 1\nb: &n 2\nc: *n\n", "{a: 1, b: 2, c: 2}"},
        {"'<<': 1\n", "{'<<': 1}"},
        {"<<: []\na: 1\n", "{a: 1}"},
        {"&k key: *k\n", "{key: key}"},
        {"{}", "{}"},
        {"\xef\xbb\xbf"
         "a: 1\n",
         "{a: 1}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        struct buf out cleanup_buf = {0};
        const struct ynode *root = load(&b, cases[i].text);
        if (!root) {
            diag_render(&b.diags.v[0], &out);
            fail_msg("%s\n%s", cases[i].text, out.data);
        }
        dump(root, &out);
        assert_string_equal(out.data, cases[i].tree);
        pool_fini(&b.pool);
    }
}

static void errors(void **state)
{
    static const struct {
        const char *text, *message;
        uint32_t line, col;
    } cases[] = {
        {"", "the file is empty", 0, 0},
        {"a: 1\nb: 2\na: 3\n", "duplicate key `a` (first at line 1)", 3, 1},
        {"<<: {a: 1}\n<<: {b: 1}\n", "duplicate key `<<` (first at line 1)", 2, 1},
        {"a: *b\n", "alias `*b` has no anchor", 1, 4},
        {"a: &a [*a]\n", "alias `*a` stands inside its own anchor", 1, 8},
        {"<<: 1\n", "`<<` merges mappings, but this is text", 1, 5},
        {"<<:\n", "`<<` merges mappings, but this is nothing", 1, 4},
        {"<<: [[{a: 1}]]\n", "`<<` merges mappings, but this is a list", 1, 6},
        {"? [a]\n: 1\n", "a key must be text, not a list", 1, 3},
        {"a: !x 1\n", "tag `!x` is not supported", 1, 4},
        {"a: \"x\\0y\"\n", "a value holds a NUL character, which no argument, variable or path can",
         1, 4},
        {"a: 1\n--- \nb: 1\n", "a second YAML document; Everett reads one document a file", 2, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        assert_null(load(&b, cases[i].text));
        assert_int_equal(b.diags.errors, 1);
        assert_string_equal(b.diags.v[0].text, cases[i].message);
        assert_int_equal(b.diags.v[0].at.line, cases[i].line);
        assert_int_equal(b.diags.v[0].at.col, cases[i].col);
        pool_fini(&b.pool);
    }
}

static void assert_fails(struct buf *text, const char *part)
{
    struct bench b;
    assert_null(load(&b, text->data));
    assert_true(b.diags.errors > 0);
    if (!strstr(b.diags.v[0].text, part)) {
        fail_msg("%s", b.diags.v[0].text);
    }
    pool_fini(&b.pool);
}

static void limits(void **state)
{
    struct buf laughs cleanup_buf = {0};
    buf_puts(&laughs, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&laughs, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) {
            buf_printf(&laughs, "%s*a%d", k ? ", " : "", i - 1);
        }
        buf_puts(&laughs, "]\n");
    }
    assert_fails(&laughs, "aliases expand to more than");

    struct buf deep cleanup_buf = {0};
    for (int i = 0; i < 100000; i++) {
        buf_putc(&deep, '[');
    }
    assert_fails(&deep, "nested deeper than");

    struct buf chain cleanup_buf = {0};
    buf_puts(&chain, "a0: &a0 [x]\n");
    for (int i = 1; i < 100; i++) {
        buf_printf(&chain, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    }
    assert_fails(&chain, "through aliases");

    struct buf keys cleanup_buf = {0};
    for (int i = 0; i < YAML_MAP_KEYS_MAX + 1; i++) {
        buf_printf(&keys, "k%d:\n", i);
    }
    assert_fails(&keys, "a mapping of more than");

    struct buf wide cleanup_buf = {0};
    for (int i = 0; i < YAML_NODES_MAX; i++) {
        buf_puts(&wide, "- 1\n");
    }
    assert_fails(&wide, "more than");
}

/* The caret stands under the marked character: in long lines, behind tabs and wide text. */
static void excerpts(void **state)
{
    static const struct source src = {"f", "one\r\n\ttwo \xc3\xa4x\nthree", 19};
    static const struct {
        uint32_t line, col;
        const char *text;
    } cases[] = {
        {1, 2, "f:1:2: m\n    1 | one\n      |  ^"},
        {2, 7, "f:2:7: m\n    2 | \ttwo \xc3\xa4x\n      | \t     ^"},
        {3, 1, "f:3:1: m\n    3 | three\n      | ^"},
        {4, 1, "f:4:1: m"},
        {0, 0, "f: m"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char message[] = "m";
        struct buf out cleanup_buf = {0};
        const struct diag d = {.at = {&src, cases[i].line, cases[i].col}, .text = message};
        diag_render(&d, &out);
        assert_string_equal(out.data, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees),
        cmocka_unit_test(errors),
        cmocka_unit_test(limits),
        cmocka_unit_test(excerpts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
