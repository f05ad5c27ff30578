/* Packed image: the read-only form in which a universe sees a container image.
 *
 * Two kinds of host file, both immutable once named:
 *  - a DATA file per image layer: the contents of its regular files, each starting on a page
 *    boundary, zero-padded to a page, so that the kernel maps guest pages straight from it. The
 *    store names it by its own SHA-256, so the index leads to it; a layer without contents has
 *    one of length 0 (which mmap refuses);
 *  - an INDEX file per image: the merged tree of all layers (whiteouts applied). It is mapped at a
 *    fixed address and read in place; every reference inside it is an offset or an index.
 *
 * All integers little-endian. The writer zeroes every padding byte and orders everything by the
 * stated comparators, so equal images give equal files. */
#ifndef EVERETT_ABI_PACK_H
#define EVERETT_ABI_PACK_H

#include <stdint.h>

#define PACK_MAGIC    "EVPACK\0\1" /* 8 bytes; the last one is the format version */
#define PACK_PAGE     4096u
#define PACK_ROOT_INO 1u

struct pack_header {
    char magic[8];
    uint32_t inode_count; /* valid inode numbers are 1..inode_count */
    uint32_t dirent_count;
    uint32_t xattr_count;
    uint32_t patch_count;
    uint32_t data_count; /* data files, in layer order, lowest first */
    uint32_t reserved;
    uint64_t inodes_off;  /* struct pack_inode[inode_count]; ino 1 is element 0 */
    uint64_t dirents_off; /* struct pack_dirent[] */
    uint64_t xattrs_off;  /* struct pack_xattr[] */
    uint64_t patches_off; /* struct pack_patch[] */
    uint64_t data_off;    /* struct pack_data[data_count] */
    uint64_t strings_off; /* bytes; names and link targets are NUL-terminated here as well */
    uint64_t strings_len;
    uint64_t total_len;
};

/* Inode numbers follow the depth-first walk of the merged tree in name order (bytewise), root
 * first, so they depend on the image alone. Hard links share one inode. */
struct pack_inode {
    uint32_t mode; /* S_IFMT | permission bits, as stat(2) */
    uint32_t uid, gid;
    uint32_t nlink;
    uint64_t size; /* directories: one page */
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint32_t rdev_major, rdev_minor;
    uint32_t parent; /* directories: inode number of the parent (root: itself) */
    union {
        struct {
            uint32_t first, count; /* directory: its run in the dirent array */
        } dir;
        struct {
            uint32_t data; /* regular file: which data file ... */
            uint32_t reserved;
            uint64_t page; /* ... and its first page there (both mean nothing when size is 0) */
        } reg;
        struct {
            uint64_t off; /* symbolic link: target in the string area, `size` bytes */
        } link;
    };
    uint32_t xattr_first, xattr_count;
    uint32_t patch_first, patch_count; /* ELF files: system call sites, ascending by offset */
};

/* Sorted bytewise by name within its directory; "." and ".." are not stored. */
struct pack_dirent {
    uint64_t name_off;
    uint32_t name_len;
    uint32_t ino;
};

/* Sorted bytewise by name within its inode; names as in xattr(7), "security.capability". */
struct pack_xattr {
    uint64_t name_off, value_off;
    uint32_t name_len, value_len;
};

struct pack_data {
    uint8_t sha256[32]; /* of the data file */
    uint64_t pages;
};

/* How one `syscall` instruction (0f 05) of an ELF file may be turned into a jump, and one that must
 * not reach the processor into a trap. Decided by
 * disassembling the whole executable segment, never by looking around the site. No byte belongs to
 * two patches of a file. Offsets are file offsets; a site and what it uses lie in one segment. */
enum pack_patch_form {
    /* The two bytes become `jmp rel8` to five bytes of padding (nop or int3, perhaps in the middle
     * of a longer nop, not reachable otherwise) at offset + 2 + delta; these get a `jmp rel32`. */
    PACK_PATCH_SHORT = 1,
    /* `length` (5 or more) bytes from the site on are replaced by a `jmp rel32`. The instructions
     * behind the syscall within them are position independent, whole, not branches, and no direct
     * jump in the file lands inside; they are copied behind the call in the trampoline. */
    PACK_PATCH_FORWARD = 2,
    /* RDRAND, RDSEED or RDPID of `length` bytes, prefixes included: wherever it is mapped to be
     * executed, the 0f c7 in it becomes UD2 (0f 0b). */
    PACK_PATCH_TRAP = 3,
};

#define PACK_TRAP_MAX 15u /* the longest instruction of the architecture */

struct pack_patch {
    uint64_t offset; /* file offset of the instruction */
    uint8_t form;
    uint8_t length; /* FORWARD: bytes replaced, counting the 0f 05 itself; at most 20. TRAP */
    int8_t delta;   /* SHORT */
    uint8_t reserved[5];
};

_Static_assert(sizeof(struct pack_header) == 96, "pack header layout");
_Static_assert(sizeof(struct pack_inode) == 80, "pack inode layout");
_Static_assert(sizeof(struct pack_dirent) == 16, "pack dirent layout");
_Static_assert(sizeof(struct pack_patch) == 16, "pack patch layout");

#endif
