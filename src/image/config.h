/* Image configuration (OCI image specification "config", Docker's superset), read from the config
 * blob of an image. */
#ifndef EVERETT_IMAGE_CONFIG_H
#define EVERETT_IMAGE_CONFIG_H

#include "base/err.h"

struct image_strings {
    char **items; /* owned */
    size_t count, cap;
};

struct image_label {
    char *key, *value; /* owned */
};

/* Docker-format configs only; `test` is empty when there is none. Durations in nanoseconds, 0 where
 * the image leaves them to the default. */
struct image_healthcheck {
    struct image_strings test; /* "NONE", "CMD" args ..., "CMD-SHELL" command */
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
    int64_t retries;
};

struct image_config {
    struct image_strings entrypoint, cmd; /* argv is their concatenation */
    struct image_strings env;             /* NAME=VALUE in the image's order */
    char *workdir;                        /* owned; "/" when the image has none */
    char *user;                           /* owned; "" when the image has none */
    struct image_strings volumes, ports;  /* sorted bytewise */
    char *stop_signal;                    /* owned; "SIGTERM" when the image has none */
    struct image_label *labels;           /* owned; sorted by key */
    size_t label_count, label_cap;
    struct image_healthcheck healthcheck;

    char *architecture, *os, *created; /* owned; "" when missing */
    struct image_strings diff_ids;     /* "sha256:..." lowest layer first */
};

/* ERR_USAGE, naming the field. Nothing is held on failure. */
int image_config_init(struct image_config *config, const char *json, size_t len, struct err *err);
void image_config_fini(struct image_config *config);

void image_strings_add(struct image_strings *s, const char *item, size_t len);
void image_strings_fini(struct image_strings *s);

#endif
