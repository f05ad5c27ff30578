/* The least of a file layer that pipes, epoll and their kin need: files without descriptors' rules.
 */
#ifndef EVERETT_TESTS_SPECIAL_FIXTURE_H
#define EVERETT_TESTS_SPECIAL_FIXTURE_H

#include "fake_machine.h"
#include "kernel/vfs/file.h"

/* Reads or writes through the file's operations with kernel memory. Bytes or -errno. */
int64_t file_write_bytes(struct task *t, struct file *f, const void *data, size_t n);
int64_t file_read_bytes(struct task *t, struct file *f, void *data, size_t n);

#endif
