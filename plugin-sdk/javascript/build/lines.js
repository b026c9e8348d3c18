// Which lines of the bundle come from which of the author's lines.

import { SourceMap } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The SDK's own code, which is left out. */
const own = ["gateway", "lib"].map((name) => fileURLToPath(new URL(`../${name}/`, import.meta.url)));

/** What gateway/trace.js reads. Files are named from the author's folder. */
export function linesOf(bundle, map, folder) {
  const sourceMap = new SourceMap(JSON.parse(map));
  const files = [];
  const stretches = [];
  let last = {};
  for (const [at, text] of bundle.split("\n").entries()) {
    const { originalSource, originalLine } = text === "" ? {} : sourceMap.findEntry(at, text.search(/\S|$/));
    const name = originalSource && nameOf(originalSource, folder);
    const shift = name && originalLine - at;
    if (name === last.name && shift === last.shift) continue;
    last = { name, shift };
    stretches.push([at + 1, name ? indexOf(files, name) : -1, name ? originalLine + 1 : 0]);
  }
  return { files, stretches };
}

function nameOf(source, folder) {
  const file = path.resolve(folder, source);
  return own.some((place) => file.startsWith(place)) ? undefined : source;
}

function indexOf(files, name) {
  const known = files.indexOf(name);
  return known < 0 ? files.push(name) - 1 : known;
}
