import assert from "node:assert/strict";
import { test } from "node:test";

import { event, respond } from "hookgate-plugin/testing";

import plugin from "./plugin.js";

const RESOURCE = "d3075547-4e64-45f0-ad12-d075660eddd2";

/** The custom action, as Frame.io sends it: without `data` when it is chosen, with it when the form was filled in. */
function action(data, attributes = { "resource.id": RESOURCE, "user.id": "u1" }) {
  const body = { type: "review.approve", action_id: "a1", interaction_id: "i1", resource: { id: RESOURCE, type: "file" }, data };
  return event("review.approve", { provider: "frameio", attributes, json: body });
}

/** What the sender gets, beside the rest. */
async function answered(data, grants) {
  const { answer, ...rest } = await respond(plugin, action(data), grants);
  return { ...rest, body: await answer.json() };
}

test("the first interaction asks for a decision", async () => {
  const { body, emitted, state } = await answered();
  assert.deepEqual([body.title, body.description], ["Review", "Is it good as it is?"]);
  assert.deepEqual(body.fields.map(({ type, label, name, value }) => [type, label, name, value]), [
    ["select", "Decision", "decision", "approve"],
    ["textarea", "Note", "note", ""],
  ]);
  assert.deepEqual(body.fields[0].options.map(({ value }) => value), ["approve", "changes"]);
  assert.deepEqual([emitted, state.keys()], [[], []]);
});

test("a decision is confirmed, remembered and told to others", async () => {
  const { body, emitted, state, logs } = await answered({ decision: "changes", note: " Shorter. " });
  assert.deepEqual(body, { title: "Changes requested", description: "Shorter." });
  assert.deepEqual(state.getJson(RESOURCE), { decision: "changes", note: "Shorter." });
  assert.deepEqual(logs, [`info: ${RESOURCE}: changes by u1`]);
  const [decided, ...more] = emitted;
  assert.deepEqual([decided.type, decided.resourceId, decided.userId, more], ["review.decided", RESOURCE, "u1", []]);
  assert.deepEqual(decided.json(), { resource_id: RESOURCE, decision: "changes", note: "Shorter." });
});

test("the next one to ask sees what was decided", async () => {
  const { state } = await answered({ decision: "approve", note: "Fine." });
  const { body } = await answered(undefined, { state });
  assert.equal(body.description, "So far: Approved.");
  assert.deepEqual(body.fields.map(({ value }) => value), ["approve", "Fine."]);
});

test("what is no decision is asked again", async () => {
  for (const data of [{}, { decision: "maybe" }, { decision: "toString" }, { decision: ["approve"] }]) {
    const { body, emitted, state } = await answered(data);
    assert.deepEqual([body.title, emitted, state.keys()], ["Review", [], []]);
  }
});

test("a decision without a note is one", async () => {
  for (const note of [undefined, "  ", 5]) {
    const { body, emitted: [decided] } = await answered({ decision: "approve", note });
    assert.deepEqual([body, decided.json().note], [{ title: "Approved", description: "Thank you." }, ""]);
  }
});

test("nothing is remembered where the decision cannot be told", async () => {
  const { outcome, state } = await respond(plugin, action({ decision: "approve" }), { emit: false });
  assert.deepEqual([outcome, state.keys()], ["retry", []]);
});

test("an action on nothing is rejected", async () => {
  const { outcome, why } = await respond(plugin, action({ decision: "approve" }, {}));
  assert.deepEqual([outcome, why], ["reject", "an action on nothing"]);
});
