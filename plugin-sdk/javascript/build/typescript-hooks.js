// How Node reads a file in TypeScript: without its types.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { transformSync } from "esbuild";

export function load(url, context, nextLoad) {
  if (!/^file:.*\.m?ts$/.test(url)) return nextLoad(url, context);
  const sourcefile = fileURLToPath(url);
  const { code } = transformSync(readFileSync(sourcefile, "utf8"), { loader: "ts", sourcefile, sourcemap: "inline" });
  return { format: "module", source: code, shortCircuit: true };
}
