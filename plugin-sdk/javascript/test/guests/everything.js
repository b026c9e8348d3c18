// A plugin that tries what plugins reach for: gateway.test.js drives it.

import { plugin, Reject, Retry } from "hookgate-plugin";

console.log("while it was built", typeof Math.random(), Date.now() > 0);
const early = attempted(() => crypto.randomUUID());

function attempted(code) {
  try {
    return code();
  } catch (error) {
    return error.message;
  }
}

export default plugin({
  name: "everything",
  version: "0.1.0",
  settings: { greeting: { default: "hello" } },
  on: {
    clock: () => console.log(Date.now(), new Date().toISOString(), new Date() instanceof Date, Date.UTC(1970, 0), new Date(5).getTime(), performance.now()),
    random: () => console.log(Math.random(), crypto.randomUUID(), crypto.getRandomValues(new Uint8Array(5000)).length),
    early: () => console.log(early),
    absent: () => console.log(attempted(() => fetch("https://example.com")), "|", attempted(() => setTimeout(() => {}, 1))),
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
