/* Reading half of the event log. Every length read from the file is checked before use: a run
 * directory may come from elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/event_log.h"
#include "store/event_log_format.h"

struct event_log {
    char *path; /* owned */
    int fd;
    struct event_index_entry *index; /* owned */
    size_t index_count;
    uint64_t records;
    ZSTD_DCtx *zstd;
    struct buf packed, raw; /* scratch; raw holds frame `cached` */
    size_t cached;
};

#define NO_FRAME SIZE_MAX

static int read_at(const struct event_log *log, void *data, size_t len, uint64_t offset,
                   struct err *err)
{
    char *p = data;
    while (len > 0) {
        ssize_t n = pread(log->fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_errno(err, errno, "cannot read %s", log->path);
        }
        if (n == 0) {
            return err_set(err, ERR_HOST, "%s: shorter than its index says", log->path);
        }
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int check_index(const struct event_log *log, uint64_t data_len, struct err *err)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < log->index_count; i++) {
        const struct event_index_entry *e = &log->index[i];
        bool order =
            i == 0 || (e->first_seq > e[-1].first_seq && e->first_vtime_ns >= e[-1].last_vtime_ns);
        if (!order || e->offset != offset || e->packed_len > data_len - offset ||
            e->raw_len > EVENT_LOG_RECORD_MAX + EVENT_LOG_CHUNK_MAX ||
            e->last_vtime_ns < e->first_vtime_ns) {
            return err_set(err, ERR_HOST, "%s: damaged index", log->path);
        }
        offset += e->packed_len;
    }
    return 0;
}

static int load_index(struct event_log *log, struct err *err)
{
    struct stat st;
    struct event_index_footer footer;
    uint32_t frame[2];
    if (fstat(log->fd, &st)) {
        return err_errno(err, errno, "cannot stat %s", log->path);
    }
    uint64_t size = (uint64_t)st.st_size;
    if (size < sizeof frame + sizeof footer ||
        read_at(log, &footer, sizeof footer, size - sizeof footer, err) ||
        footer.magic != EVENT_INDEX_MAGIC ||
        footer.entries > (size - sizeof frame - sizeof footer) / sizeof *log->index) {
        err_clear(err);
        return err_set(err, ERR_HOST, "%s: unfinished or not an event log", log->path);
    }
    size_t bytes = footer.entries * sizeof *log->index;
    uint64_t data_len = size - sizeof footer - bytes - sizeof frame;
    log->index = mem_zalloc(bytes);
    log->index_count = footer.entries;
    log->records = footer.records;
    if (read_at(log, frame, sizeof frame, data_len, err) ||
        (bytes && read_at(log, log->index, bytes, data_len + sizeof frame, err))) {
        return -1;
    }
    if (frame[0] != EVENT_INDEX_FRAME_MAGIC || frame[1] != bytes + sizeof footer) {
        return err_set(err, ERR_HOST, "%s: damaged index", log->path);
    }
    return check_index(log, data_len, err);
}

struct event_log *event_log_open(const char *path, struct err *err)
{
    struct event_log *log = mem_zalloc(sizeof *log);
    log->path = mem_strdup(path);
    log->cached = NO_FRAME;
    log->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (log->fd < 0) {
        err_errno(err, errno, "cannot open %s", path);
        event_log_free(log);
        return NULL;
    }
    if (load_index(log, err)) {
        event_log_free(log);
        return NULL;
    }
    log->zstd = ZSTD_createDCtx();
    ASSERT(log->zstd != NULL);
    return log;
}

void event_log_free(struct event_log *log)
{
    if (!log) {
        return;
    }
    if (log->fd >= 0) {
        close(log->fd);
    }
    ZSTD_freeDCtx(log->zstd);
    buf_free(&log->packed);
    buf_free(&log->raw);
    free(log->index);
    free(log->path);
    free(log);
}

uint64_t event_log_first_seq(const struct event_log *log)
{
    return log->index_count ? log->index[0].first_seq : 0;
}

uint64_t event_log_count(const struct event_log *log)
{
    return log->records;
}

static int load_frame(struct event_log *log, size_t frame, struct err *err)
{
    const struct event_index_entry *e = &log->index[frame];
    if (log->cached == frame) {
        return 0;
    }
    log->cached = NO_FRAME;
    buf_reset(&log->packed);
    buf_reset(&log->raw);
    buf_reserve(&log->packed, e->packed_len);
    buf_reserve(&log->raw, e->raw_len);
    if (read_at(log, log->packed.data, e->packed_len, e->offset, err)) {
        return -1;
    }
    size_t n =
        ZSTD_decompressDCtx(log->zstd, log->raw.data, e->raw_len, log->packed.data, e->packed_len);
    if (ZSTD_isError(n) || n != e->raw_len) {
        return err_set(err, ERR_HOST, "%s: damaged frame %zu: %s", log->path, frame,
                       ZSTD_isError(n) ? ZSTD_getErrorName(n) : "wrong length");
    }
    log->raw.len = n;
    log->cached = frame;
    return 0;
}

static int visit_frame(struct event_log *log, uint64_t from_ns, uint64_t to_ns,
                       event_visit_fn *visit, void *ctx, struct err *err)
{
    size_t at = 0;
    while (at < log->raw.len) {
        if (!event_well_formed(log->raw.data + at, log->raw.len - at)) {
            return err_set(err, ERR_HOST, "%s: damaged record", log->path);
        }
        /* Frames start aligned (malloc) and record sizes are multiples of 8. */
        const struct event *ev = (const struct event *)(const void *)(log->raw.data + at);
        if (ev->vtime_ns > to_ns) {
            return 0;
        }
        int rc = ev->vtime_ns >= from_ns ? visit(ctx, ev) : 0;
        if (rc) {
            return rc;
        }
        at += ev->size;
    }
    return 0;
}

/* First frame whose last record is not before `from_ns`. */
static size_t first_frame(const struct event_log *log, uint64_t from_ns)
{
    size_t lo = 0;
    size_t hi = log->index_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (log->index[mid].last_vtime_ns < from_ns) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

int event_log_visit(struct event_log *log, uint64_t from_ns, uint64_t to_ns, event_visit_fn *visit,
                    void *ctx, struct err *err)
{
    for (size_t i = first_frame(log, from_ns);
         i < log->index_count && log->index[i].first_vtime_ns <= to_ns; i++) {
        int rc = load_frame(log, i, err);
        if (rc == 0) {
            rc = visit_frame(log, from_ns, to_ns, visit, ctx, err);
        }
        if (rc) {
            return rc;
        }
    }
    return 0;
}
