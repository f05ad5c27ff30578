/* Mapping operations of the port. */
#ifndef EVERETT_ENTRY_PAGES_H
#define EVERETT_ENTRY_PAGES_H

struct port;

void pages_init(struct port *p);

#endif
