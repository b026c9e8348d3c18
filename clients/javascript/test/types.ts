// Not run: `tsc -p test` says whether the types hold what they promise.

import type { IncomingMessage } from "node:http";

import { Conflict, Hookgate, HookgateError, Unavailable, verify, webhooks, WrongSignature, type Delivery, type Event, type Webhook } from "hookgate-client";

interface Match {
  confidence: number;
}

const client = new Hookgate({ url: "http://127.0.0.1:8081", apiKey: "hgk_test", timeoutS: 5 });
new Hookgate();
// @ts-expect-error: there is no such option
new Hookgate({ key: "hgk_test" });

const made = await webhooks.createWebhook({ url: "https://example.com", events: ["match.found"], secret: "s", keyPair: true });
const secret: string = made.secret;
await client.webhooks.createWebhook({ url: "https://example.com", events: "match.*", customHeaders: { "X-A": "b" }, rateLimitPerMinute: 60 });
// @ts-expect-error: a webhook is for some events
await webhooks.createWebhook({ url: "https://example.com" });
// @ts-expect-error: names are in camel case
await webhooks.createWebhook({ url: "https://example.com", events: [], rate_limit_per_minute: 5 });

const found: Webhook = await client.webhooks.getWebhook(made.id);
const at: Date | null = found.lastDeliveryAt;
// @ts-expect-error: there may have been none
found.lastDeliveryAt.getTime();
// @ts-expect-error: the secret is told once
found.secret;
// @ts-expect-error: a webhook is changed by the gateway
found.url = "x";
await client.webhooks.updateWebhook(made.id, { isActive: false, rateLimitPerMinute: null, description: null });
await client.webhooks.updateWebhook(made.id, { secret });
// @ts-expect-error: a key pair is made with the webhook
await client.webhooks.updateWebhook(made.id, { keyPair: true });
const until: Date | null = found.pausedUntil;

for await (const delivery of client.webhooks.allDeliveries(made.id, { status: "dead", since: new Date() })) {
  const { history }: Delivery = delivery;
  const again: number = await client.webhooks.redeliver(made.id, delivery.eventId);
  console.log(history[0]?.startedAt.getTime(), again);
}
await client.webhooks.deliveries(made.id, { limit: 5, before: "evt_1" });
// @ts-expect-error: there is no such status
await client.webhooks.deliveries(made.id, { status: "lost" });
// @ts-expect-error: a time is a Date
await client.webhooks.redeliverSince(made.id, "2026-11-26");
const ms: number | null = (await client.webhooks.stats(made.id)).meanDurationMs;
const [worked, types]: [boolean, string[]] = [(await webhooks.testWebhook(made.id, "x")).success, await webhooks.eventTypes()];

const published = await client.events.publish("match.found", { confidence: 1 }, { id: "m1", resource: { id: "1", type: "match" } });
// @ts-expect-error: a resource has a type
await client.events.publish("match.found", {}, { resource: { id: "1" } });
console.log(at, until, ms, worked, types, published.duplicate);

function received(request: IncomingMessage, body: Buffer, fetched: Request): string {
  const event: Event<Match> = verify<Match>(body, request.headers, [secret, "old"] as const, { toleranceS: 60, allowUntimed: true });
  const resource: string | null = verify(new Uint8Array(), fetched.headers, secret).resourceId;
  verify(body, new Map([["webhook-id", "evt_1"]]), secret).data.anything;
  // @ts-expect-error: it is a number
  event.data.confidence.length;
  // @ts-expect-error: a body is bytes
  verify("text", request.headers, secret);
  return `${event.createdAt.getTime()} ${event.data.confidence.toFixed(2)} ${resource}`;
}

function kindOf(error: unknown): string {
  if (error instanceof Unavailable && error.retryAfterS !== undefined) return error.retryAfterS.toFixed();
  if (error instanceof WrongSignature || error instanceof Conflict || error instanceof Unavailable) return error.message;
  // @ts-expect-error: there may have been no answer
  if (error instanceof HookgateError) return error.status.toString();
  return String(error);
}
console.log(received, kindOf);
