/* Commands: choosing, starting, killing, and what is said about them. */
#include "base/str.h"
#include "director/composer_priv.h"
#include "director/container.h"
#include "director/decide.h"
#include "director/launch.h"
#include "director/report.h"
#include "kernel/alloc.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/signal/signal.h"
#include "kernel/task/spawn.h"
#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"

#define SI_KERNEL_       0x80
#define SIGNAL_EXIT_BASE 128u

static bool is_candidate(const struct command *cmd, enum command_kind kind, bool idle_only)
{
    return cmd->kind == kind && cmd->weight > 0 && !(idle_only && cmd->alive > 0) &&
           container_is_usable(cmd->node);
}

struct command *composer_pick(struct machine *m, enum command_kind kind, bool idle_only,
                              const char *what)
{
    struct template *t = m->composer->template;
    uint64_t total = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        total += is_candidate(&t->commands[i], kind, idle_only) ? t->commands[i].weight : 0;
    }
    if (total == 0) {
        return NULL;
    }
    uint64_t at = decide_below(m, STREAM_COMPOSER, total, what);
    for (uint32_t i = 0;; i++) {
        struct command *cmd = &t->commands[i];
        uint64_t weight = is_candidate(cmd, kind, idle_only) ? cmd->weight : 0;
        if (at < weight) {
            return cmd;
        }
        at -= weight;
    }
}

/* Members that every record of a command in flight has. */
static void open_record(struct report *r, const struct composer *c, const struct run *run,
                        const char *task_key, const char *status)
{
    char task[LIMIT_NAME + 32], path[2 * LIMIT_NAME + 2];
    const struct command *cmd = run->command;
    str_format(task, sizeof task, "%u_%s", run->id, cmd->name);
    str_format(path, sizeof path, "%s/%s", c->template->name, cmd->name);
    report_open(r, cmd->node->m);
    json_cstr(&r->json, task_key, task);
    json_cstr(&r->json, "task_status", status);
    json_cstr(&r->json, "command", path);
    report_number(r, "command_id", run->id);
    report_container(r, cmd->node, "container_id", "container");
    report_number(r, "tasks_len", c->run_count);
}

static void emit_started(const struct composer *c, const struct run *run)
{
    struct report r;
    open_record(&r, c, run, "started_task", "started");
    report_number(&r, "weight", run->command->weight);
    report_send(&r, EVENT_COMPOSER, run->command->node, (uint32_t)run->process->pid);
}

static void emit_finished(const struct composer *c, const struct run *run, bool by_fault)
{
    struct machine *m = run->command->node->m;
    uint32_t status = (uint32_t)run->process->exit_status;
    uint32_t signo = status & 0x7f;
    uint64_t ns = machine_now(m) - run->started;
    char runtime[32];
    struct report r;
    open_record(&r, c, run, "finished_task", "finished");
    report_number(&r, "command_return_code", signo ? SIGNAL_EXIT_BASE + signo : status >> 8 & 0xff);
    str_format(runtime, sizeof runtime, "%lu.%04lu", (unsigned long)(ns / NSEC_PER_SEC),
               (unsigned long)(ns % NSEC_PER_SEC / 100000));
    json_cstr(&r.json, "command_runtime", runtime);
    if (run->killed || by_fault) {
        json_cstr(&r.json, "killed_by", run->killed ? "composer" : "fault");
        json_bool(&r.json, "by_injector", true);
    }
    report_send(&r, EVENT_COMPOSER, run->command->node, (uint32_t)run->process->pid);
}

/* On the stack of the command's last task. A container that went down by itself has taken the
 * command with it: not a fault's doing, yet no end of its own. */
static void command_exited(struct machine *m, struct process *p)
{
    struct composer *c = m->composer;
    struct run *run = p->on_exit_data;
    struct command *cmd = run->command;
    bool by_fault = p->by_injector && !run->killed;
    bool was_natural = !p->by_injector && !run->killed && cmd->node->init;
    list_del(&run->link);
    c->run_count--;
    cmd->alive--;
    emit_finished(c, run, by_fault);
    kfree(m, run);
    composer_command_ended(m, cmd, was_natural);
}

void composer_start(struct machine *m, struct command *cmd)
{
    struct composer *c = m->composer;
    struct run *run = KALLOC(m, struct run);
    char path[2 * LIMIT_NAME + 64];
    str_format(path, sizeof path, "/opt/antithesis/test/v1/%s/%s", c->template->name, cmd->name);
    const char *argv[] = {path, NULL};
    run->id = ++c->next_id;
    run->command = cmd;
    run->started = machine_now(m);
    list_add_tail(&c->runs, &run->link);
    c->run_count++;
    cmd->alive++;
    struct spawn s = {.node = cmd->node,
                      .argv = argv,
                      .stdio = {NULL, console_create(cmd->node, 1, run->id),
                                console_create(cmd->node, 2, run->id)},
                      .command_id = run->id,
                      .on_exit = command_exited,
                      .on_exit_data = run};
    run->process = launch(&s);
    emit_started(c, run);
}

/* Also what commands left in the background: command_id is inherited. */
void composer_kill_all(struct machine *m)
{
    struct composer *c = m->composer;
    struct siginfo info = {.signo = SIGNAL_KILL, .code = SI_KERNEL_};
    struct run *run;
    list_for_each_entry (run, &c->runs, link) {
        run->killed = true;
    }
    for (uint32_t i = 0; i < m->node_count; i++) {
        struct process *p;
        list_for_each_entry (p, &m->nodes[i]->processes, node_link) {
            if (p->command_id != 0 && !p->zombie) {
                p->by_injector = true;
                signal_send_process(p, &info);
            }
        }
    }
}
