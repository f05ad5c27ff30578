# MariaDB 10.11: an installed database, InnoDB transactions, kill -9 and recovery, a clean stop.
# needs: mariadbd mariadb-install-db mariadb
install -d -o mysql my
export HOME=$PWD
mariadb-install-db --no-defaults --user=mysql --datadir="$PWD/my/data" >install.log 2>&1
sock=$PWD/my/sock
serve() {
    mariadbd --no-defaults --user=mysql --datadir="$PWD/my/data" --socket="$sock" --port=3307 \
        --pid-file="$PWD/my/pid" --bind-address=127.0.0.1 --innodb-buffer-pool-size=32M >"log$1" 2>&1 &
    server=$!
    await mariadb-admin -S "$sock" ping
}
sql() { mariadb -S "$sock" -N "$@"; }
serve 1
sql <<'SQL'
create database t;
use t;
create table x (a int primary key auto_increment, b varchar(20)) engine=innodb;
insert into x (b) values ('a'), ('b');
start transaction;
insert into x (b) select b from x;
commit;
start transaction;
delete from x;
rollback;
select count(*), sum(a) from x;
create table w (k int primary key, v text) engine=aria;
insert into w select seq, repeat('x', seq) from seq_1_to_300;
check table x, w;
SQL
for n in 1 2 3; do
    for i in $(seq 20); do echo "insert into t.x (b) values ('$n-$i');"; done | sql &
    clients[n]=$!
done
wait "${clients[@]}"
sql -e 'select count(*) from t.x'
mariadb -h 127.0.0.1 -P 3307 -u root --skip-ssl -N -e 'select 1+1' 2>/dev/null || sql -e 'select 1+1'
kill -9 $server
wait $server || true
serve 2
grep -ciE 'crash recovery|Starting (final )?batch to recover' log2 | grep -c '[1-9]'
sql -e 'select count(*) from t.x; select sum(length(v)) from t.w'
mariadb-admin -S "$sock" shutdown
wait $server
grep -o 'Shutdown complete' log2
