/* The launch form: the images that were pushed, the parameters, errors beside their fields, and the
 * curl line that does the same. */
#ifndef EVERETT_SERVER_PAGES_LAUNCH_H
#define EVERETT_SERVER_PAGES_LAUNCH_H

#include <jansson.h>

#include "server/pages/frame.h"
#include "server/pages/images.h"

#define LAUNCH_FIELDS 9u

struct launch_form {
    char *values[LAUNCH_FIELDS];       /* owned; as launch_field_param(); NULL: empty */
    char *launcher, *more;             /* owned; "key=value" lines */
    const struct images_model *images; /* what is offered */
    const char *public_url;
    const char *trouble; /* why it was refused, or NULL: "antithesis.duration: ..." */
};
void launch_form_fini(struct launch_form *lf);
const char *launch_field_param(size_t field);
/* What the form says as `params` of the API; empty fields are left out. ERR_USAGE: a line of `more`
 * is no key=value. */
json_t *launch_form_params(const struct launch_form *lf, struct err *err) must_check;
void launch_form_curl(struct buf *b, const struct launch_form *lf);
void launch_form_html(struct buf *b, const struct frame *f, const struct launch_form *lf);

http_handler page_launch, page_launch_post;

#endif
