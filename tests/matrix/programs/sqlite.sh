# SQLite: transactions, a write-ahead log, and two processes on one database.
# needs: sqlite3 python3
sqlite3 a.db <<'END'
create table t (id integer primary key, name text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)
    insert into t select i, 'name ' || i from n;
select count(*), sum(id) from t;
begin; delete from t where id > 10; rollback;
select count(*) from t;
pragma integrity_check;
END
python3 - <<'END'
import os, sqlite3
db = sqlite3.connect("b.db", timeout=20, isolation_level=None)
print(db.execute("pragma journal_mode=wal").fetchone())
db.execute("create table t (who int, n int)")
db.close()
pids = []
for who in range(3):
    if (pid := os.fork()) == 0:
        db = sqlite3.connect("b.db", timeout=20, isolation_level=None)
        for n in range(40):
            db.execute("begin immediate")
            db.execute("insert into t values (?, ?)", (who, n))
            db.execute("commit")
        os._exit(0)
    pids.append(pid)
print([os.waitpid(p, 0)[1] for p in pids])
db = sqlite3.connect("b.db")
print(db.execute("select who, count(*), sum(n) from t group by who order by who").fetchall())
END
