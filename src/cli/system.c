#include "cli/system.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "compose/diag.h"
#include "image/store.h"

int system_load(struct system_ready *out, const struct system_request *r, bool keep_partial,
                struct err *err)
{
    *out = (struct system_ready){0};
    struct compose_opts opts = {.keep_partial = keep_partial};
    if (r->profiles) {
        opts.profiles = (const char *const *)r->profiles->items;
        opts.profile_count = r->profiles->count;
    }
    return compose_load(r->dir, &opts, &out->project, err);
}

static int read_faults(struct fault_config *c, const char *faults, struct err *err)
{
    if (faults && strcmp(faults, "none") == 0) {
        fault_config_none(c);
        return 0;
    }
    if (faults) {
        return fault_config_read(c, faults, err);
    }
    fault_config_default(c);
    return 0;
}

static int check_template(const struct test_commands *t, const char *name, struct err *err)
{
    if (!name || test_commands_has_template(t, name)) {
        return 0;
    }
    err_set(err, ERR_USAGE, "no image holds a template `%s`", name);
    cleanup_buf struct buf known = {0};
    for (size_t i = 0; i < t->count; i++) {
        if (i == 0 || strcmp(t->commands[i].template, t->commands[i - 1].template) != 0) {
            buf_printf(&known, "%s%s", known.len ? ", " : "", t->commands[i].template);
        }
    }
    return err_hint(err, "%s%s",
                    known.len ? "the templates are: " : "there is none under " TEST_COMMANDS_DIR,
                    known.len ? known.data : "");
}

int system_build(struct system_ready *s, const struct system_request *r, struct err *err)
{
    if (read_faults(&s->faults, r->faults, err) ||
        (r->images && image_pins_read(&s->pins, r->images, err))) {
        return -1;
    }
    cleanup_free char *libvoidstar = cli_companion("libvoidstar.so", err);
    cleanup_free char *stop_faults = libvoidstar ? cli_companion("stop-faults", err) : NULL;
    s->store = stop_faults ? image_store_open(NULL, err) : NULL;
    if (!s->store) {
        return -1;
    }
    struct compose_plan_request req = {.project = s->project,
                                       .dir = r->dir,
                                       .store = s->store,
                                       .pins = &s->pins,
                                       .libvoidstar = libvoidstar,
                                       .stop_faults = stop_faults,
                                       .faults = &s->faults,
                                       .template_only = r->template_only,
                                       .length_ns = r->length_ns,
                                       .setup_limit_ns = r->setup_limit_ns};
    if (compose_plan_build(&s->plan, &req, err)) {
        return -1;
    }
    test_commands_find(&s->commands, s->project, &s->plan.images);
    return check_template(&s->commands, r->template_only, err);
}

void system_fini(struct system_ready *s)
{
    test_commands_fini(&s->commands);
    compose_plan_fini(&s->plan);
    fault_config_fini(&s->faults);
    image_pins_fini(&s->pins);
    if (s->project) {
        compose_destroy(s->project);
    }
    if (s->store) {
        image_store_close(s->store);
    }
    *s = (struct system_ready){0};
}
