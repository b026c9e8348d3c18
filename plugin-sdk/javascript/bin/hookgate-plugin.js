#!/usr/bin/env node
import path from "node:path";
import { parseArgs } from "node:util";

import { build } from "../build/build.js";
import { BuildError } from "../build/error.js";

const USAGE = `Usage: hookgate-plugin build FILE [-o OUT.wasm] [--engine ENGINE]

Builds a plugin from a file in JavaScript or TypeScript.

  -o, --out OUT.wasm   Where to; without it, NAME.wasm with the name from package.json
  --engine ENGINE      componentize-qjs (QuickJS, the default) or componentize-js (StarlingMonkey)`;

const options = {
  out: { type: "string", short: "o" },
  engine: { type: "string", default: "componentize-qjs" },
  help: { type: "boolean", short: "h" },
};

async function main() {
  const { values, positionals } = read();
  if (values.help) return console.log(USAGE);
  const [command, file, ...rest] = positionals;
  if (command !== "build" || file === undefined || rest.length > 0) throw new BuildError(USAGE);
  const { target, bytes } = await build({ file, out: values.out, engine: values.engine, folder: process.cwd() });
  console.log(`${path.relative(process.cwd(), target)}: ${(bytes / 2 ** 20).toFixed(1)} MiB`);
}

function read() {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new BuildError(`${error.message}\n\n${USAGE}`);
  }
}

main().catch((error) => {
  console.error(error instanceof BuildError ? error.message : error);
  process.exitCode = 1;
});
