# memcached with its threads: the text protocol over TCP and a UNIX socket, expiry, statistics.
# needs: memcached nc
memcached -u nobody -l 127.0.0.1 -p 11211 -m 16 -t 4 &
server=$!
await nc -z 127.0.0.1 11211
ask() { printf '%s\r\n' "$@" quit | nc -N 127.0.0.1 11211 | tr -d '\r'; }
for i in 1 2 3; do ask "set k$i 0 0 6" "value$i" "get k$i" & done | sort
ask 'get k1 k2 k3'
ask 'set n 0 0 2' 41 'incr n 1' 'append n 0 0 1' 0 'get n' 'delete n' 'get n'
ask 'set short 0 1 1' x >/dev/null
gone() { ! ask 'get short' | grep -q VALUE; }
await gone
ask 'get short'
for i in $(seq 500); do printf 'set key%d 0 0 100\r\n%0100d\r\n' "$i" "$i"; done >many
echo quit >>many
nc -N 127.0.0.1 11211 <many | sort | uniq -c
ask stats | grep -E 'threads|curr_items|cmd_set'
stop $server
memcached -u root -s "$PWD/sock" -a 777 &
server=$!
await test -S sock
printf 'set a 0 0 1\r\nb\r\nget a\r\nquit\r\n' | nc -N -U sock
stop $server
