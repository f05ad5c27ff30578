# A static program that plays many: shell, pipes, archives, checksums.
# needs: busybox
# compare: native
mkdir bin && busybox --install -s bin
cat > script <<'END'
mkdir -p in/deep
for i in 1 2 3 4 5; do echo "line $i" > in/deep/$i; done
tar cf - in | gzip -c > out.tgz
gzip -dc out.tgz | tar tf - | sort
cat in/deep/* | md5sum
find in -type f | wc -l
seq 10 | awk '{ n += $1 } END { print n }'
dd if=/dev/zero bs=1k count=64 2>/dev/null | sha256sum
(sleep 0.2; echo late) & wait
END
PATH=$PWD/bin busybox sh ./script
