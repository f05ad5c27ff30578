/* Lambdas to syntax trees: a recursive descent, binary operators by precedence. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "server/api/lambda_priv.h"

struct parser {
    struct lambda *lambda;
    const char *at;
    const char *expected; /* of the first fault; NULL: none */
    const char *fault_at;
    unsigned depth;
};

static struct node *expression(struct parser *p);

struct node *lambda_node(struct lambda *l, enum node_kind kind)
{
    struct node *n = mem_zalloc(sizeof *n);
    n->kind = kind;
    *ARRAY_PUSH(l->nodes, l->count, l->cap) = n;
    return n;
}

static struct node *make(struct parser *p, enum node_kind kind, struct node *a, struct node *b)
{
    struct node *n = lambda_node(p->lambda, kind);
    if (a) {
        *ARRAY_PUSH(n->kids, n->kid_count, n->kid_cap) = a;
    }
    if (b) {
        *ARRAY_PUSH(n->kids, n->kid_count, n->kid_cap) = b;
    }
    return n;
}

static void set_text(struct node *n, const char *s, size_t len)
{
    n->text = mem_zalloc(len + 1); /* there may be a NUL inside */
    memcpy(n->text, s, len);
    n->text_len = len;
}

/* Returns NULL, so that `return fail(...)` reads well. */
static struct node *fail(struct parser *p, const char *expected)
{
    if (!p->expected) {
        p->expected = expected;
        p->fault_at = p->at;
    }
    return NULL;
}

static void skip_blank(struct parser *p)
{
    for (;;) {
        const char *end;
        while (isspace((unsigned char)*p->at)) {
            p->at++;
        }
        if (strncmp(p->at, "//", 2) == 0) {
            p->at += strcspn(p->at, "\n");
        } else if (strncmp(p->at, "/*", 2) == 0 && (end = strstr(p->at + 2, "*/"))) {
            p->at = end + 2;
        } else {
            return;
        }
    }
}

static size_t word_length(const char *s)
{
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '$') {
        n++;
    }
    return isdigit((unsigned char)s[0]) ? 0 : n;
}

/* Takes a mark such as "=>" when it stands here. */
static bool take(struct parser *p, const char *mark)
{
    skip_blank(p);
    if (strncmp(p->at, mark, strlen(mark)) != 0) {
        return false;
    }
    p->at += strlen(mark);
    return true;
}

static bool take_word(struct parser *p, const char *word)
{
    skip_blank(p);
    if (word_length(p->at) != strlen(word) || strncmp(p->at, word, strlen(word)) != 0) {
        return false;
    }
    p->at += strlen(word);
    return true;
}

/* --- literals -----------------------------------------------------------------------------------
 */

static void put_code_point(struct buf *b, unsigned c)
{
    if (c < 0x80) {
        buf_putc(b, (char)c);
    } else if (c < 0x800) {
        buf_putc(b, (char)(0xc0 | c >> 6));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_putc(b, (char)(0xe0 | c >> 12));
        buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    }
}

/* Behind a backslash. */
static void take_escape(struct parser *p, struct buf *b)
{
    static const char from[] = "nrtbfv0", to[] = "\n\r\t\b\f\v";
    char c = *p->at++;
    const char *found = strchr(from, c);
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 0;
    unsigned code = 0;
    for (size_t i = 0; i < digits; i++) {
        char h = *p->at;
        if (!isxdigit((unsigned char)h)) {
            fail(p, "hexadecimal digits");
            return;
        }
        code = code * 16 + (unsigned)(isdigit((unsigned char)h) ? h - '0' : (h | 32) - 'a' + 10);
        p->at++;
    }
    if (digits) {
        put_code_point(b, code);
    } else {
        buf_putc(b, found && c ? to[found - from] : c);
    }
}

static struct node *string(struct parser *p)
{
    struct buf b = {0};
    char quote = *p->at++;
    while (*p->at && *p->at != quote && *p->at != '\n' && !p->expected) {
        if (*p->at == '\\' && p->at[1]) {
            p->at++;
            take_escape(p, &b);
        } else {
            buf_putc(&b, *p->at++);
        }
    }
    struct node *n = NULL;
    if (*p->at == quote && !p->expected) {
        p->at++;
        n = lambda_node(p->lambda, NODE_STRING);
        set_text(n, b.data ? b.data : "", b.len);
    } else {
        fail(p, "the end of the text in quotes");
    }
    buf_free(&b);
    return n;
}

