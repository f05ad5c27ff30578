/* make_synthetic DIR: runs and reports for the browser test, one directory each. */
#include <stdio.h>

#include "base/buf.h"
#include "report/report.h"
#include "synthetic.h"

static const struct {
    const char *name;
    enum synthetic_kind kind;
} runs[] = {
    {"etcd/2026-11-21T18-04", SYNTHETIC_EARLIER},
    {"etcd/2026-11-22T18-04", SYNTHETIC_FAILING},
    {"empty/run", SYNTHETIC_EMPTY},
    {"setup/run", SYNTHETIC_SETUP_FAILED},
    {"passing/run", SYNTHETIC_PASSING},
};

static int make(const char *dir, enum synthetic_kind kind, struct err *err)
{
    if (synthetic_run(dir, kind, err)) {
        return -1;
    }
    struct store *s = store_open(dir, err);
    struct report_options options = {.run_path = "runs/2026-11-22T18-04"};
    struct report *r = s ? report_create(s, &options, err) : NULL;
    int rc = r ? report_write(r, err) : -1;
    report_destroy(r);
    store_close(s);
    return rc;
}

int main(int argc, char **argv)
{
    cleanup_err struct err err = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: make_synthetic DIR\n");
        return 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        cleanup_buf struct buf path = {0};
        buf_printf(&path, "%s/%s", argv[1], runs[i].name);
        if (make(path.data, runs[i].kind, &err)) {
            fprintf(stderr, "%s: %s\n", path.data, err.msg);
            return 1;
        }
    }
    return 0;
}
