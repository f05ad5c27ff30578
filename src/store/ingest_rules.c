/* Built-in rules: judged from composer, fault, container and process events.
 *
 * A rule about many things (commands, containers, executables) is one property per thing. The rule
 * itself is declared in every universe without an item, so that a run in which nothing went wrong
 * says so; the ones with items speak for it as soon as there are any. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/ingest_priv.h"
#include "store/json_lenient.h"

struct rule {
    const char *name, *group, *display;
    enum property_kind kind;
    bool must_hit;
};

enum rule_id { ZERO, ONCE, CONTAINER, CRASH, SETUP, ENGINE };

/* ZERO need not be hit: a command that never finishes by itself is one finding, under ONCE. */
static const struct rule rules[] = {
    [ZERO] = {RULE_COMMAND_ZERO, "Commands", "Always", PROPERTY_ALWAYS, false},
    [ONCE] = {RULE_COMMAND_ONCE, "Commands", "Sometimes", PROPERTY_SOMETIMES, true},
    [CONTAINER] = {RULE_CONTAINER, "Containers", "Always", PROPERTY_UNREACHABLE, false},
    [CRASH] = {RULE_CRASH, "Crashes", "Always", PROPERTY_UNREACHABLE, false},
    [SETUP] = {RULE_SETUP, "Set-up", "Always", PROPERTY_ALWAYS, false},
    [ENGINE] = {RULE_ENGINE, "Engine", "Always", PROPERTY_ALWAYS, false},
};

static struct property *rule_get(struct ingest *in, enum rule_id id, const char *item)
{
    const struct rule *r = &rules[id];
    cleanup_buf struct buf text = {0};
    buf_printf(&text, "%s: %s", r->display, r->name);
    if (item) {
        buf_printf(&text, " \xe2\x86\x92 %s", item);
    }
    struct property_key key = {text.data, r->kind, r->must_hit};
    struct property *p = property_get(&in->set, &key);
    if (p && !p->group) {
        free(p->name);
        p->name = mem_strdup(r->name);
        p->group = mem_strdup(r->group);
        p->display_type = mem_strdup(r->display);
        p->item = item ? mem_strdup(item) : NULL;
        p->declared = true;
    }
    return p;
}

static void rule_record(struct ingest *in, enum rule_id id, const char *item, bool good,
                        const struct property_example *at)
{
    struct property *p = rule_get(in, id, item);
    if (p) {
        property_record(p, good, at);
    }
}

void ingest_rules_declare(struct ingest *in)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (i != ZERO && i != ONCE) { /* a run without test commands has no rules about them */
            (void)rule_get(in, (enum rule_id)i, NULL);
        }
    }
}

static json_t *payload_json(const struct event *ev)
{
    bool cut;
    return json_lenient((const char *)ev->payload, ev->length, &cut);
}

/* ---- commands ---- */

static struct task *task_find(struct ingest *in, const char *id)
{
    for (size_t i = 0; id && i < in->task_count; i++) {
        if (strcmp(in->tasks[i].id, id) == 0) {
            return &in->tasks[i];
        }
    }
    return NULL;
}

static void task_drop(struct ingest *in, struct task *t)
{
    free(t->id);
    free(t->command);
    size_t i = (size_t)(t - in->tasks);
    in->task_count--;
    memmove(t, t + 1, (in->task_count - i) * sizeof *t);
}

/* The composer's own name of a task, wherever it put it. */
static const char *task_id(const json_t *doc)
{
    static const char *const keys[] = {"finished_task", "started_task", "task"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *id = json_text_member(doc, keys[i]);
        if (id) {
            return id;
        }
    }
    return NULL;
}

static void command_started(struct ingest *in, const struct event *ev, const json_t *doc)
{
    const char *id = task_id(doc);
    const char *command = json_text_member(doc, "command");
    if (!id || !command) {
        return;
    }
    (void)rule_get(in, ZERO, command);
    (void)rule_get(in, ONCE, command);
    struct task *old = task_find(in, id);
    if (old) {
        task_drop(in, old);
    }
    struct task *t = ARRAY_PUSH(in->tasks, in->task_count, in->task_cap);
    *t = (struct task){.id = mem_strdup(id),
                       .command = mem_strdup(command),
                       .started_ns = ev->vtime_ns,
                       .node = ev->node};
}

