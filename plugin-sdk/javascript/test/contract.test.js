import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ours = new URL("../wit/plugin.wit", import.meta.url);
const original = new URL("../../../wit/plugin.wit", import.meta.url);

test("the copy of the contract is the contract", { skip: !existsSync(original) }, () => {
  assert.equal(readFileSync(ours, "utf8"), readFileSync(original, "utf8"));
});
