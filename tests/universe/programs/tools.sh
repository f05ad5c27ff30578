# Archives, compression, checksums, searching: tools that map, seek and pipe.
# needs: tar gzip xz grep find openssl perl
# compare: native
mkdir -p data/sub && seq 1 30000 > data/numbers && cp data/numbers data/sub/copy
tar -C data --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf a.tar . && md5sum a.tar
gzip -9n < a.tar | md5sum
xz -T2 -k a.tar && xz -dc a.tar.xz | cmp - a.tar && echo equal
grep -c 7 data/numbers && grep -rl 29999 data | sort
touch -d '1 hour ago' old && find data -type f -newer old -size +100k | sort
openssl dgst -sha256 data/numbers
perl -e 'my %h = map { $_ => $_ ** 2 } 1 .. 100; my $s = 0; $s += $_ for values %h; print "$s\n"'
split -n l/3 data/numbers piece && wc -l piece* | tail -n 1
dd if=data/numbers of=copy bs=7k conv=sync status=none && wc -c < copy
comm -12 <(head -n 100 data/numbers | sort) <(tail -n +95 data/numbers | head -n 10 | sort)