static void add_text(struct parser *p, struct node *to, struct buf *b)
{
    struct node *n = lambda_node(p->lambda, NODE_STRING);
    set_text(n, b->data ? b->data : "", b->len);
    *ARRAY_PUSH(to->kids, to->kid_count, to->kid_cap) = n;
    buf_reset(b);
}

static struct node *template(struct parser *p)
{
    struct node *n = lambda_node(p->lambda, NODE_TEMPLATE), *inner;
    struct buf b = {0};
    p->at++;
    while (*p->at && *p->at != '`' && !p->expected) {
        if (strncmp(p->at, "${", 2) == 0) {
            p->at += 2;
            add_text(p, n, &b);
            inner = expression(p);
            if (inner) {
                *ARRAY_PUSH(n->kids, n->kid_count, n->kid_cap) = inner;
            }
            if (!take(p, "}")) {
                fail(p, "`}`");
            }
        } else if (*p->at == '\\' && p->at[1]) {
            p->at++;
            take_escape(p, &b);
        } else {
            buf_putc(&b, *p->at++);
        }
    }
    add_text(p, n, &b);
    buf_free(&b);
    if (p->expected || *p->at != '`') {
        return fail(p, "the end of the text in backquotes");
    }
    p->at++;
    return n;
}

static struct node *regex(struct parser *p)
{
    const char *start = ++p->at;
    bool in_class = false;
    for (; *p->at && *p->at != '\n' && (*p->at != '/' || in_class); p->at++) {
        if (*p->at == '\\' && p->at[1]) {
            p->at++;
        } else if (*p->at == '[') {
            in_class = true;
        } else if (*p->at == ']') {
            in_class = false;
        }
    }
    if (*p->at != '/') {
        return fail(p, "the end of the regular expression");
    }
    size_t len = (size_t)(p->at++ - start), at;
    uint32_t flags = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY;
    for (; *p->at && strchr("gimsuy", *p->at); p->at++) {
        flags |= *p->at == 'i'   ? PCRE2_CASELESS
                 : *p->at == 'm' ? PCRE2_MULTILINE
                 : *p->at == 's' ? PCRE2_DOTALL
                                 : 0;
    }
    int why;
    struct node *n = lambda_node(p->lambda, NODE_REGEX);
    n->regex = pcre2_compile((PCRE2_SPTR)start, len, flags, &why, &at, NULL);
    return n->regex ? n : fail(p, "a regular expression that can be read before this");
}

static struct node *number(struct parser *p)
{
    char *end;
    struct node *n = lambda_node(p->lambda, NODE_NUMBER);
    n->number = strtod(p->at, &end);
    p->at = end;
    return n;
}

/* --- functions ----------------------------------------------------------------------------------
 */

static struct node *statement(struct parser *p);

static struct node *block(struct parser *p)
{
    struct node *n = lambda_node(p->lambda, NODE_BLOCK), *one;
    while (!take(p, "}")) {
        if (take(p, ";")) {
            continue;
        }
        one = statement(p);
        if (!one) {
            return fail(p, "`}`");
        }
        *ARRAY_PUSH(n->kids, n->kid_count, n->kid_cap) = one;
    }
    return n;
}

static struct node *declaration(struct parser *p)
{
    skip_blank(p);
    size_t len = word_length(p->at);
    const char *name = p->at;
    p->at += len;
    if (!len || !take(p, "=")) {
        return fail(p, "a name, `=` and its value");
    }
    struct node *value = expression(p), *n = value ? make(p, NODE_LET, value, NULL) : NULL;
    if (n) {
        set_text(n, name, len);
    }
    return n;
}

static struct node *condition(struct parser *p)
{
    struct node *test = take(p, "(") ? expression(p) : fail(p, "`(`");
    if (!test || !take(p, ")")) {
        return fail(p, "`)`");
    }
    struct node *then = statement(p), *n = then ? make(p, NODE_IF, test, then) : NULL;
    if (n && (take(p, ";"), take_word(p, "else"))) {
        struct node *other = statement(p);
        if (!other) {
            return NULL;
        }
        *ARRAY_PUSH(n->kids, n->kid_count, n->kid_cap) = other;
    }
    return n;
}

