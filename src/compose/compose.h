/* A compose project: the file `docker-compose.yaml` of a directory, read, checked and resolved into
 * data that needs no further look at the file. Host code; blocks on file reads only.
 *
 * Nothing enters but the files of the directory and `struct compose_opts`: not the shell's
 * environment, not the directory's own name, no clock. Two loads of equal files give equal
 * projects, byte for byte in compose_json(). */
#ifndef EVERETT_COMPOSE_COMPOSE_H
#define EVERETT_COMPOSE_COMPOSE_H

#include "compose/service.h"

struct buf;
struct err;

enum compose_class {
    COMPOSE_HONOURED,
    COMPOSE_WITHOUT_EFFECT, /* accepted; `reason` says why nothing follows from it */
    COMPOSE_REFUSED,        /* an error; `reason` says why */
};

/* One use of a key in the file. */
struct compose_note {
    enum compose_class class;
    char *path; /* "services.etcd0.logging" */
    const char *reason;
    uint32_t line, col;
};

struct compose_warning {
    char *file;         /* relative to the directory */
    uint32_t line, col; /* 0: the whole file */
    char *text;
};

struct compose_network {
    char *key;                    /* as services name it */
    char *name;                   /* in full: `name:`, or project_key */
    bool used;                    /* an active service is attached */
    bool internal;                /* no route out (there is no outside in a universe anyway) */
    bool no_ipv4;                 /* enable_ipv4: false */
    bool want_ipv6;               /* enable_ipv6: true, or an IPv6 subnet */
    struct compose_subnet v4, v6; /* family 0: none */
    struct compose_ip gateway4, gateway6;
    struct compose_subnet range4, range6; /* ip_range; family 0: the whole subnet */
    struct compose_ip *reserved;          /* aux_addresses */
    size_t reserved_count, reserved_cap;
    struct compose_pairs labels;
    uint32_t line, col;
};

struct compose_volume {
    char *key;
    char *name;
    struct compose_pairs labels;
};

/* Where a container meets a network. */
struct compose_endpoint {
    size_t network;               /* index in the project's networks */
    struct compose_ip ipv4, ipv6; /* family 0: none */
    struct compose_strings names; /* what DNS of this network answers with this container */
    char *interface_name;         /* "eth0" ... unless given */
};

/* A node of the universe. */
struct compose_container {
    char *name;       /* container_name, else the service, else service-N */
    size_t service;   /* index in the project's services */
    uint32_t replica; /* from 1 */
    char id[65];      /* 64 hex digits, from the project's, service's and replica's names */
    char *hostname;   /* `hostname:`, else the first 12 digits of `id` */
    struct compose_endpoint *endpoints; /* as the service's attachments */
    size_t endpoint_count, endpoint_cap;
    /* Index of the container whose interfaces it shares (network_mode: service:x), or SIZE_MAX. */
    size_t shares_net_of;
};

struct compose_project {
    char *name;
    char *file;                       /* "docker-compose.yaml" */
    struct compose_strings others;    /* files read by `extends` and `include`, in that order */
    struct compose_service *services; /* ordered by name */
    size_t service_count, service_cap;
    struct compose_network *networks; /* ordered by key */
    size_t network_count, network_cap;
    struct compose_volume *volumes; /* ordered by key */
    size_t volume_count, volume_cap;
    struct compose_container *containers; /* by service name, then replica */
    size_t container_count, container_cap;
    size_t *start_order; /* indices of active services, dependencies first, ties by name */
    size_t start_count;
    struct compose_note *notes; /* in file order */
    size_t note_count, note_cap;
    struct compose_warning *warnings;
    size_t warning_count, warning_cap;
};

struct compose_opts {
    /* Beats `name:` and COMPOSE_PROJECT_NAME of .env; NULL for none of it. A project that is named
     * nowhere is called "project": the directory's name must not change what a universe sees. */
    const char *project_name;
    const char *const *profiles; /* switched on besides COMPOSE_PROFILES of .env; "*" for all */
    size_t profile_count;
    /* Hand out the project even when the load fails, as far as it was read (for its notes). */
    bool keep_partial;
};

/* A compose file in memory; all borrowed. */
struct compose_text {
    const char *file; /* its name in messages */
    const char *text;
    size_t len;
    int dirfd;           /* where relative paths are looked up; -1 for an empty place */
    const char *warning; /* about the file as a whole, to be kept with the others; or NULL */
};

/* `opts` may be NULL. On failure returns -1 with all errors of the file in `err->msg`, each as
 * `file:line:col: message` with the line and a caret, and `*out` is NULL unless opts->keep_partial
 * asked for what there is. The caller destroys the project. */
int compose_load(const char *dir, const struct compose_opts *opts, struct compose_project **out,
                 struct err *err);
/* The same from memory. */
int compose_parse(const struct compose_text *in, const struct compose_opts *opts,
                  struct compose_project **out, struct err *err);
void compose_destroy(struct compose_project *p);

/* NULL when there is none. */
const struct compose_service *compose_service_find(const struct compose_project *p,
                                                   const char *name);
size_t compose_note_count(const struct compose_project *p, enum compose_class class);

/* The resolved project for people (`everett validate`), and as JSON for reports. */
void compose_describe(const struct compose_project *p, struct buf *out);
void compose_json(const struct compose_project *p, struct buf *out);

#endif
