# A large static Go program that uses all its threads.
# needs: npm
# npm: @esbuild/linux-x64@0.25.5 95a928d8187c6f7ad632a3f3bbf01f66dfd5b5adb724b8bfeec5fff73ff2d91a
# compare: native
# It lists every folder above its input: not /tmp, where others' files come and go.
work=$(mktemp -d -p /var/tmp)
trap 'rm -r "$work"' EXIT
cd "$work"
cat > util.ts <<'END'
export const twice = (n: number): number => n * 2;
export enum Colour { Red, Green }
END
cat > main.ts <<'END'
import { twice, Colour } from "./util";
console.log(twice(21), Colour.Green);
END
"$OUT/npm/esbuild/package/bin/esbuild" main.ts --bundle --minify --log-level=warning
