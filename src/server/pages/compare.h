/* Two runs side by side: what each did, and the properties that are judged otherwise. */
#ifndef EVERETT_SERVER_PAGES_COMPARE_H
#define EVERETT_SERVER_PAGES_COMPARE_H

#include "server/pages/frame.h"
#include "server/queue/queue.h"

struct report;

struct compare_side {
    struct launch l;             /* owned */
    const struct report *report; /* borrowed; NULL: none */
};
void compare_html(struct buf *b, const struct compare_side *a, const struct compare_side *z);

http_handler page_compare;

#endif
