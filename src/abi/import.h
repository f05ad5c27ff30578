/* Host files for universes that run host programs without an image.
 *
 * The kernel asks, the runner answers (image/hostimport.h), one request at a time, through a
 * mailbox of one request and one response in shared memory. A question costs two switches between
 * processes, so the runner also puts answers it expects to be asked for into an area that the
 * engine looks into first; that they lie there changes nothing a guest can see. `ino` is therefore
 * a mere handle: the kernel numbers files itself, in the order in which its own questions bring
 * them up. An answer once given stays: asking again gives the same attributes and errors, whatever
 * happens on the host meanwhile.
 *
 * /proc, /sys, /dev, /run, every other kernel file system and Everett's own store appear as empty
 * directories marked IMPORT_EXCLUDED: the kernel mounts its own there.
 *
 * Little-endian; unused bytes are zero. */
#ifndef EVERETT_ABI_IMPORT_H
#define EVERETT_ABI_IMPORT_H

#include <stdint.h>

#include "abi/pack.h"

#define IMPORT_ROOT_INO    1u
#define IMPORT_NAME_MAX    255u
#define IMPORT_PAYLOAD_MAX 65408u

enum import_op {
    /* ino, name: one entry of a directory ("." is the directory itself); no symbolic link is
     * followed. Fills attr. -ENOENT, -ENOTDIR, -EACCES. */
    IMPORT_LOOKUP = 1,
    /* ino, cursor: entries as struct import_dirent, bytewise by name, without "." and "..". Start
     * with cursor 0 and go on with `cursor` of the response until that is 0. -ENOTDIR, -EACCES. */
    IMPORT_READDIR = 2,
    /* ino: the target, `length` bytes. -EINVAL when it is no symbolic link. */
    IMPORT_READLINK = 3,
    /* ino, cursor: a regular file's contents as struct import_data, then pack_patch records from
     * number `cursor` on; `cursor` of the response goes on with them, 0 when all were given.
     * -EACCES: the host lets us not read it. -EINVAL: no regular file. -EIO: it changed on the
     * host since it was first seen, or could not be copied. */
    IMPORT_DATA = 4,
};

struct import_request {
    uint32_t op;
    uint32_t ino;
    uint64_t cursor;
    uint32_t name_len;
    uint32_t reserved;
    char name[IMPORT_NAME_MAX + 1];
};

#define IMPORT_EXCLUDED 1u /* in import_attr.flags */

struct import_attr {
    uint32_t ino;
    uint32_t mode; /* S_IFMT | permission bits, as stat(2) */
    uint32_t uid, gid;
    uint32_t nlink; /* directories: 1, as on file systems that do not count */
    uint32_t flags;
    uint32_t rdev_major, rdev_minor;
    uint64_t size; /* directories: one page */
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint32_t reserved;
};

/* The next one starts `record_len` bytes on, a multiple of 8. With the attributes in the listing,
 * the kernel needs no LOOKUP in a directory it has listed, not even to know a name is absent. */
struct import_dirent {
    struct import_attr attr;
    uint16_t record_len;
    uint8_t type; /* DT_REG ...: S_IFMT >> 12 */
    uint8_t name_len;
    uint32_t reserved;
    char name[]; /* NUL-terminated */
};

struct import_data {
    uint64_t page;         /* first page in the import data file; undefined when the size is 0 */
    uint8_t sha256[32];    /* of the contents */
    uint32_t patch_count;  /* of the whole file */
    uint32_t patches_here; /* pack_patch records that follow */
};

struct import_response {
    int32_t result;  /* 0 or a negative errno; then all else is zero */
    uint32_t length; /* bytes used in payload */
    uint64_t cursor;
    struct import_attr attr; /* LOOKUP, DATA */
    uint64_t reserved;
    _Alignas(8) unsigned char payload[IMPORT_PAYLOAD_MAX];
};

/* --- answers given ahead ---------------------------------------------------------------------- */

#define IMPORT_AHEAD_BYTES (4u << 20)
#define IMPORT_AHEAD_SLOTS 8192u /* a power of two; at most half of them are filled */

/* Followed by the name, padded to 8 bytes, and `length` bytes of payload. */
struct import_answer {
    uint32_t op, ino;
    uint64_t cursor;
    uint32_t name_len;
    uint32_t taken; /* set by the engine when the kernel asked */
    int32_t result;
    uint32_t length;
    uint64_t next_cursor;
    struct import_attr attr;
};

/* Only the runner writes here, and only while no question is open, or before the universe starts.
 */
struct import_ahead {
    /* Where the answer to a question of this hash is, in units of 8 bytes from here; 0: nowhere.
     * Collisions are in the next slots. */
    uint32_t slots[IMPORT_AHEAD_SLOTS];
};

static inline uint32_t import_slot(const struct import_request *q)
{
    uint32_t h = 2166136261u ^ q->op * 0x9e3779b1u ^ q->ino * 0x85ebca77u ^ (uint32_t)q->cursor;
    for (uint32_t i = 0; i < q->name_len && i < IMPORT_NAME_MAX; i++) {
        h = (h ^ (unsigned char)q->name[i]) * 16777619u; /* FNV-1a */
    }
    return (h ^ h >> 15) & (IMPORT_AHEAD_SLOTS - 1);
}

static inline uint64_t import_answer_name_room(uint32_t name_len)
{
    return (name_len + 7u) & ~7u;
}

_Static_assert(sizeof(struct import_answer) == 96, "import answer layout");
_Static_assert(sizeof(struct import_request) == 280, "import request layout");
_Static_assert(sizeof(struct import_attr) == 56, "import attributes layout");
_Static_assert(sizeof(struct import_dirent) == 64, "import directory entry layout");
_Static_assert(sizeof(struct import_data) == 48, "import data layout");
_Static_assert(sizeof(struct import_response) <= 65536, "import response layout");

#endif
