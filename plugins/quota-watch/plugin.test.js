import assert from "node:assert/strict";
import { test } from "node:test";
import { event, load } from "hookgate-plugin-as/testing";

const plugin = load("quota-watch.wasm");

const limit = event("api_limit.reached", {
  payload: { data: { user_id: 7, limit_type: "api_calls", current_usage: 950, limit_value: 1000 } },
});

test("a user who has used much is a warning", () => {
  assert.deepEqual(plugin.handle(limit), {
    outcome: "done",
    logs: ["warn: user 7 has used 95 % of 1000 api_calls"],
  });
});

test("the operator chooses what is much", () => {
  const { logs } = plugin.handle(limit, { settings: { warn_at: 99 } });
  assert.deepEqual(logs, ["info: user 7 has used 95 % of 1000 api_calls"]);
});

test("a warning without numbers says what it is about", () => {
  const { logs } = plugin.handle(event("quota.warning", { attributes: { "resource.type": "tenant", "resource.id": "3" } }));
  assert.deepEqual(logs, ["warn: quota.warning for tenant 3"]);
});
