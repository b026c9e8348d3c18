// Not run: `tsc -p test` says whether the types hold what they promise.

import { plugin, PowerError, Reject, Retry, type Answer, type Context, type Event, type Handler } from "hookgate-plugin";
import { frameio, FrameioError, type Field } from "hookgate-plugin/frameio";
import { event, Memory, respond, run } from "hookgate-plugin/testing";

interface Order {
  number: number;
}

const orders = plugin({
  name: "orders",
  version: "0.1.0",
  settings: { prefix: { default: "order", about: "What each line begins with." }, currency: {} },
  on: {
    "order.created, order.paid": async (event, { settings }) => {
      const { number } = event.json<Order>();
      const line: string = `${settings.prefix} ${number} ${settings.currency}`;
      const id: string | undefined = event.resourceId ?? event.attributes["custom"];
      if (event.attempt > 3) throw new Reject(line, { cause: id });
      throw new Retry(line, { afterMs: 1000 });
    },
    // @ts-expect-error: there is no such setting
    "order.*": (event, { settings }) => settings.prefx,
    // @ts-expect-error: a handler is a function
    "*": 5,
  },
});

const shared: Handler = (event: Event, context: Context) => event.type + context.settings["any"];
plugin({ name: "bare", version: "1", on: { x: shared, y: () => {} } });

// @ts-expect-error: without settings there is none to read
plugin({ name: "bare", version: "1", on: { x: (_, { settings }) => settings.prefix } });
// @ts-expect-error: a default is a string
plugin({ name: "bare", version: "1", settings: { x: { default: 1 } }, on: {} });
// @ts-expect-error: an event is read, not written
plugin({ name: "bare", version: "1", on: { x: (event) => (event.type = "y") } });
// @ts-expect-error: a reject has no next attempt
new Reject("never", { afterMs: 5 });

const ended = await run(orders, event("order.paid", { json: {}, receivedAt: new Date() }), { settings: { currency: "EUR" } });
if (ended.outcome === "retry") {
  const wait: number | undefined = ended.afterMs;
  console.log(ended.why, wait, ended.logs.length);
}
// @ts-expect-error: what is done needs no reason
if (ended.outcome === "done") console.log(ended.why);
// @ts-expect-error: an event has no such field
event("order.paid", { kind: "x" });

const powerful = plugin({
  name: "powerful",
  version: "1",
  settings: { most: { type: "integer", default: 5 }, strict: { type: "boolean" }, rules: { type: "json" }, mark: { type: "text" } },
  hosts: { "api.frame.io": { methods: ["GET", "POST"], credential: "bearer", optional: true, about: "Comments." } },
  state: { about: "What was seen." },
  emits: ["review.*"],
  on: {
    x: async (event, { settings, state, emit }) => {
      const most: number = settings.most;
      const strict: boolean = settings.strict;
      const mark: string = settings.mark;
      const first: string = settings.rules.first;
      const bytes: Uint8Array | undefined = state.get("k");
      const json = state.getJson<Order>("k")?.number;
      state.set("k", { most, strict, mark, first, bytes, json }, { keepMs: 5 });
      const sum: number | bigint = state.increment("n", 5);
      const set: boolean = state.compareAndSet("k", undefined, "v");
      const keys: string[] = state.keys({ prefix: "a", after: "b", limit: 5 });
      emit("review.done", { sum: String(sum), set, keys }, { "resource.id": event.resourceId });
      const response = await fetch("https://api.frame.io/", { method: "POST", timeoutMs: 500 });
      const { id } = await frameio({ baseUrl: response.url }).comments.create(event.accountId, event.resourceId, "text");
      // @ts-expect-error: a key is text
      state.set(5, id);
      // @ts-expect-error: what is remembered may not be there
      state.getText("k").length;
    },
  },
  respond: {
    message: () => frameio.message({ title: "t", description: "d" }),
    form: async () => frameio.form({ title: "t", description: "d", fields: [{ type: "select", label: "l", name: "n", options: [{ name: "a", value: "b" }] }] }),
    own: () => new Response("x"),
    plain: (): Answer => ({ status: 201, headers: { a: "b" }, body: { c: 1 } }),
    // @ts-expect-error: an answer has no title
    wrong: () => ({ title: "t" }),
    // @ts-expect-error: an answer is given
    nothing: () => {},
  },
});

// @ts-expect-error: where nothing is handled, nothing runs, but a plugin that answers needs no `on`
plugin({ name: "bare", version: "1", respond: { x: 5 } });
plugin({ name: "bare", version: "1", hosts: ["a.com"], state: true, emits: { "a.*": { optional: true } }, respond: { x: () => ({}) } });
// @ts-expect-error: a default is of its type
plugin({ name: "bare", version: "1", settings: { x: { type: "integer", default: "5" } }, on: {} });
// @ts-expect-error: there is no such credential
plugin({ name: "bare", version: "1", hosts: { "a.com": { credential: "token" } }, on: {} });
// @ts-expect-error: a select has options
const select: Field = { type: "select", label: "l", name: "n" };

const kept = await run(powerful, event("x"), {
  settings: { strict: true },
  state: { k: "v" },
  http: { "POST https://api.frame.io/": ({ body }) => ({ status: body.length > 0 ? 200 : 400, body: { data: {} } }) },
});
const memory: Memory = kept.state;
console.log(memory.getText("k"), kept.emitted[0]?.json<Order>().number, kept.requests[0]?.headers.get("a"));
const given = await respond(powerful, event("form"), { state: memory, emit: false, http: () => undefined });
if (given.outcome === "done") console.log(given.answer.status, await given.answer.json());
// @ts-expect-error: there is no answer where it failed
if (given.outcome === "retry") console.log(given.answer);

function kindOf(error: unknown): string | undefined {
  if (error instanceof FrameioError) return error.kind === "unauthorized" ? "token" : String(error.status);
  // @ts-expect-error: there is no such kind
  if (error instanceof PowerError && error.kind === "lost") return "lost";
  return error instanceof PowerError ? error.kind : undefined;
}
console.log(kindOf(new PowerError("busy", "why")), select);
