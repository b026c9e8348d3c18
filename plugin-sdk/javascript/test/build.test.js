import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const command = fileURLToPath(new URL("../bin/hookgate-plugin.js", import.meta.url));
const sdk = fileURLToPath(new URL("../index.js", import.meta.url));
const PLUGIN = 'export default plugin({ name: "p", version: "1", on: { x: async (event: { type: string }) => console.log(event.type) } });';

let folder;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "hookgate-plugin-test-"));
});

afterEach(() => rm(folder, { recursive: true }));

async function build(code, ...args) {
  await writeFile(path.join(folder, "plugin.ts"), `import { plugin } from ${JSON.stringify(sdk)};\n${code}`);
  return promisify(execFile)(process.execPath, [command, "build", "plugin.ts", ...args], { cwd: folder });
}

async function refusal(code, ...args) {
  return build(code, ...args).then(() => assert.fail("it was built"), ({ stderr }) => stderr.trim());
}

test("a plugin in TypeScript becomes a component that is called like its package", async () => {
  await writeFile(path.join(folder, "package.json"), '{ "name": "@studio/greeter" }');
  const { stdout } = await build(PLUGIN);
  assert.match(stdout, /^greeter\.wasm: \d\.\d MiB\n$/);
  const component = await readFile(path.join(folder, "greeter.wasm"));
  assert.deepEqual(component.subarray(0, 8), Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]));
  assert.deepEqual((await readdir(folder)).sort(), ["greeter.wasm", "package.json", "plugin.ts"]);
});

test("a plugin is built for the world that it belongs to", async () => {
  const answers = (key) => `${PLUGIN.slice(0, -3)}, ["${key}"]: { y: () => ({}) } });`;
  const exported = async (code) => {
    await build(code, "-o", "out.wasm");
    const component = await readFile(path.join(folder, "out.wasm"), "latin1");
    return ["handler", "responder"].filter((name) => component.includes(`hookgate:plugin/${name}@0.1.0`));
  };
  assert.deepEqual(await exported(`// It does not respond.\n${PLUGIN}`), ["handler"]);
  assert.deepEqual(await exported(answers("respond")), ["handler", "responder"]);
  // Not to be seen before it runs.
  assert.deepEqual(await exported(answers("res\\x70ond")), ["handler", "responder"]);
});

test("mistakes are told with their place, and nothing is left behind", async () => {
  const out = ["-o", "out.wasm"];
  assert.match(await refusal(PLUGIN), /no package\.json with a name here/);
  assert.match(await refusal('import "node:fs";', ...out), /plugin\.ts:2:7:[^]*`fs` is a module of Node\.js/);
  assert.match(await refusal("export const x = plugin;", ...out), /The plugin is the default export of its file/);
  assert.match(await refusal("export default 5;", ...out), /^\S*Error: the default export of the file is not what `plugin/);
  assert.match(await refusal("\nexport default plugin({ on: { x() {} } });", ...out), /^\S*Error: the name of a plugin is not a string\n.*plugin\.ts:3/);
  assert.match(await refusal(PLUGIN, ...out, "--engine", "v8"), /there is no engine `v8`/);
  assert.match(await refusal(PLUGIN, ...out, "--engine", "componentize-js"), /npm install --save-dev --save-exact @bytecodealliance/);
  assert.deepEqual(await readdir(folder), ["plugin.ts"]);
});
