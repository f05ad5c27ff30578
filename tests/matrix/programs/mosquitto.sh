# mosquitto: retained messages, a subscriber, a will, persistence over a restart.
# needs: stdbuf mosquitto mosquitto_pub mosquitto_sub
cat >m.conf <<CONF
listener 1883 127.0.0.1
allow_anonymous true
persistence true
persistence_location $PWD/
user root
CONF
serve() {
    mosquitto -c m.conf >"log$1" 2>&1 &
    server=$!
    await mosquitto_pub -t up -m x
}
serve 1
for i in 1 2 3 4 5; do mosquitto_pub -q 1 -r -t "a/$i" -m "message $i"; done
mosquitto_sub -v -t 'a/#' -C 5 -W 20 | sort
mosquitto_sub -i lasting -c -q 1 -t b -E
mosquitto_pub -q 1 -t b -m 'while away'
mosquitto_sub -i lasting -c -q 1 -t b -C 1 -W 20
stdbuf -oL mosquitto_sub -d -F 'got %p' -q 2 -t 'c/+' -C 100 -W 30 >got &
reader=$!
await grep -q SUBACK got
mosquitto_sub -t d -C 1 -W 1 || echo "timed out: $?"
seq 1 100 | mosquitto_pub -q 2 -t c/x -l
wait $reader
grep '^got' got | md5sum
kill $server && wait $server
tail -n 1 log1 | sed 's/^[0-9]*: //; s/database to .*/database/'
serve 2
mosquitto_sub -v -t a/3 -C 1 -W 20
stop $server