/* A command whose end was not its own doing says nothing about the system under test. */
static bool command_was_killed(const struct ingest *in, const struct event *ev, const json_t *doc,
                               const struct task *t)
{
    return json_truthy(json_object_get(doc, "by_injector")) ||
           json_truthy(json_object_get(doc, "killed")) || (t && t->killed) ||
           (ev->node < in->node_count && in->node_killed[ev->node]);
}

static void command_finished(struct ingest *in, const struct event *ev, const json_t *doc)
{
    struct task *t = task_find(in, task_id(doc));
    const char *command = json_text_member(doc, "command");
    if (!command && t) {
        command = t->command;
    }
    int64_t code = 0;
    bool has_code = json_to_i64(json_object_get(doc, "command_return_code"), &code);
    if (command && has_code && !command_was_killed(in, ev, doc, t)) {
        struct property_example at = ingest_example(in, ev);
        int64_t id = 0;
        if (json_to_i64(json_object_get(doc, "command_id"), &id)) {
            at.command_id = (uint32_t)id;
        }
        char details[64];
        snprintf(details, sizeof details, "{\"exit code\":%" PRId64 "}", code);
        at.details = details;
        rule_record(in, ZERO, command, code == 0, &at);
        rule_record(in, ONCE, command, code == 0, &at);
    }
    if (t) {
        task_drop(in, t);
    }
}

void ingest_composer(struct ingest *in, const struct event *ev)
{
    json_t *doc = payload_json(ev);
    const char *status = json_text_member(doc, "task_status");
    const char *found = json_text_member(doc, "new_command_path");
    if (found && !strstr(found, "/helper_")) {
        (void)rule_get(in, ZERO, found);
        (void)rule_get(in, ONCE, found);
    }
    if (status && strcmp(status, "started") == 0) {
        command_started(in, ev, doc);
    } else if (status && strcmp(status, "finished") == 0) {
        command_finished(in, ev, doc);
    }
    json_decref(doc);
}

/* ---- faults and containers ---- */

static void node_down(struct ingest *in, const char *name)
{
    bool all = strcmp(name, "ALL") == 0;
    for (size_t i = 0; i < in->node_count; i++) {
        if (all || strcmp(in->nodes[i], name) == 0) {
            in->node_killed[i] = true;
            for (size_t k = 0; k < in->task_count; k++) {
                in->tasks[k].killed |= in->tasks[k].node == i;
            }
        }
    }
}

void ingest_fault(struct ingest *in, const struct event *ev)
{
    json_t *doc = payload_json(ev);
    const json_t *fault = json_object_get(doc, "fault");
    const char *name = json_text_member(fault, "name");
    if (name && (strcmp(name, "kill") == 0 || strcmp(name, "stop") == 0)) {
        const json_t *nodes = json_object_get(fault, "affected_nodes");
        for (size_t i = 0; i < json_array_size(nodes); i++) {
            const char *node = json_string_value(json_array_get(nodes, i));
            if (node) {
                node_down(in, node);
            }
        }
    }
    json_decref(doc);
}

static void container_died(struct ingest *in, const struct event *ev, const json_t *doc)
{
    int64_t code = 0;
    const char *name = json_text_member(doc, "name");
    bool has_code = json_to_i64(json_object_get(doc, "container_exit_code"), &code);
    bool injected = json_truthy(json_object_get(doc, "by_injector")) ||
                    (ev->node < in->node_count && in->node_killed[ev->node]);
    if (!has_code || code == 0 || injected) {
        return; /* a job that ends with 0 did what it was for */
    }
    cleanup_buf struct buf item = {0};
    buf_printf(&item, "container: %s, exit code: %" PRId64,
               name ? name : ingest_node_name(in, ev->node), code);
    struct property_example at = ingest_example(in, ev);
    rule_record(in, CONTAINER, item.data, false, &at);
}

void ingest_container(struct ingest *in, const struct event *ev)
{
    json_t *doc = payload_json(ev);
    const char *what = json_text_member(doc, "event");
    if (what && strcmp(what, "start") == 0 && ev->node < in->node_count) {
        in->node_killed[ev->node] = false;
    } else if (what && strcmp(what, "died") == 0) {
        container_died(in, ev, doc);
    }
    json_decref(doc);
}

/* ---- processes ---- */

static struct proc *proc_find(struct ingest *in, uint16_t node, uint32_t pid)
{
    for (size_t i = in->proc_count; i-- > 0;) { /* the newest are asked for most */
        if (in->procs[i].node == node && in->procs[i].pid == pid) {
            return &in->procs[i];
        }
    }
    return NULL;
}

