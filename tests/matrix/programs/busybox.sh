# One static program that plays many: shell, pipes, archives, a web server and its client, ping.
# needs: busybox
mkdir bin && busybox --install -s bin
cat >script <<'SCRIPT'
mkdir -p in/deep
for i in 1 2 3 4 5; do echo "line $i" > in/deep/$i; done
tar cf - in | gzip -c > out.tgz
gzip -dc out.tgz | tar tf - | sort
cat in/deep/* | md5sum
find in -type f | wc -l
seq 10 | awk '{ n += $1 } END { print n }'
dd if=/dev/zero bs=1k count=64 2>/dev/null | sha256sum
(sleep 0.2; echo late) & wait
trap 'echo trapped' USR1; kill -USR1 $$
httpd -f -p 127.0.0.1:8081 -h in & server=$!
until wget -q -O - http://127.0.0.1:8081/deep/3 2>/dev/null; do sleep 0.1; done
kill $server
ping -c 2 127.0.0.1 | grep -c 'seq='
ps -o pid,comm | grep -c script
mount | grep -c ' on / '
timeout 1 sleep 5 || echo "status $?"
mkfifo q; (nc -l -p 8082 >got) & until echo hello | nc 127.0.0.1 8082 2>/dev/null; do sleep 0.1; done; wait $!; cat got
printf 'b\na\n' | sort | uniq | tr a-z A-Z | sed 's/$/!/' | xargs echo
df / | wc -l; id -u; test "$(date +%s)" -gt 1000000000 && echo dated; free | wc -l; which awk >/dev/null
vi -c ':wq' file 2>/dev/null </dev/null >/dev/null; cpio -o -H newc < /dev/null 2>/dev/null | wc -c
SCRIPT
PATH=$PWD/bin busybox sh ./script
