// A plugin that tries what plugins reach for: gateway.test.js drives it.

import { plugin, Reject, Retry } from "hookgate-plugin";

console.log("while it was built", typeof Math.random(), Date.now() > 0);
const early = attempted(() => crypto.randomUUID());
const earlyFetch = fetch("https://example.com").catch(({ message }) => message);

function attempted(code, told = ({ message }) => message) {
  try {
    return code();
  } catch (error) {
    return told(error);
  }
}

export default plugin({
  name: "everything",
  version: "0.1.0",
  settings: { greeting: { default: "hello" } },
  hosts: ["*"],
  state: true,
  emits: ["made.*"],
  respond: {
    answer: async (_, { settings }) => ({ status: 201, body: { greeting: settings.greeting } }),
    busy: () => {
      throw new Retry("busy", { afterMs: 5 });
    },
    stuck: () => new Promise(() => {}),
  },
  on: {
    state: (_, { state }) => {
      const before = state.get("b");
      state.set("b", "x", { keepMs: 5 });
      state.set("a\ud800", { a: 1 });
      console.log(before, state.getText("b"), state.getJson("a\ud800"), state.keys(), state.keys({ prefix: "b", after: "a", limit: 1 }));
      state.set("big", "9007199254740992");
      console.log(state.increment("n"), state.increment("n", 5), state.increment("n", -7), state.increment("big"), state.compareAndSet("b", "x", "y", { keepMs: 5 }), state.compareAndSet("c", "z", ""));
      console.log(attempted(() => state.increment("b", -1), ({ kind, message }) => `${kind}: ${message}`));
      for (const key of state.keys()) state.delete(key);
      console.log(attempted(() => state.get("denied"), ({ kind, message }) => `${kind}: ${message}`));
    },
    request: async () => {
      const response = await fetch("https://h/\ud800", { method: "POST", headers: { a: 1 }, body: "x", signal: AbortSignal.timeout(8.5) });
      console.log(response.status, response instanceof Response, response.headers.get("x-seen"), await response.text());
      console.log(response.ok, (await (await fetch(new URL("https://h/"))).json())[5]);
      await fetch("https://denied/").catch((error) => console.log(`${error}`, `${error.cause.kind}: ${error.cause.message}`));
    },
    emit: (_, { emit }) => emit("made.\ud800", { a: 1 }, { "a\ud800": 5 }),

    clock: () => console.log(Date.now(), new Date().toISOString(), new Date() instanceof Date, Date.UTC(1970, 0), new Date(5).getTime(), performance.now()),
    random: () => console.log(Math.random(), crypto.randomUUID(), crypto.getRandomValues(new Uint8Array(5000)).length),
    early: async () => console.log(early, "|", await earlyFetch),
    absent: () => console.log(attempted(() => setTimeout(() => {}, 1))),
    web: async () => {
      const url = new URL("../b?q=ü", "https://example.com/a/c");
      const items = await Array.fromAsync([Promise.resolve(1), 2]);
      console.log(url.href, structuredClone({ items }), new TextDecoder().decode(new TextEncoder().encode("ü")), atob(btoa("x")));
    },
    setting: async (_, { settings }) => {
      await null;
      console.log(settings.greeting);
    },
    reject: async () => {
      throw new Reject("never \ud800");
    },
    retry: () => {
      throw new Retry("busy", { afterMs: 5 });
    },
    error: async () => {
      await null;
      throw new TypeError("a bug");
    },
    stuck: () => new Promise(() => {}),
    lost: async () => {
      Promise.reject(new Error("nobody looks"));
    },
    job: () => queueMicrotask(() => { throw new Error("in a job"); }),
    group: () => {
      console.group("never ended");
      console.log("half \ud800");
    },
  },
});
