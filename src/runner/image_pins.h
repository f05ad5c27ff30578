/* Which image each reference of a compose file means, decided by somebody else: `--images FILE`.
 *
 * One `REFERENCE sha256:ID` a line, `#` comments; the id is the image's in the image store (the
 * digest of its config). A reference that no line names is looked up by name as usual. */
#ifndef EVERETT_RUNNER_IMAGE_PINS_H
#define EVERETT_RUNNER_IMAGE_PINS_H

#include "base/err.h"
#include "image/digest.h"

struct image_pin {
    char *ref; /* owned; as the compose file writes it */
    char id[DIGEST_HEX];
};

struct image_pins {
    struct image_pin *items; /* owned */
    size_t count, cap;
};

/* ERR_USAGE with file and line. */
int image_pins_read(struct image_pins *pins, const char *path, struct err *err) must_check;
/* NULL when there is none; accepts NULL pins. */
const char *image_pins_find(const struct image_pins *pins, const char *ref);
void image_pins_fini(struct image_pins *pins);

#endif
