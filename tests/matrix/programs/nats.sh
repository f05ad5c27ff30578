# nats-server: publish and subscribe, a JetStream stream on disk, the monitor, a restart.
# needs: nats-server python3 curl
serve() {
    nats-server -a 127.0.0.1 -p 4222 -m 8222 -js -sd store >"log$1" 2>&1 &
    server=$!
    await curl -sf http://127.0.0.1:8222/healthz
}
cat >client.py <<'PYTHON'
import json
import socket
import sys

s = socket.create_connection(("127.0.0.1", 4222))
f = s.makefile("rwb")
print(json.loads(f.readline()[5:])["jetstream"])
f.write(b'CONNECT {"verbose":false}\r\n')


def message():
    while True:
        words = f.readline().split()
        if words[0] == b"PING":
            f.write(b"PONG\r\n")
            f.flush()
        elif words[0] == b"MSG":
            body = f.read(int(words[-1]))
            f.readline()
            return words[1], body


def ask(subject, body=b""):
    f.write(b"PUB %s reply.1 %d\r\n%s\r\n" % (subject, len(body), body))
    f.flush()
    return json.loads(message()[1])


if sys.argv[1] == "first":
    f.write(b"SUB foo 1\r\n" + b"PUB foo 5\r\nhello\r\n" * 50)
    f.flush()
    print(sum(message() == (b"foo", b"hello") for _ in range(50)))
f.write(b"SUB reply.* 2\r\n")
if sys.argv[1] == "first":
    made = ask(b"$JS.API.STREAM.CREATE.S", b'{"name":"S","subjects":["s.*"],"storage":"file"}')
    print(made["config"]["name"], made["state"]["messages"])
    print([ask(b"s.a", b"abc")["seq"] for _ in range(20)])
print(ask(b"$JS.API.STREAM.INFO.S")["state"]["messages"])
PYTHON
serve 1
python3 client.py first
curl -s http://127.0.0.1:8222/varz | grep -E '"(max_connections|port)"'
kill -INT $server && wait $server
serve 2
python3 client.py again
stop $server
grep -o 'Server Exiting' log1
