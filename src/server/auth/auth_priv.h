/* Shared by the files of auth/. */
#ifndef EVERETT_SERVER_AUTH_AUTH_PRIV_H
#define EVERETT_SERVER_AUTH_AUTH_PRIV_H

#include <pthread.h>

#include "server/auth/auth.h"

#define AUTH_SALT_LEN     16u
#define AUTH_HASH_LEN     32u
#define AUTH_TOKEN_PREFIX "evt_"
#define AUTH_NAME_MAX     64u
#define AUTH_PASSWORD_MAX 1024u

/* secret.c: scrypt and what goes with secrets. */
int secret_scrypt(const char *password, const uint8_t salt[AUTH_SALT_LEN],
                  uint8_t out[AUTH_HASH_LEN], struct err *err) must_check;
void secret_random(void *out, size_t len);
void secret_sha256(const char *text, uint8_t out[AUTH_HASH_LEN]);
/* Appends 256 random bits in base64url: 43 characters. */
void secret_text(struct buf *out);
bool secret_is_equal(const void *a, const void *b, size_t len); /* constant time */

/* lockout.c: wrong passwords by (account, address). `now_s` is monotonic. */
#define LOCKOUT_PAIRS    1024u
#define LOCKOUT_WRONG    10u
#define LOCKOUT_WINDOW_S 600u
struct lockout_pair {
    char name[AUTH_NAME_MAX + 1], peer[64];
    unsigned wrong;
    uint64_t since_s;  /* of the first wrong one in the window */
    uint64_t until_s;  /* locked until then; 0: not */
    uint64_t recent_s; /* last use, for replacement; 0: free */
};
struct lockout {
    struct lockout_pair pairs[LOCKOUT_PAIRS];
};
/* Seconds until the pair may try again; 0: now. */
unsigned lockout_check(const struct lockout *l, const char *name, const char *peer, uint64_t now_s);
/* Returns true when this one locked the pair. */
bool lockout_wrong(struct lockout *l, const char *name, const char *peer, uint64_t now_s);
void lockout_right(struct lockout *l, const char *name, const char *peer);

/* Passwords that were verified a moment ago: a keyed hash of name, password and the stored hash (so
 * that a changed password is forgotten at once). Direct-mapped. */
#define VERIFIED_SLOTS 256u
#define VERIFIED_S     300u
struct verified {
    uint8_t mac[AUTH_HASH_LEN];
    uint64_t until_s;
};

struct auth {
    struct db_pool *db;
    uint8_t key[32];      /* of the verified hashes: random, of this process */
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t hashed;
    unsigned hashing; /* threads inside scrypt: 32 MiB each */
    struct lockout lockout;
    struct verified verified[VERIFIED_SLOTS];
};

uint64_t auth_now_s(void); /* monotonic */

/* Checks a password; fills `who` but for by_session and csrf. */
enum auth_result auth_password(struct auth *a, const char *name, const char *password,
                               const char *peer, struct principal *who, unsigned *retry_s);
/* `name` NULL: any account. */
enum auth_result auth_token(struct auth *a, const char *text, const char *name,
                            struct principal *who);
enum auth_result auth_session(struct auth *a, const char *text, struct principal *who);

/* account.c */
bool auth_is_name(const char *name);

#endif
