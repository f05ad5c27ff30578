# ripgrep: a walk with threads, searches in maps and in pipes.
# needs: rg
rg --version | head -n 1
mkdir -p tree/{a,b,c}/{d,e}
for d in tree/*/*; do for i in $(seq 1 20); do seq "$i" 400 >"$d/$i.txt"; done; done
echo '*.log' >tree/.ignore && echo 399 >tree/a/x.log
rg -c 399 tree | wc -l
rg --sort path -l '^20$' tree | head -n 5
rg -o --no-filename '^1[0-9]9$' tree | sort | uniq -c | head -n 3
rg --mmap -n '^77$' tree/a/d/3.txt
seq 1 5000 | rg -c 7
rg --files tree | wc -l
rg nothing-at-all tree || echo "status $?"
