# bash with the core utilities: pipes, substitutions, coprocesses, job control on a pty, signals.
# needs: bash python3 awk sed script flock su mkfifo tar
f() { local x; while read -r x; do echo "${x^^}"; done; }
printf '%s\n' pear apple fig | sort | f
cat <(echo a) <(echo b)
( trap 'echo term; exit 0' TERM; (sleep 0.2; kill -TERM $BASHPID; kill -TERM $$) & wait ) &
wait $! || echo "waited $?"
exec 5<>ff; echo hi >&5; read -r -t 0.1 _ </dev/null || echo "read $?"
coproc cat; echo through >&"${COPROC[1]}"; read -r z <&"${COPROC[0]}"; echo "$z"
eval "exec ${COPROC[1]}>&-"; wait
mkdir -p tree/{a,b}/{c,d} && touch tree/{a,b}/{c,d}/{1..20}
find tree -type f -print0 | xargs -0 -P 2 -n 5 echo | wc -w
seq 1 2000 | awk '{ s += $1 * $1 } END { print s; while (("ls tree" | getline l) > 0) n++; print n }'
dd if=/dev/zero of=z bs=4k count=10 2>&1 | sed -n '1,2p'
cp -a tree copy && mv copy moved && rm -rf moved && ln -s a link && readlink link
touch -d 2020-01-01T00:00Z z && TZ=UTC stat -c '%n %s %y %F %h' z
tar cf t.tar tree && tar tf t.tar | wc -l && gzip -9n t.tar && zcat t.tar.gz | tar tf - | sort | md5sum
timeout 1 sleep 5 || echo "timeout $?"
mkfifo p; cat p & echo x >p; wait $!
bash -c 'exec 3<>/dev/tcp/127.0.0.1/1' 2>/dev/null || echo "refused $?"
flock lock echo locked; env -i sh -c 'echo "$PATH" | wc -w'
su nobody -s /bin/sh -c 'id -un; cat /etc/shadow 2>/dev/null || echo denied'
cat >session <<'JOBS'
set -m
sleep 50 &
jobs
kill -STOP %1; until jobs | grep -q Stopped; do sleep 0.1; done; jobs
bg %1 >/dev/null; kill %1; wait %1; echo "job: $?"
stty -a | grep -o 'isig icanon'
tty | sed 's/[0-9]*$/N/'
stty rows 30 cols 90; stty size
trap 'echo int' INT; kill -INT $$
JOBS
script -qec 'bash session' typescript </dev/null | tr -d '\r'
cat >keys.py <<'KEYS'
import os
import pty

pid, tty = pty.fork()
if pid == 0:
    os.execle("/bin/bash", "bash", "--norc", "--noediting", {"PS1": "ready> ", "PATH": os.environ["PATH"]})
seen = b""


def until(text):
    global seen
    while text not in seen:
        seen += os.read(tty, 1000)
    before, seen = seen.split(text, 1)
    return before


def key(keys):
    os.write(tty, keys)


until(b"ready> ")
key(b"stty -echo\n"), until(b"ready> ")
key(b"cat\n"), key(b"line\n"), until(b"line\r\n")
key(b"\x1a"), print("stopped", b"Stopped" in until(b"ready> "))
key(b"jobs\n"), print("listed", b"cat" in until(b"ready> "))
key(b"fg\n"), until(b"cat\r\n"), key(b"more\n"), until(b"more\r\n")
key(b"\x03"), until(b"ready> ")
key(b"echo status $?\n"), print(until(b"ready> ").split())
key(b"cat | cat\n"), key(b"ab\x7fc\n"), print(until(b"\r\n")), key(b"\x04"), until(b"ready> ")
key(b"exit 5\n")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
KEYS
python3 keys.py
ulimit -n 100; ulimit -n; ulimit -c 0; kill -l 15; nproc | grep -c '[0-9]'; hostname | wc -l
yes | head -n 100000 | wc -l; comm -12 <(seq 1 9) <(seq 5 20) | tr '\n' ' '; echo
ps -o comm= -p $$; df . | wc -l; id -u; uname -s; date -u -d @0; split -n 3 z piece && ls piece* | wc -l
