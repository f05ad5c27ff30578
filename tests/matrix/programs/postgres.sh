# PostgreSQL 15: initdb, pgbench, parallel queries, an immediate stop and its crash recovery.
# needs: /usr/lib/postgresql/15/bin/initdb setpriv
bin=/usr/lib/postgresql/15/bin
install -d -o postgres pg sock
export HOME=$PWD/pg PGHOST=$PWD/sock PGTZ=UTC
as() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
sql() { as $bin/psql -At "$@"; }
control() {
    as $bin/pg_ctl -D pg/data -l pg/log -w -s \
        -o "-k $PGHOST -c listen_addresses=127.0.0.1 -c max_worker_processes=8" "$@"
}
as $bin/initdb -D pg/data -A trust -E UTF8 --locale=C >initdb.log
grep -c ok initdb.log
control start
sql -c 'create database bench' postgres
as $bin/pgbench -i -q -s 1 bench 2>/dev/null
as $bin/pgbench -h 127.0.0.1 -c 4 -j 2 -t 15 bench 2>/dev/null | grep processed
sql bench <<'SQL' | sed 's/PID [0-9]*/PID/'
select count(*), sum(aid) from pgbench_accounts;
set max_parallel_workers_per_gather = 2;
set parallel_setup_cost = 0;
set min_parallel_table_scan_size = 0;
select count(*) from pgbench_accounts where abalance is not null;
select sum(delta) = (select sum(tbalance) from pgbench_tellers) from pgbench_history;
create table kept (n int primary key, t text);
insert into kept select n, repeat(n::text, 3) from generate_series(1, 500) n;
listen news;
notify news, 'hello';
select pg_sleep(0.2);
SQL
sql -c 'begin; insert into kept values (1000, $$lost$$); select pg_sleep(100)' bench >/dev/null 2>&1 &
asleep() { [ "$(sql -c "select 1 from pg_stat_activity where wait_event = 'PgSleep'" bench)" = 1 ]; }
await asleep
control -m immediate stop
wait || true
control start
grep -c 'redo starts' pg/log
sql -c 'select count(*), max(n), md5(string_agg(t, $$$$ order by n)) from kept' bench
sql -c 'vacuum analyze' bench
sql -c 'checkpoint' bench
control -m fast stop
ls pg/data | head -n 5
