// What the SDKs' powers are tested with, in JavaScript.

import { plugin, Retry } from "hookgate-plugin";
import { frameio } from "hookgate-plugin/frameio";

export default plugin({
  name: "powers",
  version: "1.0.0",
  settings: { limit: { type: "integer", default: 3, about: "How many." } },
  state: { about: "What it did." },
  hosts: { "*": { methods: ["GET", "POST"], credential: "bearer", optional: true } },
  emits: ["made.*"],
  on: {
    "powers.state": (event, { settings, state }) => {
      state.set("k", "v1");
      console.log(`got ${state.getText("k")}`);
      console.log(`n ${state.increment("n", 2)}`);
      state.set("k2", new Uint8Array([0x00, 0xff]));
      console.log(`keys ${state.keys({ prefix: "k" }).join(" ")}`);
      state.delete("k2");
      console.log(`left ${state.keys({ prefix: "k" }).join(" ")}`);
      for (let time = 1; time <= 2; time++) {
        console.log(`swapped ${state.compareAndSet("k", "v1", "v2")}`);
      }
      console.log(`none ${state.get("none") === undefined ? "no" : "yes"}`);
      state.set("soon", "x", { keepMs: 3_600_000 });
      console.log(`limit ${settings.limit}`);
    },
    "powers.http": async (event) => {
      const answer = await fetch(event.json().url, { method: "POST", headers: { "x-own": "1" }, body: "hello" });
      console.log(`status ${answer.status}`);
      const told = await answer.text();
      console.log(`told ${told.replaceAll("\n", " ")}`);
    },
    "powers.emit": (event, { emit }) => {
      emit("made.it", { n: 1 }, { why: "because" });
      console.log("emitted");
    },
    "powers.denied": async (event, { state, emit }) => {
      console.log(await kindOf(() => emit("other.it")));
      console.log(await kindOf(() => fetch("https://not.granted.example/")));
      console.log(await kindOf(() => state.get("")));
    },
    "powers.escape": (event, { state }) => {
      state.get("");
    },
    "powers.forget": (event, { state, emit }) => {
      state.set("lost", "x");
      emit("made.lost");
      throw new Retry("not now");
    },
    "powers.frameio": async (event) => {
      const { api, account, file } = event.json();
      const { text } = await frameio({ baseUrl: api }).comments.create(account, file, "from javascript");
      console.log(`commented ${text}`);
    },
    "powers.show": async (event) => {
      const { api, account, file } = event.json();
      const { name } = await frameio({ baseUrl: api }).files.show(account, file);
      console.log(`file ${name}`);
    },
  },
  respond: {
    "powers.ask": (event, { state }) => {
      const n = state.increment("asked");
      const asked = event.text();
      if (asked === "fail") throw new Retry("cannot");
      if (asked === "message") return frameio.message({ title: "T", description: "D" });
      return { status: 201, headers: { "x-answered": "yes" }, body: `asked ${n} ${asked}` };
    },
  },
});

/** What is wrong with what was asked for. Of `fetch`, the cause tells it. */
async function kindOf(ask) {
  try {
    await ask();
  } catch (error) {
    return (error.cause ?? error).kind;
  }
  return "nothing";
}
