# dnsmasq asked by dig: names over UDP and TCP, reverse names, a reread of its files.
# needs: dnsmasq dig
printf '127.0.0.1 foo.test\n10.1.2.3 bar.test\n' >hosts
dnsmasq -k -p 5353 -a 127.0.0.1 -z -R -u root --no-hosts -H "$PWD/hosts" --conf-file=/dev/null \
    --txt-record=text.test,hello --cname=alias.test,bar.test --pid-file="$PWD/pid" 2>log &
server=$!
ask() { dig @127.0.0.1 -p 5353 +tries=1 +time=2 "$@"; }
await ask foo.test +short
ask foo.test +short
ask +tcp bar.test +short
ask -x 10.1.2.3 +short
ask text.test TXT +short
ask alias.test +short
ask missing.test | grep -o 'status: [A-Z]*'
echo '10.1.2.4 new.test' >>hosts
kill -HUP $server
reread() { [ "$(ask new.test +short)" = 10.1.2.4 ]; }
await reread
ask new.test +short
for _ in 1 2 3 4 5; do ask foo.test +short & done | sort | uniq -c
stop $server
