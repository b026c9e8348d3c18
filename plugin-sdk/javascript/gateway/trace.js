// Where an error was thrown, in the author's own files: the engine knows only the bundle that the build made of them.

import { readStacksBy } from "../lib/format.js";

/** The author's files, and which lines of the bundle are theirs: `[first line, file, its line]`, in order. */
let files = [];
let stretches = [];

/** Takes what the build found out. */
export function readLines(table) {
  ({ files, stretches } = JSON.parse(table));
  readStacksBy(inFiles);
}

/** What is left of a stack when only the author's code is looked at. */
export function inFiles(stack) {
  return stack.split("\n").map(frame).filter(Boolean).join("\n");
}

/** QuickJS writes `at name (file:line:column)`, StarlingMonkey `name@file:line:column`. */
function frame(text) {
  const [, name, line] = /^\s*(?:at )?(?:(.*?)(?: \(|@))?.*:(\d+):\d+\)?$/.exec(text) ?? [];
  const place = line && placeOf(Number(line));
  return place && `    at ${name || "<anonymous>"} (${place})`;
}

function placeOf(line) {
  const [from, file, first] = stretches.findLast(([from]) => from <= line) ?? [];
  return files[file] && `${files[file]}:${first + line - from}`;
}
