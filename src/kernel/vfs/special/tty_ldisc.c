/* The line discipline N_TTY as termios(3) describes it and drivers/tty/n_tty.c does it: editing and
 * signals on input, echo, and output processing. */
#include "kernel/machine.h"
#include "kernel/signal/signal.h"
#include "kernel/vfs/special/pty.h"

#define DISABLED 0 /* _POSIX_VDISABLE */

static unsigned char *in_at(struct tty *y, uint32_t pos)
{
    return &y->in[pos & (TTY_INPUT_BYTES - 1)];
}

static unsigned char *end_at(struct tty *y, uint32_t pos)
{
    return &y->in_end[pos & (TTY_INPUT_BYTES - 1)];
}

static bool lflag(const struct tty *y, uint32_t bit)
{
    return tty_flag(y->termios.c_lflag, bit);
}

static bool iflag(const struct tty *y, uint32_t bit)
{
    return tty_flag(y->termios.c_iflag, bit);
}

static bool is_cc(const struct tty *y, unsigned index, unsigned char c)
{
    return y->termios.c_cc[index] != DISABLED && y->termios.c_cc[index] == c;
}

void tty_wake(struct tty *y)
{
    if (tty_readable(y) > 0) {
        waitq_wake(y->m, &y->slave_wq, ABI_POLLIN | ABI_POLLRDNORM);
    }
    if (tty_out_used(y) > 0 || y->packet_status) {
        waitq_wake(y->m, &y->master_wq, ABI_POLLIN | ABI_POLLRDNORM);
    }
    if (tty_out_used(y) < TTY_OUTPUT_BYTES && !y->output_stopped) {
        waitq_wake(y->m, &y->slave_wq, ABI_POLLOUT | ABI_POLLWRNORM);
    }
    if (y->in_tail - y->in_read < TTY_INPUT_BYTES) {
        waitq_wake(y->m, &y->master_wq, ABI_POLLOUT | ABI_POLLWRNORM);
    }
}

/* --- output ----------------------------------------------------------------------------------- */

static void put_raw(struct tty *y, unsigned char c)
{
    if (tty_out_used(y) < TTY_OUTPUT_BYTES) {
        y->out[y->out_tail++ & (TTY_OUTPUT_BYTES - 1)] = c;
    }
}

bool tty_output(struct tty *y, unsigned char c)
{
    uint32_t flags = y->termios.c_oflag, room = TTY_OUTPUT_BYTES - tty_out_used(y);

    if (room < 8) { /* the most one byte can become: a tab */
        return false;
    }
    if (!(flags & OPOST)) {
        put_raw(y, c);
        return true;
    }
    switch (c) {
    case '\n':
        if (flags & ONLCR) {
            put_raw(y, '\r');
        }
        if (flags & (ONLCR | ONLRET)) {
            y->column = 0;
        }
        break;
    case '\r':
        if ((flags & ONOCR) && y->column == 0) {
            return true;
        }
        y->column = 0;
        if (flags & OCRNL) {
            c = '\n';
        }
        break;
    case '\t': {
        uint32_t n = 8 - (y->column & 7);

        y->column += n;
        if ((flags & TABDLY) == XTABS) {
            while (n-- > 0) {
                put_raw(y, ' ');
            }
            return true;
        }
        break;
    }
    case '\b':
        y->column -= y->column > 0;
        break;
    default:
        y->column += c >= ' ' && (c & 0xc0) != 0x80 && c != 0x7f;
        break;
    }
    put_raw(y, c);
    return true;
}

/* --- echo ------------------------------------------------------------------------------------- */

static bool is_control(unsigned char c)
{
    return (c < ' ' && c != '\t' && c != '\n') || c == 0x7f;
}

static void echo(struct tty *y, unsigned char c)
{
    if (lflag(y, ECHOCTL) && is_control(c)) {
        put_raw(y, '^');
        put_raw(y, c ^ 0100);
        y->column += 2;
    } else {
        tty_output(y, c);
    }
}

static uint32_t width_of(const struct tty *y, unsigned char c)
{
    if ((c & 0xc0) == 0x80 && iflag(y, IUTF8)) {
        return 0;
    }
    return is_control(c) && lflag(y, ECHOCTL) ? 2 : 1;
}

static void rub_out(struct tty *y, uint32_t columns)
{
    for (uint32_t i = 0; i < columns; i++) {
        put_raw(y, '\b');
        put_raw(y, ' ');
        put_raw(y, '\b');
        y->column -= y->column > 0;
    }
}

/* Takes back the last character being edited. Columns it occupied. */
static uint32_t take_back(struct tty *y)
{
    uint32_t width = 0;

    while (y->in_tail != y->in_line) {
        unsigned char c = *in_at(y, --y->in_tail);

        *end_at(y, y->in_tail) = 0;
        width += c == '\t' ? 8 : width_of(y, c);
        if (!iflag(y, IUTF8) || (c & 0xc0) != 0x80) {
            break;
        }
    }
    return width;
}

static void erase_char(struct tty *y, unsigned char key)
{
    uint32_t width;

    if (y->in_tail == y->in_line) {
        return;
    }
    width = take_back(y);
    if (lflag(y, ECHO)) {
        if (lflag(y, ECHOE)) {
            rub_out(y, width);
        } else {
            echo(y, key);
        }
    }
}

static bool is_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

static void erase_word(struct tty *y, unsigned char key)
{
    bool seen = false;

    while (y->in_tail != y->in_line) {
        bool word = is_word(*in_at(y, y->in_tail - 1));

        if (seen && !word) {
            break;
        }
        seen = seen || word;
        erase_char(y, key);
    }
}

