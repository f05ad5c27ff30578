/* Answers a universe's questions about host files (abi/import.h).
 *
 * One object serves one universe; several may share a store, in several processes too. Blocking: a
 * request may read directories and copy a file. */
#ifndef EVERETT_IMAGE_HOSTIMPORT_H
#define EVERETT_IMAGE_HOSTIMPORT_H

#include "abi/import.h"
#include "image/store.h"

struct hostimport;
struct buf;

/* `root`: the host directory that is inode 1, "/" for all of the host. Borrows `store`. */
struct hostimport *hostimport_create(struct image_store *store, const char *root, struct err *err);
void hostimport_destroy(struct hostimport *h);

/* The growing file that import_data.page counts in. Borrowed; the same for the object's life. What
 * was answered lies within the file and never changes; map it anew when it has grown. */
int hostimport_data_fd(const struct hostimport *h);

/* Always answers; a malformed request with -EINVAL. Trouble on the host's side that the universe
 * only sees as an errno is kept for hostimport_trouble. */
void hostimport_serve(struct hostimport *h, const struct import_request *request,
                      struct import_response *response);

/* Names the program that is about to run, by up to 4096 bytes of any kind: what it asks is
 * remembered in the store. */
void hostimport_expect(struct hostimport *h, const void *key, size_t key_len);
/* From now on answers are also given ahead, in `area` (IMPORT_AHEAD_BYTES, zeroed, shared with the
 * universe), until hostimport_unshare: all that the last universe of the same key asked, and, with
 * the answer about a name, what is asked next of such a file. */
void hostimport_share(struct hostimport *h, void *area);
/* Reads off what was taken; the area may go. */
void hostimport_unshare(struct hostimport *h);

/* What went wrong first ("/etc/shadow: changed ..."), or NULL. Owned by the object. */
const char *hostimport_trouble(const struct hostimport *h);

/* Everything the universe learnt of the host, as a JSON array sorted by path: names, kinds,
 * attributes, digests of contents, link targets, refusals. Two universes saw the same host exactly
 * when these are equal. Appends to `out`. */
void hostimport_record(const struct hostimport *h, struct buf *out);

/* Makes copies known to later runs; hostimport_destroy does the same without telling of errors. */
int hostimport_flush(struct hostimport *h, struct err *err);

#endif
