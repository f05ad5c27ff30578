/* everett-image-load: what `everett image load` starts. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "image/load.h"
#include "image/store.h"

static void print_loaded(const struct image_load_result *r, bool json)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct image_loaded *l = &r->images[i];
        if (!json) {
            for (size_t k = 0; k < l->refs.count; k++) {
                printf("%s  sha256:%.12s\n", l->refs.items[k], l->id);
            }
            if (l->refs.count == 0) {
                printf("sha256:%s  (no name)\n", l->id);
            }
            continue;
        }
        cleanup_buf struct buf b = {0};
        buf_printf(&b, "{\"kind\":\"loaded\",\"id\":\"sha256:%s\",\"refs\":[", l->id);
        for (size_t k = 0; k < l->refs.count; k++) {
            buf_puts(&b, k ? "," : "");
            buf_json_string(&b, l->refs.items[k], strlen(l->refs.items[k]));
        }
        buf_puts(&b, "]}");
        puts(b.data);
    }
}

static int load(struct image_store *s, char **files, bool json, struct err *err)
{
    for (; *files; files++) {
        struct image_load_result r;
        if (image_load(s, *files, NULL, &r, err)) {
            return -1;
        }
        print_loaded(&r, json);
        fflush(stdout);
        image_load_result_fini(&r);
    }
    return 0;
}

static int run(const struct cli_verb *v, int argc, char **argv)
{
    bool json = false, done;
    const struct cli_option options[] = {
        {"json", CLI_FLAG, &json, NULL, "print JSON"},
    };
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, true, &done);
    if (done || first < 0) {
        return done ? CLI_OK : CLI_USAGE;
    }
    cleanup_err struct err err = {0};
    struct image_store *s = image_store_open(NULL, &err);
    int r = s ? load(s, argv + first, json, &err) : -1;
    image_store_close(s);
    return r ? cli_fail(&err) : CLI_OK;
}

int main(int argc, char **argv)
{
    static const struct cli_verb verb = {"image load", "FILE...", "keep container images", run};
    return run(&verb, argc, argv);
}
