import assert from "node:assert/strict";
import { test } from "node:test";

import { event, run } from "hookgate-plugin/testing";

import plugin from "./plugin.js";

const data = { query_video_id: "abc", matched_video_id: "xyz", confidence: 0.95, segment_start: 30.5, segment_end: 45.2 };

function match(changes) {
  return event("match.found", { provider: "soundhash", json: { data: { ...data, ...changes } } });
}

test("a sure match is an alert", async () => {
  const { outcome, logs } = await run(plugin, match());
  assert.equal(outcome, "done");
  assert.deepEqual(logs, ["warn: alert: abc from 30.5 s to 45.2 s is in xyz, confidence 0.95"]);
});

test("the operator chooses what is sure", async () => {
  const { logs } = await run(plugin, match({ segment_start: undefined }), { settings: { confidence: "0.99" } });
  assert.deepEqual(logs, ["info: unsure: abc somewhere is in xyz, confidence 0.95"]);
});

test("a setting that is no number is told until it is mended", async () => {
  const { outcome, why } = await run(plugin, match(), { settings: { confidence: "high" } });
  assert.equal(outcome, "retry");
  assert.match(why, /`confidence` is no number from 0 to 1: high/);
});

test("a match without a video is never looked at again", async () => {
  const { outcome, why } = await run(plugin, event("match.found", { json: {} }));
  assert.deepEqual([outcome, why], ["reject", "a match without a video"]);
});
