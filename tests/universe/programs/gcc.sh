# gcc compiling, linking and running a small program; make in parallel.
# needs: gcc make
# compare: native
for i in 1 2 3 4; do echo "int part$i(int n) { return n * $i; }" > "part$i.c"; done
cat > main.c <<'END'
#include <stdio.h>
int part1(int), part2(int), part3(int), part4(int);
int main(void)
{
    printf("%d\n", part1(1) + part2(2) + part3(3) + part4(4));
    return 0;
}
END
cat > Makefile <<'END'
program: main.o part1.o part2.o part3.o part4.o
	gcc -o $@ $^
%.o: %.c
	gcc -O2 -g -c -o $@ $<
END
make -s -j 3 && ./program && make -s && nm program | grep -c ' T part'