static void proc_set(struct ingest *in, const struct event *ev, char *path)
{
    struct proc *p = proc_find(in, ev->node, ev->pid);
    if (!p) {
        p = ARRAY_PUSH(in->procs, in->proc_count, in->proc_cap);
        *p = (struct proc){.node = ev->node, .pid = ev->pid};
    }
    free(p->path);
    p->path = path;
}

static const char *signal_name(unsigned signal, char out[static 16])
{
    const char *abbrev = sigabbrev_np((int)signal);
    if (abbrev) {
        snprintf(out, 16, "SIG%s", abbrev);
    } else {
        snprintf(out, 16, "signal %u", signal);
    }
    return out;
}

static void process_crashed(struct ingest *in, const struct event *ev,
                            const struct event_process *proc, const char *path)
{
    const char *slash = strrchr(path, '/');
    char name[16];
    cleanup_buf struct buf item = {0};
    cleanup_buf struct buf details = {0};
    buf_printf(&item, "%s, %s", slash ? slash + 1 : path, signal_name(proc->signal, name));
    buf_puts(&details, "{\"executable\":");
    buf_json_string(&details, path, strlen(path));
    buf_puts(&details, ",\"container\":");
    const char *node = ingest_node_name(in, ev->node);
    buf_json_string(&details, node, strlen(node));
    buf_printf(&details, ",\"pid\":%" PRIu32 "}", ev->pid);
    struct property_example at = ingest_example(in, ev);
    at.command_id = proc->command_id;
    at.details = details.data;
    rule_record(in, CRASH, item.data, false, &at);
}

static void process_exited(struct ingest *in, const struct event *ev,
                           const struct event_process *proc, const char *text)
{
    struct proc *p = proc_find(in, ev->node, ev->pid);
    if (proc->core_signal && !proc->by_injector) {
        process_crashed(in, ev, proc, *text ? text : p && p->path ? p->path : "unknown executable");
    }
    if (p) {
        free(p->path);
        in->proc_count--;
        memmove(p, p + 1, (in->proc_count - (size_t)(p - in->procs)) * sizeof *p);
    }
}

void ingest_process(struct ingest *in, const struct event *ev)
{
    struct event_process proc;
    if (ev->length < sizeof proc) {
        return;
    }
    memcpy(&proc, ev->payload, sizeof proc);
    char *text = mem_strndup((const char *)ev->payload + sizeof proc, ev->length - sizeof proc);
    if (proc.kind == PROCESS_EXEC) {
        proc_set(in, ev, text);
        return;
    }
    if (proc.kind == PROCESS_FORK) {
        const struct proc *parent = proc_find(in, ev->node, proc.parent_pid);
        if (parent && parent->path) {
            proc_set(in, ev, mem_strdup(parent->path));
        }
    } else if (proc.kind == PROCESS_EXIT) {
        process_exited(in, ev, &proc, text);
    }
    free(text);
}

/* ---- the universe as a whole ---- */

static void judge_setup(struct ingest *in, const struct property_example *at)
{
    bool cut_short = !in->has_end || in->end.reason == END_STOPPED ||
                     in->end.reason == END_WALL_LIMIT || in->end.reason == END_ENGINE_ERROR;
    bool complete = in->setup_complete || (in->has_end && in->end.setup_complete);
    if (complete || !cut_short) {
        rule_record(in, SETUP, NULL, complete, at);
    }
}

void ingest_rules_finish(struct ingest *in, const char *engine_error)
{
    struct property_example at = {.universe = in->universe,
                                  .vtime_ns = in->last_vtime_ns,
                                  .seq = in->last_seq,
                                  .node = EVENT_NO_NODE};
    const char *why = in->end_text;
    if (engine_error || !in->has_end) {
        why = engine_error ? engine_error : "the universe's record stops without an end";
    }
    cleanup_buf struct buf details = {0};
    if (why && *why) {
        buf_puts(&details, "{\"reason\":");
        buf_json_string(&details, why, strlen(why));
        buf_putc(&details, '}');
        at.details = details.data;
    }
    judge_setup(in, &at);
    bool sound = !engine_error && in->has_end && in->end.reason != END_ENGINE_ERROR;
    rule_record(in, ENGINE, NULL, sound, &at);
}
