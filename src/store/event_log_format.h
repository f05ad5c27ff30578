/* On-disk index of an event log, shared by its writer and its reader. Little-endian. */
#ifndef EVERETT_STORE_EVENT_LOG_FORMAT_H
#define EVERETT_STORE_EVENT_LOG_FORMAT_H

#include <stdint.h>

/* The index travels in a zstd skippable frame (RFC 8878, 3.1.2), which decoders ignore. */
#define EVENT_INDEX_FRAME_MAGIC 0x184d2a55u
#define EVENT_INDEX_MAGIC       0x3158444956450a0dull /* "\r\nEVIDX1" */

struct event_index_entry {
    uint64_t offset; /* of the frame in the file */
    uint32_t packed_len, raw_len;
    uint64_t first_seq;
    uint64_t first_vtime_ns, last_vtime_ns;
};

/* The last bytes of the file. */
struct event_index_footer {
    uint64_t entries;
    uint64_t records;
    uint64_t magic;
};

_Static_assert(sizeof(struct event_index_entry) == 40, "index entry layout");
_Static_assert(sizeof(struct event_index_footer) == 24, "index footer layout");

#endif
