#include "runner/image_pins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

static int read_line(struct image_pins *pins, char *line, const char *path, unsigned number,
                     struct err *err)
{
    char *save = NULL;
    const char *ref = strtok_r(line, " \t\n", &save);
    if (!ref || *ref == '#') {
        return 0;
    }
    const char *digest = strtok_r(NULL, " \t\n", &save);
    const char *hex = digest ? digest_parse(digest) : NULL;
    if (!hex || strtok_r(NULL, " \t\n", &save)) {
        err_set(err, ERR_USAGE, "%s:%u: expected `REFERENCE sha256:ID`", path, number);
        return err_hint(err, "for example: etcd:v3.5 sha256: and 64 hexadecimal digits");
    }
    struct image_pin *pin = ARRAY_PUSH(pins->items, pins->count, pins->cap);
    pin->ref = mem_strdup(ref);
    memcpy(pin->id, hex, DIGEST_HEX);
    return 0;
}

int image_pins_read(struct image_pins *pins, const char *path, struct err *err)
{
    cleanup_fclose FILE *f = fopen(path, "re");
    cleanup_free char *line = NULL;
    size_t cap = 0;
    if (!f) {
        err_errno(err, errno, "cannot read %s", path);
        err->kind = ERR_USAGE;
        return -1;
    }
    for (unsigned number = 1; getline(&line, &cap, f) >= 0; number++) {
        if (read_line(pins, line, path, number, err)) {
            return -1;
        }
    }
    return 0;
}

const char *image_pins_find(const struct image_pins *pins, const char *ref)
{
    for (size_t i = 0; pins && i < pins->count; i++) {
        if (strcmp(pins->items[i].ref, ref) == 0) {
            return pins->items[i].id;
        }
    }
    return NULL;
}

void image_pins_fini(struct image_pins *pins)
{
    for (size_t i = 0; i < pins->count; i++) {
        free(pins->items[i].ref);
    }
    free(pins->items);
    *pins = (struct image_pins){0};
}
