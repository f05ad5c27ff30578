/* everett image: load, ls, rm, inspect. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/verbs.h"
#include "image/list.h"
#include "image/store.h"

/* Loading is a program of its own: it alone needs libarchive and the dozen shared libraries that
 * come with it. */
static int load(char **files, bool json)
{
    char **args = NULL;
    size_t count = 0, cap = 0;
    if (json) {
        *ARRAY_PUSH(args, count, cap) = (char *)(uintptr_t) "--json";
    }
    *ARRAY_PUSH(args, count, cap) = (char *)(uintptr_t) "--";
    for (; *files; files++) {
        *ARRAY_PUSH(args, count, cap) = *files;
    }
    int status = cli_become("everett-image-load", args, count);
    free(args);
    return status;
}

static void print_info(const struct image_info *info)
{
    const char *kind = info->record.directory ? "(packed directory)" : "(no name)";
    double mib = (double)info->record.data_len / (1 << 20);
    for (size_t i = 0; i < info->refs.count; i++) {
        printf("%-48s sha256:%.12s  %9.1f MiB\n", info->refs.items[i], info->record.id, mib);
    }
    if (info->refs.count == 0) {
        printf("%-48s sha256:%.12s  %9.1f MiB\n", kind, info->record.id, mib);
    }
}

static int ls(struct image_store *s, bool json, struct err *err)
{
    struct image_infos infos;
    if (json) {
        cleanup_buf struct buf b = {0};
        if (image_list_json(s, &b, err)) {
            return -1;
        }
        fputs(b.data, stdout);
        return 0;
    }
    if (image_list(s, &infos, err)) {
        return -1;
    }
    for (size_t i = 0; i < infos.count; i++) {
        print_info(&infos.items[i]);
    }
    if (infos.count == 0) {
        fprintf(stderr, "no images; load one with: everett image load FILE.tar\n");
    }
    image_infos_fini(&infos);
    return 0;
}

static int rm(struct image_store *s, char **refs, struct err *err)
{
    for (; *refs; refs++) {
        if (image_rm(s, *refs, err)) {
            return -1;
        }
    }
    return 0;
}

static int inspect(struct image_store *s, const char *ref, struct err *err)
{
    cleanup_buf struct buf b = {0};
    if (image_inspect_json(s, ref, &b, err)) {
        return -1;
    }
    fputs(b.data, stdout);
    return 0;
}

/* What a word after `image` needs: at least `least` operands, at most `most`. */
static const struct {
    const char *name;
    int least, most;
    const char *missing;
} actions[] = {
    {"load", 1, 1 << 20, "which archive? (`-` is standard input)"},
    {"ls", 0, 0, ""},
    {"rm", 1, 1 << 20, "which image?"},
    {"inspect", 1, 1, "which image?"},
};

static int check(const struct cli_verb *v, char **words)
{
    int n = 0;
    while (words[n]) {
        n++;
    }
    if (n == 0) {
        return cli_usage(v, "load, ls, rm or inspect?");
    }
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (strcmp(actions[i].name, words[0]) == 0) {
            return n - 1 < actions[i].least ? cli_usage(v, "%s: %s", words[0], actions[i].missing)
                   : n - 1 > actions[i].most
                       ? cli_usage(v, "%s: `%s` is too much", words[0], words[actions[i].most + 1])
                       : CLI_OK;
        }
    }
    return cli_usage(v, "there is no `image %s`; load, ls, rm or inspect?", words[0]);
}

int verb_image(const struct cli_verb *v, int argc, char **argv)
{
    bool json = false, done;
    const struct cli_option options[] = {
        {"json", CLI_FLAG, &json, NULL, "print JSON"},
    };
    int first = cli_parse(v, options, ARRAY_LEN(options), argc, argv, false, &done);
    if (done || first < 0) {
        return done ? CLI_OK : CLI_USAGE;
    }
    char **words = argv + first;
    int status = check(v, words);
    if (status) {
        return status;
    }
    if (strcmp(words[0], "load") == 0) {
        return load(words + 1, json);
    }
    cleanup_err struct err err = {0};
    struct image_store *s = image_store_open(NULL, &err);
    int r = -1;
    if (s) {
        r = strcmp(words[0], "ls") == 0   ? ls(s, json, &err)
            : strcmp(words[0], "rm") == 0 ? rm(s, words + 1, &err)
                                          : inspect(s, words[1], &err);
        image_store_close(s);
    }
    return r ? cli_fail(&err) : CLI_OK;
}
