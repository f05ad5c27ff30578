# A static Go program that uses all its threads: bundling, minifying, a source map.
# needs: esbuild
mkdir src
for i in $(seq 1 60); do
    echo "export const f$i = (n: number): number => n + $i; export enum E$i { A, B }" >"src/m$i.ts"
    echo "import { f$i, E$i } from './m$i'; console.log(f$i(E$i.B));" >>src/main.ts
done
esbuild src/main.ts --bundle --minify --sourcemap --outfile=out.js --log-level=warning
md5sum out.js out.js.map
echo 'let x: number = ' >bad.ts
esbuild bad.ts --color=false || echo "status $?"
echo 'export const x = 1' | esbuild --format=cjs | tail -n 4
