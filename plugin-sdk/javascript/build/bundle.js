// One module, with the author's code, all that it imports, and what the gateway calls.

import { existsSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

import { BuildError } from "./error.js";
import { linesOf } from "./lines.js";

const gateway = fileURLToPath(new URL("../gateway/", import.meta.url));
const entryFile = path.join(gateway, "entry.js");

/** Stands in the bundle for what can only be known when it is there. */
const LINES = "the lines of the bundle";

const options = {
  bundle: true,
  write: false,
  format: "esm",
  platform: "neutral",
  mainFields: ["browser", "module", "main"],
  conditions: ["worker", "browser"],
  target: "es2023",
  // The engine runs no promise jobs in a call: gateway/promise.js does, and these are made of it.
  supported: { "async-await": false, "async-generator": false, "for-await": false },
  external: ["hookgate:*"],
  define: { "process.env.NODE_ENV": '"production"' },
  minifySyntax: true,
  sourcemap: "external",
  sourcesContent: false,
  logLevel: "silent",
};

/** The bundle for a world, and which of its lines are the author's. */
export async function bundle(file, folder, world) {
  if (!existsSync(file)) throw new BuildError(`there is no file ${path.relative(folder, file)}`);
  const stdin = { contents: entry(file, world), resolveDir: gateway, sourcefile: entryFile };
  const result = await esbuild.build({ ...options, stdin, outfile: path.join(folder, "plugin.js") }).catch(mistaken);
  const [map, code] = result.outputFiles.map(({ text }) => text);
  const lines = JSON.stringify(linesOf(code, map, folder));
  return { source: code.replace(`"${LINES}"`, () => JSON.stringify(lines)), lines };
}

/** The first line comes first, and the last one last: what is between may not see what was there before. */
function entry(file, world) {
  return `
    import "./globals.js";
    import plugin from ${JSON.stringify(file)};
    import { serve } from "./index.js";
    import { settle } from "./settle.js";
    import { readLines } from "./trace.js";
    readLines("${LINES}");
    export const { handler, responder } = serve(plugin, "${world}");
    settle();`;
}

/** Tells what esbuild says, and what it cannot know. */
async function mistaken(error) {
  if (!error.errors) throw error;
  const lines = await esbuild.formatMessages(error.errors.map(explained), { kind: "error", color: process.stderr.isTTY });
  throw new BuildError(lines.join("").trim());
}

function explained(message) {
  const [, name] = /^Could not resolve "(?:node:)?([^"]+)"/.exec(message.text) ?? [];
  if (builtinModules.includes(name)) {
    return { ...message, notes: [{ text: `\`${name}\` is a module of Node.js: a plugin has no files, processes and sockets.` }] };
  }
  if (message.location && path.resolve(message.location.file) === entryFile) {
    return { text: message.text, notes: [{ text: "The plugin is the default export of its file: export default plugin({ ... })" }] };
  }
  return message;
}
