/* Loads libvoidstar.so with whatever C library this program was built for (the test builds it for
 * musl) and uses it. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    char line[128];
    if (argc != 3) {
        fprintf(stderr, "usage: load_library LIBRARY LIST\n");
        return 2;
    }
    void *library = dlopen(argv[1], RTLD_NOW);
    FILE *list = fopen(argv[2], "r");
    if (library == NULL || list == NULL) {
        fprintf(stderr, "FAIL: %s\n", library == NULL ? dlerror() : argv[2]);
        return 1;
    }
    int found = 0;
    while (fgets(line, sizeof(line), list) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (dlsym(library, line) == NULL) {
            fprintf(stderr, "FAIL: no symbol %s\n", line);
            return 1;
        }
        found++;
    }
    uint64_t (*get_random)(void);
    void *symbol = dlsym(library, "fuzz_get_random");
    memcpy(&get_random, &symbol, sizeof(symbol));
    return found > 0 && get_random() != get_random() ? 0 : 1;
}
