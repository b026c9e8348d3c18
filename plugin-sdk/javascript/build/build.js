// From an author's file to a component: bundle it, then let an engine swallow it.

import { readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { inFiles, readLines } from "../gateway/trace.js";
import { PLAIN, RESPONDING, WRONG_WORLD } from "../gateway/worlds.js";
import { bundle } from "./bundle.js";
import { engines } from "./engines.js";
import { BuildError } from "./error.js";

const witPath = fileURLToPath(new URL("../wit", import.meta.url));

/** Builds a plugin, and says where it is and how large. */
export async function build({ file, out, engine, folder }) {
  const componentize = engines[engine];
  if (!componentize) throw new BuildError(`there is no engine \`${engine}\`: ${Object.keys(engines).join(", ")}`);
  const target = path.resolve(folder, out ?? `${await packageName(folder)}.wasm`);
  const component = await componentOf(path.resolve(folder, file), folder, componentize);
  // The gateway may look into this folder at any time.
  await writeFile(`${target}.part`, component);
  await rename(`${target}.part`, target);
  return { target, bytes: component.length };
}

/** The component, for the world that the plugin says it belongs to. */
async function componentOf(file, folder, componentize) {
  const [first, second] = await worldsFor(file);
  return (await inWorld(first, file, folder, componentize)) ?? inWorld(second, file, folder, componentize);
}

/** The likelier world first: the plugin itself knows which it is, and another try takes seconds. */
async function worldsFor(file) {
  const text = await readFile(file, "utf8").catch(() => "");
  return /\brespond\b/.test(text) ? [RESPONDING, PLAIN] : [PLAIN, RESPONDING];
}

/** Nothing where the plugin belongs to the other world. */
async function inWorld(world, file, folder, componentize) {
  const { source, lines } = await bundle(file, folder, world);
  try {
    return await componentize({ source, witPath, world, folder });
  } catch (error) {
    if (error instanceof BuildError) throw error;
    if (error.message.includes(WRONG_WORLD)) return undefined;
    throw new BuildError(told(error, lines));
  }
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