static struct node *statement(struct parser *p)
{
    struct node *n;
    if (++p->depth > LAMBDA_DEPTH_MAX) {
        return fail(p, "less nesting");
    }
    if (take(p, "{")) {
        n = block(p);
    } else if (take_word(p, "const") || take_word(p, "let")) {
        n = declaration(p);
    } else if (take_word(p, "if")) {
        n = condition(p);
    } else if (take_word(p, "return")) {
        skip_blank(p);
        n = *p->at == ';' || *p->at == '}' ? make(p, NODE_RETURN, NULL, NULL) : NULL;
        struct node *value = n ? NULL : expression(p);
        n = value ? make(p, NODE_RETURN, value, NULL) : n;
    } else {
        n = expression(p);
    }
    p->depth--;
    return n;
}

/* "(a, b) =>" or "a =>" at the cursor: true with the parameters in `n`. */
static bool take_head(struct parser *p, struct node *n)
{
    bool is_list = take(p, "(");
    size_t len;
    skip_blank(p);
    while ((len = word_length(p->at)) && n->param_count < LAMBDA_PARAMS) {
        n->params[n->param_count++] = mem_strndup(p->at, len);
        p->at += len;
        if (!is_list || !take(p, ",")) {
            break;
        }
        skip_blank(p);
    }
    return (!is_list || take(p, ")")) && (is_list || n->param_count) && take(p, "=>");
}

/* An arrow function, or NULL with the cursor where it was. */
static struct node *arrow(struct parser *p)
{
    const char *start = p->at;
    struct node *n = lambda_node(p->lambda, NODE_ARROW);
    if (!take_head(p, n)) {
        p->at = start;
        return NULL;
    }
    struct node *body = take(p, "{") ? block(p) : expression(p);
    if (!body) {
        return fail(p, "the function's body");
    }
    *ARRAY_PUSH(n->kids, n->kid_count, n->kid_cap) = body;
    return n;
}

/* --- expressions --------------------------------------------------------------------------------
 */

/* Elements up to `end`, which is taken. */
static struct node *elements(struct parser *p, struct node *to, const char *end)
{
    while (!take(p, end)) {
        struct node *one = expression(p);
        if (!one) {
            return NULL;
        }
        *ARRAY_PUSH(to->kids, to->kid_count, to->kid_cap) = one;
        skip_blank(p);
        if (!take(p, ",") && strncmp(p->at, end, 1) != 0) {
            return fail(p, "`,`, or the end of the list");
        }
    }
    return to;
}

static struct node *name(struct parser *p)
{
    static const struct {
        const char *word;
        enum node_kind kind;
    } words[] = {{"true", NODE_TRUE},
                 {"false", NODE_FALSE},
                 {"null", NODE_NULL},
                 {"undefined", NODE_UNDEFINED}};
    size_t len = word_length(p->at);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (take_word(p, words[i].word)) {
            return lambda_node(p->lambda, words[i].kind);
        }
    }
    struct node *n = lambda_node(p->lambda, NODE_NAME);
    set_text(n, p->at, len);
    p->at += len;
    return n;
}

static struct node *primary(struct parser *p)
{
    skip_blank(p);
    char c = *p->at;
    if (c == '"' || c == '\'') {
        return string(p);
    }
    if (c == '`') {
        return template(p);
    }
    if (c == '/') {
        return regex(p);
    }
    if (isdigit((unsigned char)c)) {
        return number(p);
    }
    if (take(p, "[")) {
        return elements(p, lambda_node(p->lambda, NODE_ARRAY), "]");
    }
    if (take(p, "(")) {
        struct node *n = expression(p);
        if (!n || !take(p, ")")) {
            return fail(p, "`)`");
        }
        n->is_grouped = true;
        return n;
    }
    return word_length(p->at) ? name(p) : fail(p, "a value");
}

/* What follows a value: .name ?.name [index] (arguments). */
static struct node *suffix(struct parser *p, struct node *of)
{
    bool optional = strncmp(p->at, "?.", 2) == 0 && !isdigit((unsigned char)p->at[2]);
    if (optional) {
        p->at += 2;
        skip_blank(p);
    }
    struct node *n;
    if (*p->at == '(' && of->kind == NODE_MEMBER && !lambda_is_method(of->text)) {
        p->at -= of->text_len;
        return fail(p, "a method that is served here, such as includes, startsWith, toLowerCase, "
                       "every, some or test");
    }
    if (take(p, "(")) {
        n = elements(p, make(p, NODE_CALL, of, NULL), ")");
    } else if (take(p, "[")) {
        struct node *index = expression(p);
        n = index && take(p, "]") ? make(p, NODE_INDEX, of, index) : fail(p, "`]`");
    } else {
        if (!optional) {
            p->at++; /* the dot */
        }
        skip_blank(p);
        size_t len = word_length(p->at);
        n = len ? make(p, NODE_MEMBER, of, NULL) : fail(p, "the name of a member");
        if (n) {
            set_text(n, p->at, len);
            p->at += len;
        }
    }
    if (n) {
        n->is_optional = optional;
    }
    return n;
}

