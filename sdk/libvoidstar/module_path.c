/* Reads /proc/self/maps (proc(5)) one byte at a time, since there is neither stdio nor a heap. A
 * line is "start-end perms offset dev inode [path]", ascending by address. */
#include "sdk/libvoidstar/module_path.h"

#include <stdbool.h>

#include "sdk/common/rawcall.h"

enum { OPEN_READ_CLOEXEC = 02000000, FIELDS_BEFORE_PATH = 5 };

struct line {
    uintptr_t start, end;
    size_t path_length;
};

struct reader {
    int fd;
    size_t used, filled;
    char bytes[1024];
};

/* -1 at the end of the file. */
static int reader_next(struct reader *in)
{
    if (in->used == in->filled) {
        long got = raw_call3(RAW_READ, in->fd, raw_pointer(in->bytes), sizeof(in->bytes));
        if (got <= 0) {
            return -1;
        }
        in->filled = (size_t)got;
        in->used = 0;
    }
    return (unsigned char)in->bytes[in->used++];
}

static uintptr_t read_hex(struct reader *in, int *stop)
{
    uintptr_t value = 0;
    for (;;) {
        int c = reader_next(in);
        bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) {
            *stop = c;
            return value;
        }
        value = value * 16 + (uintptr_t)(digit ? c - '0' : c - 'a' + 10);
    }
}

/* Keeps only absolute paths: "[heap]" and the like name no file. Overlong ones count as none. */
static bool read_line(struct reader *in, struct line *line, char *path, size_t size)
{
    int c;
    line->start = read_hex(in, &c);
    if (c != '-') {
        return false;
    }
    line->end = read_hex(in, &c);
    line->path_length = 0;
    size_t n = 0;
    int fields = 1;
    bool in_gap = c == ' ';
    for (c = reader_next(in); c != '\n' && c != -1; c = reader_next(in)) {
        if (c == ' ' && fields < FIELDS_BEFORE_PATH) {
            fields += in_gap ? 0 : 1;
            in_gap = true;
        } else if (fields < FIELDS_BEFORE_PATH || (c == ' ' && n == 0)) {
            in_gap = false;
        } else if (n < size) {
            path[n++] = (char)c;
        }
    }
    if (n == size) {
        path[0] = '\0';
    } else if (n > 0 && path[0] == '/') {
        path[n] = '\0';
        line->path_length = n;
    }
    return true;
}

static bool search_maps(int fd, uintptr_t address, char *path, size_t size)
{
    struct reader in = {.fd = fd};
    struct line line;
    uintptr_t file_end = 0; /* where the last file mapping, or what follows it gapless, ends */
    for (;;) {
        /* The path of a file mapping must survive a following anonymous line, whose own (empty)
         * path writes nothing. "[heap]" would overwrite it, but is never gapless with .bss pages
         * of a library and stands for the program itself otherwise. */
        if (!read_line(&in, &line, path, size)) {
            return false;
        }
        if (line.path_length > 0 || line.start == file_end) {
            file_end = line.end;
        } else {
            file_end = 0;
        }
        if (address >= line.start && address < line.end) {
            return file_end != 0 && path[0] == '/';
        }
    }
}

void module_path(uintptr_t address, char *path, size_t size)
{
    static const char unknown[] = "unknown";
    path[0] = '\0';
    long fd = raw_call2(RAW_OPEN, raw_pointer("/proc/self/maps"), OPEN_READ_CLOEXEC);
    if (fd >= 0) {
        bool found = search_maps((int)fd, address, path, size);
        raw_call1(RAW_CLOSE, fd);
        if (found) {
            return;
        }
    }
    long n =
        raw_call3(RAW_READLINK, raw_pointer("/proc/self/exe"), raw_pointer(path), (long)size - 1);
    if (n > 0) {
        path[n] = '\0';
        return;
    }
    for (size_t i = 0; i < sizeof(unknown); i++) {
        path[i] = unknown[i];
    }
}
