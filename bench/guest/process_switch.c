/* Two processes pass a byte to and fro through pipes, COUNT round trips: two switches each. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 1;
    int there[2], back[2];
    char c = 0;
    if (pipe(there) || pipe(back)) {
        return 1;
    }
    if (fork() == 0) {
        for (long i = 0; i < n; i++) {
            if (read(there[0], &c, 1) != 1 || write(back[1], &c, 1) != 1) {
                _exit(1);
            }
        }
        _exit(0);
    }
    for (long i = 0; i < n; i++) {
        if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1) {
            return 1;
        }
    }
    return wait(NULL) < 0;
}
