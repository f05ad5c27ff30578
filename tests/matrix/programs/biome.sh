# A static Rust program (musl) with a thread pool, a file walk and a daemon that it does not start.
# needs: biome
# fetch: npm @biomejs/cli-linux-x64-musl@1.9.4 biome
mkdir -p src
for i in $(seq 1 40); do
    printf 'const x%d = 1;\nfunction  f( a ){return a+x%d}\nexport{f}\n' "$i" "$i" >"src/a$i.js"
done
biome --version
biome format --write src 2>&1 | sed 's/ in [0-9.]*[a-zµ]*s/ in TIME/'
cat src/a7.js
md5sum src/* | md5sum
echo 'debugger; var unused = 1; if (a == b) {}' >bad.js
biome lint bad.js 2>/dev/null >found || echo "status $?"
echo 'a  =  [1,2 ]' | biome format --stdin-file-path=x.js
