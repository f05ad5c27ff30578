# A large static Go program that uses all its threads.
# needs: esbuild
# compare: native
cat > util.ts <<'END'
export const twice = (n: number): number => n * 2;
export enum Colour { Red, Green }
END
cat > main.ts <<'END'
import { twice, Colour } from "./util";
console.log(twice(21), Colour.Green);
END
esbuild main.ts --bundle --minify --log-level=warning