static void kill_line(struct tty *y, unsigned char key)
{
    if (lflag(y, ECHO) && lflag(y, ECHOK) && lflag(y, ECHOKE) && lflag(y, ECHOE)) {
        while (y->in_tail != y->in_line) {
            erase_char(y, key);
        }
        return;
    }
    while (y->in_tail != y->in_line) {
        take_back(y);
    }
    if (lflag(y, ECHO)) {
        echo(y, key);
        if (lflag(y, ECHOK)) {
            tty_output(y, '\n');
        }
    }
}

/* --- input ------------------------------------------------------------------------------------ */

void tty_flush_input(struct tty *y)
{
    y->in_read = y->in_line = y->in_tail = 0;
    __builtin_memset(y->in_end, 0, sizeof y->in_end);
    y->literal_next = false;
}

void tty_flush_output(struct tty *y)
{
    y->out_read = y->out_tail;
}

static bool signal_key(struct tty *y, unsigned char c)
{
    int signo = is_cc(y, VINTR, c)   ? SIGNAL_INT
                : is_cc(y, VQUIT, c) ? SIGNAL_QUIT
                : is_cc(y, VSUSP, c) ? SIGNAL_TSTP
                                     : 0;

    if (!signo) {
        return false;
    }
    if (!lflag(y, NOFLSH)) {
        tty_flush_input(y);
        tty_flush_output(y);
    }
    if (lflag(y, ECHO)) {
        echo(y, c);
    }
    y->output_stopped = false;
    tty_signal_foreground(y, signo);
    return true;
}

static void store(struct tty *y, unsigned char c, unsigned char end)
{
    *in_at(y, y->in_tail) = c;
    *end_at(y, y->in_tail) = end;
    y->in_tail++;
    if (end || !lflag(y, ICANON)) {
        y->in_line = y->in_tail;
    }
}

/* Keys that edit or end a line. True: dealt with. */
static bool canonical_key(struct tty *y, unsigned char c)
{
    if (is_cc(y, VERASE, c)) {
        erase_char(y, c);
    } else if (lflag(y, IEXTEN) && is_cc(y, VWERASE, c)) {
        erase_word(y, c);
    } else if (is_cc(y, VKILL, c)) {
        kill_line(y, c);
    } else if (lflag(y, IEXTEN) && is_cc(y, VLNEXT, c)) {
        y->literal_next = true;
        if (lflag(y, ECHO) && lflag(y, ECHOCTL)) {
            put_raw(y, '^');
            put_raw(y, '\b');
        }
    } else if (lflag(y, IEXTEN) && lflag(y, ECHO) && is_cc(y, VREPRINT, c)) {
        echo(y, c);
        tty_output(y, '\n');
        for (uint32_t p = y->in_line; p != y->in_tail; p++) {
            echo(y, *in_at(y, p));
        }
    } else if (is_cc(y, VEOF, c)) {
        store(y, 0, 2);
    } else if (c == '\n' || is_cc(y, VEOL, c) || (lflag(y, IEXTEN) && is_cc(y, VEOL2, c))) {
        if (lflag(y, ECHO) || (c == '\n' && lflag(y, ECHONL))) {
            echo(y, c);
        }
        store(y, c, 1);
    } else {
        return false;
    }
    return true;
}

static bool flow_key(struct tty *y, unsigned char c)
{
    if (is_cc(y, VSTART, c)) {
        y->output_stopped = false;
        return true;
    }
    if (is_cc(y, VSTOP, c)) {
        y->output_stopped = true;
        return true;
    }
    return false;
}

bool tty_input(struct tty *y, unsigned char c)
{
    uint32_t used = y->in_tail - y->in_read;

    c = iflag(y, ISTRIP) ? c & 0x7f : c;
    if (!y->literal_next) {
        if ((iflag(y, IXON) && flow_key(y, c)) || (lflag(y, ISIG) && signal_key(y, c))) {
            return true;
        }
        if (iflag(y, IXON) && iflag(y, IXANY)) {
            y->output_stopped = false;
        }
        if (c == '\r') {
            if (iflag(y, IGNCR)) {
                return true;
            }
            c = iflag(y, ICRNL) ? '\n' : c;
        } else if (c == '\n' && iflag(y, INLCR)) {
            c = '\r';
        }
        if (used >= TTY_INPUT_BYTES) {
            return false;
        }
        if (lflag(y, ICANON) && canonical_key(y, c)) {
            return true;
        }
    } else if (used >= TTY_INPUT_BYTES) {
        return false;
    }
    y->literal_next = false;
    /* A line that never ends keeps one place for its end (n_tty_receive_buf_standard). */
    if (lflag(y, ICANON) && used >= TTY_INPUT_BYTES - 1) {
        if (iflag(y, IMAXBEL)) {
            put_raw(y, '\a');
        }
        return true;
    }
    if (lflag(y, ECHO)) {
        echo(y, c);
    }
    store(y, c, 0);
    return true;
}

uint32_t tty_readable(const struct tty *y)
{
    return y->in_line - y->in_read;
}

void tty_mode_changed(struct tty *y, uint32_t old_lflag)
{
    if (((old_lflag ^ y->termios.c_lflag) & ICANON) == 0) {
        return;
    }
    if (lflag(y, ICANON)) {
        /* What came raw counts as one finished line. */
        if (y->in_tail != y->in_read) {
            *end_at(y, y->in_tail - 1) |= 1;
        }
        y->in_line = y->in_tail;
    } else {
        y->in_line = y->in_tail;
        y->literal_next = false;
    }
}
