/* Logging in and out; accounts and tokens for administrators (made on the command line only). */
#ifndef EVERETT_SERVER_PAGES_ACCOUNTS_H
#define EVERETT_SERVER_PAGES_ACCOUNTS_H

#include "server/pages/frame.h"

http_handler page_login, page_login_post, page_logout, page_accounts, page_revoke;

/* "next" of a login as an address of this server: "/runs" when it leads elsewhere. */
const char *login_target(const char *next);

#endif
