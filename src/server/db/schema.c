/* Schema of server.db: an ordered list of migrations; user_version counts those applied. Never edit
 * one that was released: append. Times are Unix seconds unless the name says otherwise. */
#include "server/db/schema.h"

const char *const db_migrations[] = {
    /* 1: accounts */
    "CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " salt BLOB, hash BLOB," /* NULL: no password, tokens only */
    " scopes INTEGER NOT NULL, created INTEGER NOT NULL, disabled INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE token (id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES account,"
    " label TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, scopes INTEGER NOT NULL,"
    " created INTEGER NOT NULL, expires INTEGER NOT NULL, last_used INTEGER NOT NULL DEFAULT 0,"
    " revoked INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE session (hash BLOB PRIMARY KEY, account INTEGER NOT NULL REFERENCES account,"
    " csrf TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE audit (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, account TEXT, peer TEXT,"
    " action TEXT NOT NULL, target TEXT, detail TEXT);"
    /* registry */
    "CREATE TABLE repository (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE blob (digest TEXT PRIMARY KEY, size INTEGER NOT NULL,"
    " created INTEGER NOT NULL) WITHOUT ROWID;" /* created: or asked for again since */
    "CREATE TABLE repository_blob (repository INTEGER NOT NULL REFERENCES repository,"
    " digest TEXT NOT NULL REFERENCES blob, PRIMARY KEY (repository, digest)) WITHOUT ROWID;"
    "CREATE INDEX repository_blob_digest ON repository_blob (digest);"
    "CREATE TABLE manifest (repository INTEGER NOT NULL REFERENCES repository,"
    " digest TEXT NOT NULL, media_type TEXT NOT NULL, size INTEGER NOT NULL, subject TEXT,"
    " artifact_type TEXT, annotations TEXT, created INTEGER NOT NULL,"
    " PRIMARY KEY (repository, digest)) WITHOUT ROWID;"
    "CREATE INDEX manifest_digest ON manifest (digest);"
    "CREATE INDEX manifest_subject ON manifest (repository, subject);"
    "CREATE TABLE manifest_blob (repository INTEGER NOT NULL, manifest TEXT NOT NULL,"
    " digest TEXT NOT NULL, PRIMARY KEY (repository, manifest, digest)) WITHOUT ROWID;"
    "CREATE INDEX manifest_blob_digest ON manifest_blob (digest);"
    "CREATE TABLE tag (repository INTEGER NOT NULL REFERENCES repository, name TEXT NOT NULL,"
    " digest TEXT NOT NULL, updated INTEGER NOT NULL,"
    " PRIMARY KEY (repository, name)) WITHOUT ROWID;"
    "CREATE TABLE upload (uuid TEXT PRIMARY KEY, repository TEXT NOT NULL,"
    " account INTEGER NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;"
    /* runs */
    "CREATE TABLE run (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " status INTEGER NOT NULL, created_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL DEFAULT 0,"
    " completed_ms INTEGER NOT NULL DEFAULT 0, launcher TEXT NOT NULL, creator_name TEXT NOT NULL,"
    " creator_type TEXT NOT NULL, description TEXT, test_name TEXT, source TEXT, commit_id TEXT,"
    " params TEXT NOT NULL, secrets TEXT," /* integration tokens: only the notifier reads them */
    " error TEXT, verdict TEXT, duration_s INTEGER NOT NULL,"
    " universes INTEGER NOT NULL DEFAULT 0, virtual_ns INTEGER NOT NULL DEFAULT 0,"
    " wall_ns INTEGER NOT NULL DEFAULT 0, behaviours INTEGER NOT NULL DEFAULT 0,"
    " failed INTEGER NOT NULL DEFAULT 0, never INTEGER NOT NULL DEFAULT 0,"
    " passed INTEGER NOT NULL DEFAULT 0, found_new INTEGER NOT NULL DEFAULT 0,"
    " found_rare INTEGER NOT NULL DEFAULT 0, found_ongoing INTEGER NOT NULL DEFAULT 0,"
    " found_resolved INTEGER NOT NULL DEFAULT 0, is_ephemeral INTEGER NOT NULL DEFAULT 0,"
    " cancel_requested INTEGER NOT NULL DEFAULT 0, cuts INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX run_status ON run (status, number);"
    "CREATE INDEX run_source ON run (source, number);"
    /* notifications */
    "CREATE TABLE notification (id INTEGER PRIMARY KEY, run TEXT NOT NULL, kind TEXT NOT NULL,"
    " target TEXT NOT NULL, payload TEXT NOT NULL, secret TEXT, state TEXT NOT NULL,"
    " attempts INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL, last_error TEXT,"
    " created INTEGER NOT NULL);"
    "CREATE INDEX notification_due ON notification (state, next);"
    "CREATE INDEX notification_run ON notification (run);",
};
const size_t db_migration_count = ARRAY_LEN(db_migrations);
