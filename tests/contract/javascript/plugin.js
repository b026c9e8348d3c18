// The plugin that is the same in each language: a test drives it to see what the SDK makes of the contract.

import { plugin, Reject, Retry } from "hookgate-plugin";

export default plugin({
  name: "contract",
  version: "1.2.3",
  settings: {
    greeting: { default: "hello", about: "What it says." },
    missing: { default: "", about: "" },
  },
  on: {
    "contract.fields": (event) => {
      const { id, source, provider, type, receivedAt, attempt } = event;
      const { resourceId, resourceType, accountId, userId, projectId, workspaceId } = event;
      const ids = [resourceId, resourceType, accountId, userId, projectId, workspaceId];
      const named = [...ids, event.attribute("custom"), event.attribute("absent")].map((value) => value ?? "none");
      console.log("fields", [id, source, provider, type, receivedAt.getTime(), attempt, ...named].join(" "));
    },
    "contract.one, contract.two": (event) => {
      console.log(`several ${event.type}`);
    },
    "contract.wild.*": (event) => {
      console.log(`wild ${event.type}`);
    },
    "github:contract.from": (event) => {
      console.log(`from ${event.provider}`);
    },
    "contract.log": () => {
      console.debug("a debug line");
      console.info("an info line");
      console.warn("a warning");
      console.error("an error");
      console.log("grüße 日本 🎬");
    },
    "contract.setting": async (event, { settings }) => {
      await undefined;
      console.log(`greeting=${settings.greeting} missing=${settings.missing}`);
    },
    "contract.reject": () => {
      throw new Reject("never: ü");
    },
    "contract.retry": async () => {
      throw new Error("later: ü");
    },
    "contract.retry-after": async () => {
      throw new Retry("busy", { afterMs: 90_000 });
    },
    "contract.trap": () => {
      undefined.f();
    },
    "contract.payload": ({ payload }) => {
      let sum = 0;
      for (const byte of payload) sum += byte;
      console.log(`payload ${payload.length} ${sum}`);
    },
    "contract.text": (event) => {
      console.log(`text ${event.text()}`);
    },
    "contract.clock": () => {
      console.log(`clock ${Date.now()}`);
    },
    "contract.random": () => {
      console.log(`random ${Math.random()}`);
    },
  },
});
