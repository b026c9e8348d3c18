import assert from "node:assert/strict";
import { test } from "node:test";

import { event, run } from "hookgate-plugin/testing";

import plugin from "./plugin.ts";

function issue(title: string, ...labels: string[]) {
  const json = { issue: { number: 42, title, labels: labels.map((name) => ({ name })) } };
  return event("issues.opened", { provider: "github", json });
}

test("a label decides", async () => {
  const { outcome, logs } = await run(plugin, issue("A typo in the login", "bug", "security"));
  assert.equal(outcome, "done");
  assert.deepEqual(logs, ["info: #42 goes to security: A typo in the login"]);
});

test("without a label, a word in the title does", async () => {
  const { logs } = await run(plugin, issue("Typo: wellcome"));
  assert.deepEqual(logs, ["info: #42 goes to docs: Typo: wellcome"]);
});

test("the operator knows other teams", async () => {
  const settings = { teams: JSON.stringify({ web: { labels: ["css"] } }), otherwise: "nobody" };
  assert.deepEqual((await run(plugin, issue("Blue", "css"), { settings })).logs, ["info: #42 goes to web: Blue"]);
  assert.deepEqual((await run(plugin, issue("A typo"), { settings })).logs, ["info: #42 goes to nobody: A typo"]);
});

test("what is no issue is never looked at again", async () => {
  const { outcome } = await run(plugin, event("issues.labeled", { provider: "github", json: {} }));
  assert.equal(outcome, "reject");
});
