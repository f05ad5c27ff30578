/* All routes of the service. Earlier tables win. */
#include "server/http/router.h"
#include "server/pages/logs.h"

const struct router_table router_tables[] = {
    {server_routes, &server_route_count}, {registry_routes, &registry_route_count},
    {api_routes, &api_route_count},       {logs_routes, &logs_route_count},
    {pages_routes, &pages_route_count},
};
const size_t router_table_count = ARRAY_LEN(router_tables);
