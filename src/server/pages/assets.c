/* Finding embedded files. */
#include "server/pages/assets.h"

#include <string.h>

const struct asset *asset_named(const char *name)
{
    for (size_t i = 0; i < asset_count; i++) {
        if (strcmp(assets[i].name, name) == 0) {
            return &assets[i];
        }
    }
    return NULL;
}

const struct asset *asset_at(const char *file)
{
    for (size_t i = 0; i < asset_count; i++) {
        if (strcmp(strrchr(assets[i].path, '/') + 1, file) == 0) {
            return &assets[i];
        }
    }
    return NULL;
}
