# haproxy as master and worker before two servers: balanced, asked by socket, reloaded, ended.
# needs: haproxy python3 curl nc
for n in 1 2; do
    mkdir "w$n" && echo "server $n" >"w$n/i"
    python3 -m http.server -b 127.0.0.1 -d "w$n" "900$n" >/dev/null 2>&1 &
    web[n]=$!
done
cat >h.cfg <<CONF
global
    maxconn 64
    stats socket $PWD/ha.sock mode 600 level admin expose-fd listeners
    user haproxy
    group haproxy
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 2s
frontend f
    bind 127.0.0.1:9000
    default_backend b
backend b
    balance roundrobin
    option httpchk HEAD /i
    server s1 127.0.0.1:9001 check inter 200
    server s2 127.0.0.1:9002 check inter 200
CONF
for n in 1 2; do await curl -sf "http://127.0.0.1:900$n/i"; done
haproxy -c -f h.cfg | tail -n 1
haproxy -W -f h.cfg -p h.pid 2>log &
server=$!
await curl -sf http://127.0.0.1:9000/i
for _ in 1 2 3 4; do curl -s http://127.0.0.1:9000/i; done | sort
ask() { echo "$1" | nc -N -U ha.sock; }
ask 'show stat' | cut -d, -f1,2,18 | sed 's/ .*//' | grep -v '^$'
ask 'disable server b/s1'
for _ in 1 2; do curl -s http://127.0.0.1:9000/i; done
ask 'enable server b/s1'
sed -i 's/balance roundrobin/balance first/' h.cfg
kill -USR2 $server
reloaded() { [ "$(grep -c 'Loading success' log)" = 2 ]; }
await reloaded
await curl -sf http://127.0.0.1:9000/i
curl -s http://127.0.0.1:9000/i
kill -USR1 $server
wait $server || true
stop "${web[1]}" && stop "${web[2]}"
