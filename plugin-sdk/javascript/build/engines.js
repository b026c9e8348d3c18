// The engines that run JavaScript inside of a component.

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { BuildError } from "./error.js";

const STARLINGMONKEY = "@bytecodealliance/componentize-js";
/** It uses the second without saying so. */
const STARLINGMONKEY_PACKAGES = `${STARLINGMONKEY}@0.23.0 @bytecodealliance/preview2-shim@0.17.4`;

/** Each takes the bundled source and gives a component. */
export const engines = {
  /** QuickJS: small and quick to start. */
  async "componentize-qjs"({ source, witPath, world }) {
    const { componentize } = await import("componentize-qjs");
    const { component } = await componentize({ jsSource: source, witPath, world, sync: true, stubWasi: true });
    return component;
  },

  /** StarlingMonkey, the engine of Firefox: several times as large, and the author installs it. */
  async "componentize-js"({ source, witPath, world, folder }) {
    const { componentize } = await import(await installed(folder));
    const scratch = await mkdtemp(path.join(tmpdir(), "hookgate-plugin-"));
    try {
      const sourcePath = path.join(scratch, "plugin.js");
      await writeFile(sourcePath, source);
      const disableFeatures = ["stdio", "random", "clocks", "http", "fetch-event"];
      const { component } = await componentize({ sourcePath, witPath, worldName: world, disableFeatures });
      return component;
    } finally {
      await rm(scratch, { recursive: true });
    }
  },
};

/** Where the author's project has the engine, as what can be imported. */
async function installed(folder) {
  const places = createRequire(path.join(folder, "package.json")).resolve.paths(STARLINGMONKEY);
  const found = places.map((place) => path.join(place, STARLINGMONKEY)).find((place) => existsSync(place));
  if (found === undefined) {
    const command = `npm install --save-dev --save-exact ${STARLINGMONKEY_PACKAGES}`;
    throw new BuildError(`the engine componentize-js is not installed. It takes 385 MB:\n  ${command}`);
  }
  const { exports } = JSON.parse(await readFile(path.join(found, "package.json"), "utf8"));
  return pathToFileURL(path.join(found, exports.import)).href;
}