static struct node *chain(struct parser *p)
{
    struct node *n = primary(p);
    while (n) {
        skip_blank(p);
        bool goes_on = *p->at == '[' || *p->at == '(' || (*p->at == '.' && p->at[1] != '.') ||
                       (strncmp(p->at, "?.", 2) == 0 && !isdigit((unsigned char)p->at[2]));
        if (!goes_on) {
            return n;
        }
        n = suffix(p, n);
    }
    return NULL;
}

static struct node *unary(struct parser *p)
{
    static const struct {
        const char *mark;
        enum op op;
    } marks[] = {{"!", OP_NOT}, {"-", OP_SUBTRACT}, {"+", OP_ADD}};
    if (++p->depth > LAMBDA_DEPTH_MAX) {
        return fail(p, "less nesting");
    }
    struct node *n = NULL, *of;
    bool is_typeof = take_word(p, "typeof"), done = is_typeof;
    enum op op = OP_TYPEOF;
    for (size_t i = 0; !done && i < ARRAY_LEN(marks); i++) {
        done = take(p, marks[i].mark);
        op = done ? marks[i].op : op;
    }
    of = done ? unary(p) : NULL;
    if (of) {
        n = make(p, NODE_UNARY, of, NULL);
        n->op = op;
    }
    n = done ? n : chain(p);
    p->depth--;
    return n;
}

static const struct {
    const char *mark;
    enum op op;
    unsigned level;
} binaries[] = {
    {"??", OP_COALESCE, 1},  {"||", OP_OR, 2},         {"&&", OP_AND, 3},
    {"===", OP_SAME, 4},     {"!==", OP_NOT_SAME, 4},  {"==", OP_EQUAL, 4},
    {"!=", OP_NOT_EQUAL, 4}, {"<=", OP_LESS_EQUAL, 5}, {">=", OP_MORE_EQUAL, 5},
    {"<", OP_LESS, 5},       {">", OP_MORE, 5},        {"+", OP_ADD, 6},
    {"-", OP_SUBTRACT, 6},   {"*", OP_MULTIPLY, 7},    {"/", OP_DIVIDE, 7},
    {"%", OP_REMAINDER, 7},
};

static struct node *binary(struct parser *p, unsigned level)
{
    struct node *left = unary(p);
    while (left) {
        size_t i = 0;
        skip_blank(p);
        while (i < ARRAY_LEN(binaries) &&
               strncmp(p->at, binaries[i].mark, strlen(binaries[i].mark)) != 0) {
            i++;
        }
        if (i == ARRAY_LEN(binaries) || binaries[i].level < level) {
            return left;
        }
        p->at += strlen(binaries[i].mark);
        struct node *right = binary(p, binaries[i].level + 1);
        if (!right) {
            return NULL;
        }
        left = make(p, NODE_BINARY, left, right);
        left->op = binaries[i].op;
    }
    return NULL;
}

static struct node *ternary(struct parser *p)
{
    struct node *test = binary(p, 1);
    if (!test || !take(p, "?")) {
        return test;
    }
    struct node *yes = expression(p);
    if (!yes || !take(p, ":")) {
        return fail(p, "`:`");
    }
    struct node *no = expression(p), *n = no ? make(p, NODE_TERNARY, test, yes) : NULL;
    if (n) {
        *ARRAY_PUSH(n->kids, n->kid_count, n->kid_cap) = no;
    }
    return n;
}

static struct node *expression(struct parser *p)
{
    if (++p->depth > LAMBDA_DEPTH_MAX) {
        return fail(p, "less nesting");
    }
    skip_blank(p);
    struct node *n = *p->at == '(' || word_length(p->at) ? arrow(p) : NULL;
    n = n || p->expected ? n : ternary(p);
    p->depth--;
    return n;
}

struct lambda *lambda_parse(const char **at, const char **expected)
{
    struct lambda *l = mem_zalloc(sizeof *l);
    struct parser p = {.lambda = l, .at = *at};
    skip_blank(&p);
    l->root = arrow(&p);
    if (!l->root) {
        fail(&p, "a function such as `ev => ev.output_text`");
        *at = p.fault_at;
        *expected = p.expected;
        lambda_free(l);
        return NULL;
    }
    skip_blank(&p);
    *at = p.at;
    return l;
}
