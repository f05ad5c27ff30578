#include "image/limits.h"

struct image_limits image_limits_default(void)
{
    return (struct image_limits){
        .bytes_max = 64ull << 30,
        .entries_max = 4u << 20,
        .json_max = 16u << 20,
        .layers_max = 512,
        .members_max = 100000,
        .ratio_max = 2000,
    };
}
