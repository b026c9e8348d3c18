import assert from "node:assert/strict";
import { test } from "node:test";

import { matches } from "../lib/pattern.js";

test("patterns mean what the contract says", () => {
  const table = [
    ["file.ready", "file.ready", true],
    ["file.ready", "file.ready.now", false],
    ["file.*", "file.upload.completed", true],
    ["file.*", "files.ready", false],
    ["*", "", true],
    ["**", "anything.at/all", true],
    ["*.created", "comment.created", true],
    ["*.created", "comment.created.late", false],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["ab*ba", "aba", false],
    ["a*é*z", "a-é-z", true],
    ["frameio:file.*", "file.ready", true],
    ["studio:file.*", "file.ready", true],
    ["github:file.*", "file.ready", false],
    ["com.example:order", "com.example:order", true],
    ["Caps:*", "Caps:order", true],
  ];
  for (const [pattern, type, expected] of table) {
    assert.equal(matches(pattern, { type, source: "studio", provider: "frameio" }), expected, `${pattern} on ${type}`);
  }
});
