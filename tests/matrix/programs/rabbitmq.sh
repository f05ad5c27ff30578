# RabbitMQ on Erlang: the broker starts, a client publishes and gets, control commands, a stop.
# needs: /usr/lib/rabbitmq/bin/rabbitmq-server python3 epmd
export HOME=$PWD RABBITMQ_MNESIA_BASE=$PWD/m RABBITMQ_LOG_BASE=$PWD/l RABBITMQ_NODENAME=r@localhost \
    RABBITMQ_PID_FILE=$PWD/pid RABBITMQ_ENABLED_PLUGINS_FILE=$PWD/plugins
bin=/usr/lib/rabbitmq/bin
echo '[].' >plugins
$bin/rabbitmq-server >out 2>&1 &
server=$!
await grep -q 'completed with' out
cat >client.py <<'PYTHON'
import socket
import struct

s = socket.create_connection(("127.0.0.1", 5672))
f = s.makefile("rwb")
f.write(b"AMQP\0\0\x09\x01")


def frame():
    f.flush()
    kind, _, size = struct.unpack(">BHI", f.read(7))
    body = f.read(size)
    f.read(1)
    return kind, body


def method(channel, cls, number, body=b""):
    body = struct.pack(">HH", cls, number) + body
    f.write(struct.pack(">BHI", 1, channel, len(body)) + body + b"\xce")


def short(text):
    return bytes([len(text)]) + text


def expect(cls, number):
    kind, body = frame()
    assert kind == 1 and struct.unpack(">HH", body[:4]) == (cls, number), (kind, body[:20])
    return body[4:]


expect(10, 10)
plain = b"\0guest\0guest"
method(0, 10, 11, struct.pack(">I", 0) + short(b"PLAIN") + struct.pack(">I", len(plain)) + plain +
       short(b"en_US"))
tune = expect(10, 30)
method(0, 10, 31, tune[:6] + b"\0\0")
method(0, 10, 40, short(b"/") + b"\0\0")
expect(10, 41)
method(1, 20, 10, b"\0")
expect(20, 11)
method(1, 50, 10, b"\0\0" + short(b"q") + b"\x02" + struct.pack(">I", 0))
print(expect(50, 11)[:2])
for i in range(100):
    text = b"message %d" % i
    method(1, 60, 40, b"\0\0" + short(b"") + short(b"q") + b"\0")
    f.write(struct.pack(">BHI", 2, 1, 15) + struct.pack(">HHQH", 60, 0, len(text), 0x1000) + b"\x02\xce")
    f.write(struct.pack(">BHI", 3, 1, len(text)) + text + b"\xce")
got = []
for i in range(100):
    while True:
        method(1, 60, 70, b"\0\0" + short(b"q") + b"\x01")
        kind, body = frame()
        if struct.unpack(">HH", body[:4]) == (60, 71):
            break
    frame()
    got.append(frame()[1])
print(len(got), got[0], got[99])
method(0, 10, 50, struct.pack(">H", 200) + short(b"bye") + b"\0\0\0\0")
expect(10, 51)
PYTHON
python3 client.py
$bin/rabbitmqctl -q list_queues name durable messages
$bin/rabbitmqctl -q add_user someone secret >/dev/null && $bin/rabbitmqctl -q list_users | sort
$bin/rabbitmqctl eval '1 + 1.'
$bin/rabbitmqctl -q stop "$RABBITMQ_PID_FILE" >/dev/null
wait $server || true
epmd -kill >/dev/null || true
