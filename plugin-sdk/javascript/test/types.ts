// Not run: `tsc -p test` says whether the types hold what they promise.

import { plugin, Reject, Retry, type Context, type Event, type Handler } from "hookgate-plugin";
import { event, run } from "hookgate-plugin/testing";

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
