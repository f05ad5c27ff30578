# gcc and make in parallel; a shared library, a static program, an archive, link-time optimisation.
# needs: gcc make ar nm strip
for i in 1 2 3 4; do echo "int part$i(int n) { return n * $i; }" >"part$i.c"; done
cat >main.c <<'CODE'
#include <pthread.h>
#include <stdio.h>
int part1(int), part2(int), part3(int), part4(int);
static void *thread(void *arg)
{
    *(int *)arg = part1(1) + part2(2) + part3(3) + part4(4);
    return NULL;
}
int main(void)
{
    pthread_t t;
    int n = 0;
    pthread_create(&t, NULL, thread, &n);
    pthread_join(t, NULL);
    printf("%d\n", n);
    return 0;
}
CODE
cat >Makefile <<'MAKE'
program: main.o part1.o part2.o part3.o part4.o
	gcc -pthread -o $@ $^
%.o: %.c
	gcc -O2 -pipe -g -c -o $@ $<
MAKE
make -s -j 3 && ./program && make -s && nm program | grep -c ' T part'
gcc -O2 -static -flto -pthread -o static *.c && ./static
gcc -shared -fPIC -o libpart.so part?.c && gcc -o dynamic main.c -L. -lpart -Wl,-rpath,. && ./dynamic
ar rcs libpart.a part?.o && nm libpart.a | grep -c T && strip static && ./static
echo 'int main( { }' >bad.c && { gcc -c bad.c 2>/dev/null || echo "status $?"; }
md5sum part1.o | cut -c1-8 | wc -c
