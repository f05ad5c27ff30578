#include "image/ref.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NAME_MAX_LEN 255u
#define TAG_MAX_LEN  128u

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool valid_component(const char *s, size_t len)
{
    bool alnum = false; /* the previous character */
    for (size_t i = 0; i < len; i++) {
        if (islower((unsigned char)s[i]) || isdigit((unsigned char)s[i])) {
            alnum = true;
            continue;
        }
        if (!strchr("._-", s[i])) {
            return false;
        }
        bool doubled = !alnum && i > 0 && s[i] == s[i - 1];
        bool third = doubled && i > 1 && s[i] == s[i - 2];
        if (!alnum && !(doubled && (s[i] == '-' || (s[i] == '_' && !third)))) {
            return false;
        }
        alnum = false;
    }
    return len > 0 && alnum;
}

/* HOST[:PORT]; only the first component of a name, and only when it looks like one. */
static bool looks_like_registry(const char *s, size_t len)
{
    return memchr(s, '.', len) || memchr(s, ':', len) ||
           (len == strlen("localhost") && memcmp(s, "localhost", len) == 0) || memchr(s, '[', len);
}

static bool valid_registry(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)s[i]) && !strchr(".-:[]", s[i])) {
            return false;
        }
    }
    return len > 0 && len <= NAME_MAX_LEN;
}

static bool valid_name(const char *name)
{
    const char *at = name;
    bool first = true;
    for (;;) {
        size_t len = strcspn(at, "/");
        bool last = at[len] == '\0';
        bool registry = first && !last && looks_like_registry(at, len);
        if (registry ? !valid_registry(at, len) : !valid_component(at, len)) {
            return false;
        }
        if (last) {
            return strlen(name) <= NAME_MAX_LEN;
        }
        first = false;
        at += len + 1;
    }
}

static bool valid_tag(const char *tag)
{
    size_t len = strlen(tag);
    if (!len || len > TAG_MAX_LEN || tag[0] == '.' || tag[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)tag[i]) && !strchr("._-", tag[i])) {
            return false;
        }
    }
    return true;
}

static const char *skip_prefix(const char *s, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(s, prefix, len) == 0 ? s + len : NULL;
}

static char *familiar(const char *name)
{
    const char *rest = skip_prefix(name, "docker.io/");
    rest = rest ? rest : skip_prefix(name, "index.docker.io/");
    if (rest && looks_like_registry(rest, strcspn(rest, "/")) && strchr(rest, '/')) {
        return mem_strdup(name); /* without the prefix it would mean another registry */
    }
    const char *library = skip_prefix(rest ? rest : name, "library/");
    if (library && !strchr(library, '/')) {
        rest = library;
    }
    return mem_strdup(rest ? rest : name);
}

static int bad(struct image_ref *ref, const char *text, const char *why, struct err *err)
{
    image_ref_fini(ref);
    err_set(err, ERR_USAGE, "'%s' is not an image name: %s", text, why);
    err_hint(err, "write [REGISTRY/]NAME[:TAG][@sha256:DIGEST], with a name in lower case");
    return -1;
}

int image_ref_init(struct image_ref *ref, const char *text, struct err *err)
{
    *ref = (struct image_ref){0};
    char *copy = mem_strdup(text);
    char *at = strchr(copy, '@');
    const char *why = NULL;
    if (at) {
        *at = '\0';
        const char *hex = digest_parse(at + 1);
        if (hex) {
            memcpy(ref->digest, hex, DIGEST_HEX);
        } else {
            why = "the digest must be sha256: and 64 hexadecimal digits";
        }
    }
    char *slash = strrchr(copy, '/');
    char *colon = strchr(slash ? slash : copy, ':');
    if (colon) {
        *colon = '\0';
    }
    ref->tag = mem_strdup(colon ? colon + 1 : "latest");
    ref->name = familiar(copy);
    if (!why && !valid_name(copy)) {
        why = "the name has characters or an order of them that image names cannot have";
    } else if (!why && !valid_tag(ref->tag)) {
        why = "the tag is not valid";
    }
    free(copy);
    if (why) {
        return bad(ref, text, why, err);
    }
    if (asprintf(&ref->normal, "%s:%s", ref->name, ref->tag) < 0) {
        abort();
    }
    return 0;
}

void image_ref_fini(struct image_ref *ref)
{
    free(ref->name);
    free(ref->tag);
    free(ref->normal);
    *ref = (struct image_ref){0};
}

const char *image_ref_last_part(const struct image_ref *ref)
{
    const char *slash = strrchr(ref->name, '/');
    return slash ? slash + 1 : ref->name;
}
