// From an author's file to a component: bundle it, then let an engine swallow it.

import { readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { inFiles, readLines } from "../gateway/trace.js";
import { bundle } from "./bundle.js";
import { engines } from "./engines.js";
import { BuildError } from "./error.js";

const witPath = fileURLToPath(new URL("../wit", import.meta.url));

/** Builds a plugin, and says where it is and how large. */
export async function build({ file, out, engine, folder }) {
  const componentize = engines[engine];
  if (!componentize) throw new BuildError(`there is no engine \`${engine}\`: ${Object.keys(engines).join(", ")}`);
  const target = path.resolve(folder, out ?? `${await packageName(folder)}.wasm`);
  const { source, lines } = await bundle(path.resolve(folder, file), folder);
  const component = await componentize({ source, witPath, world: "plugin", folder }).catch((error) => {
    throw error instanceof BuildError ? error : new BuildError(told(error, lines));
  });
  // The gateway may look into this folder at any time.
  await writeFile(`${target}.part`, component);
  await rename(`${target}.part`, target);
  return { target, bytes: component.length };
}

async function packageName(folder) {
  const text = await readFile(path.join(folder, "package.json"), "utf8").catch(() => "{}");
  const { name } = JSON.parse(text);
  if (!name) throw new BuildError("there is no package.json with a name here: say where to with -o OUT.wasm");
  return name.replace(/^.*\//, "");
}

/** Why the author's code did not load, and where. */
function told({ message }, lines) {
  readLines(lines);
  const [head, ...stack] = message.replace(/^.*module evaluation: /s, "").trimEnd().split("\n");
  return [head, inFiles(stack.join("\n"))].filter(Boolean).join("\n");
}
