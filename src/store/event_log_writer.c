/* Writing half of the event log. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/event_log.h"
#include "store/event_log_format.h"
#include "store/files.h"

#define LEVEL 3 /* beyond it a universe waits longer for its log than the space is worth */

struct event_log_writer {
    char *path, *part; /* owned */
    int fd;
    uint64_t offset; /* bytes written */
    struct buf raw;  /* records of the frame being filled */
    struct event_index_entry current;
    struct event_index_entry *index; /* owned */
    size_t index_count, index_cap;
    uint64_t records, next_seq, last_vtime_ns;
    ZSTD_CCtx *zstd;
    struct buf packed; /* scratch */
};

bool event_well_formed(const void *p, size_t left)
{
    struct event head;
    if (left < sizeof head) {
        return false;
    }
    memcpy(&head, p, sizeof head);
    return head.size >= sizeof head && head.size % 8 == 0 && head.size <= EVENT_LOG_RECORD_MAX &&
           head.size <= left && head.length <= head.size - sizeof head;
}

struct event_log_writer *event_log_create(const char *path, struct err *err)
{
    struct event_log_writer *w = mem_zalloc(sizeof *w);
    w->path = mem_strdup(path);
    struct buf part = {0};
    buf_printf(&part, "%s.part", path);
    w->part = buf_steal(&part);
    w->fd = open(w->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (w->fd < 0) {
        files_errno(err, errno, "cannot create %s", w->part);
        event_log_discard(w);
        return NULL;
    }
    w->zstd = ZSTD_createCCtx();
    ASSERT(w->zstd != NULL);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
    return w;
}

static int put(struct event_log_writer *w, const void *data, size_t len, struct err *err)
{
    if (files_write_all(w->fd, data, len)) {
        return files_errno(err, errno, "cannot write %s", w->part);
    }
    w->offset += len;
    return 0;
}

static int end_frame(struct event_log_writer *w, struct err *err)
{
    if (w->raw.len == 0) {
        return 0;
    }
    buf_reset(&w->packed);
    buf_reserve(&w->packed, ZSTD_compressBound(w->raw.len));
    size_t n = ZSTD_compress2(w->zstd, w->packed.data, w->packed.cap, w->raw.data, w->raw.len);
    if (ZSTD_isError(n)) {
        return err_set(err, ERR_ENGINE, "%s: zstd: %s", w->part, ZSTD_getErrorName(n));
    }
    w->current.offset = w->offset;
    w->current.packed_len = (uint32_t)n;
    w->current.raw_len = (uint32_t)w->raw.len;
    if (put(w, w->packed.data, n, err)) {
        return -1;
    }
    *ARRAY_PUSH(w->index, w->index_count, w->index_cap) = w->current;
    buf_reset(&w->raw);
    return 0;
}

static int append_one(struct event_log_writer *w, const void *record, struct err *err)
{
    struct event head;
    memcpy(&head, record, sizeof head);
    bool first = w->records == 0;
    if (!first && (head.seq != w->next_seq || head.vtime_ns < w->last_vtime_ns)) {
        return err_set(err, ERR_ENGINE,
                       "event %" PRIu64 " at %" PRIu64 " ns does not follow event %" PRIu64
                       " at %" PRIu64 " ns",
                       head.seq, head.vtime_ns, w->next_seq - 1, w->last_vtime_ns);
    }
    if (w->raw.len == 0) {
        w->current =
            (struct event_index_entry){.first_seq = head.seq, .first_vtime_ns = head.vtime_ns};
    }
    buf_append(&w->raw, record, head.size);
    w->current.last_vtime_ns = head.vtime_ns;
    w->last_vtime_ns = head.vtime_ns;
    w->next_seq = head.seq + 1;
    w->records++;
    return w->raw.len >= EVENT_LOG_CHUNK_MAX ? end_frame(w, err) : 0;
}

int event_log_append(struct event_log_writer *w, const void *records, size_t len, struct err *err)
{
    const unsigned char *p = records;
    while (len > 0) {
        if (!event_well_formed(p, len)) {
            return err_set(err, ERR_ENGINE, "malformed event record after event %" PRIu64,
                           w->next_seq);
        }
        if (append_one(w, p, err)) {
            return -1;
        }
        uint32_t size;
        memcpy(&size, p, sizeof size);
        p += size;
        len -= size;
    }
    return 0;
}

static int put_index(struct event_log_writer *w, struct err *err)
{
    size_t bytes = w->index_count * sizeof *w->index;
    struct event_index_footer footer = {w->index_count, w->records, EVENT_INDEX_MAGIC};
    uint32_t frame[2] = {EVENT_INDEX_FRAME_MAGIC, (uint32_t)(bytes + sizeof footer)};
    if (put(w, frame, sizeof frame, err) || (bytes && put(w, w->index, bytes, err))) {
        return -1;
    }
    return put(w, &footer, sizeof footer, err);
}

int event_log_close(struct event_log_writer *w, struct err *err)
{
    int rc = end_frame(w, err);
    if (rc == 0) {
        rc = put_index(w, err);
    }
    if (rc == 0 && fsync(w->fd)) {
        rc = files_errno(err, errno, "cannot sync %s", w->part);
    }
    if (rc == 0 && rename(w->part, w->path)) {
        rc = files_errno(err, errno, "cannot rename %s", w->part);
    }
    if (rc == 0) {
        rc = files_sync_parent(w->path, err);
    }
    if (rc == 0) {
        free(w->part);
        w->part = NULL; /* renamed: nothing to remove */
    }
    event_log_discard(w);
    return rc;
}

void event_log_discard(struct event_log_writer *w)
{
    if (!w) {
        return;
    }
    if (w->fd >= 0) {
        close(w->fd);
    }
    if (w->part) {
        unlink(w->part);
    }
    ZSTD_freeCCtx(w->zstd);
    buf_free(&w->raw);
    buf_free(&w->packed);
    free(w->index);
    free(w->path);
    free(w->part);
    free(w);
}
