# sshd and ssh: keys, commands, a terminal, a forwarded port, sftp, a wrong key refused.
# needs: sshd ssh ssh-keygen sftp nc
# files: /usr/sbin/sshd
mkdir -p /run/sshd && chmod 755 /run/sshd
ssh-keygen -q -t ed25519 -N '' -f hk && ssh-keygen -q -t ed25519 -N '' -f id
ssh-keygen -q -t rsa -b 2048 -N '' -f wrong
cp id.pub ak
/usr/sbin/sshd -D -e -p 2222 -f /dev/null -h "$PWD/hk" -o ListenAddress=127.0.0.1 -o StrictModes=no \
    -o AuthorizedKeysFile="$PWD/ak" -o UsePAM=no -o PidFile=none -o PermitRootLogin=yes \
    -o PasswordAuthentication=no -o "Subsystem=sftp internal-sftp" 2>log &
server=$!
await nc -z 127.0.0.1 2222
opts=(-F /dev/null -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile="$PWD/kh" -o LogLevel=ERROR)
go() { ssh -p 2222 "${opts[@]}" -i id root@127.0.0.1 "$@"; }
go 'echo remote; id -un; exit 3' || echo "status $?"
seq 1 20000 | go 'md5sum'
go -tt 'tty | sed s/[0-9]*$/N/; stty size' </dev/null | tr -d '\r'
ssh -p 2222 "${opts[@]}" -o BatchMode=yes -i wrong root@127.0.0.1 true 2>&1 | sed 's/.*: Perm/Perm/'
go -L 2223:127.0.0.1:2222 -N &
tunnel=$!
await nc -z 127.0.0.1 2223
ssh -p 2223 "${opts[@]}" -i id root@127.0.0.1 echo through
stop $tunnel
seq 1 50000 >up
printf 'put up %s/up2\nls -1 %s/up2\nget %s/up2 down\n' "$PWD" "$PWD" "$PWD" |
    sftp -q -P 2222 "${opts[@]}" -i id -b - root@127.0.0.1 | sed "s,$PWD,DIR,g"
cmp up down && echo equal
stop $server
