// A gateway in this process: it answers in the shapes of the API, and remembers what it was asked.

import { once } from "node:events";
import { createServer } from "node:http";

export const KEY = "hgk_test";
export const ID = "whk_0123456789abc";
export const TIME = "2026-11-26T05:03:09.123Z";

export const WEBHOOK = {
  id: ID, url: "https://example.com/hooks", description: null, events: ["video.processed", "match.*"], sources: ["*"],
  is_active: true, disabled_reason: null, paused_until: TIME, rate_limit_per_minute: null, custom_headers: { "x_token-at": "t0ken" }, public_key: null,
  total_deliveries: 3, successful_deliveries: 2, failed_deliveries: 1,
  last_delivery_at: TIME, last_success_at: TIME, last_failure_at: null, created_at: TIME, updated_at: TIME,
};
const STATS = {
  total_deliveries: 3, successful_deliveries: 2, failed_deliveries: 0, pending_deliveries: 1, attempts: 4, success_rate: 1,
  mean_duration_ms: 12.5, last_delivery_at: TIME, last_success_at: TIME, last_failure_at: null, failing_since: null,
};
const ATTEMPT = {
  number: 1, started_at: TIME, duration_ms: 12.5, outcome: "done", status_code: 200, response_body: "thanks", error_message: null,
};
const TEST = { success: false, status_code: 500, response_body: "oh", error_message: "it said 500", duration_ms: 8 };

/** A delivery, the higher the newer. */
function delivery(number) {
  return {
    id: `evt_${number}:${ID}`, webhook_id: ID, event_id: `evt_${number}`, event_type: "match.found", status: "done", attempts: 1,
    created_at: TIME, next_attempt_at: null, history: [ATTEMPT],
  };
}

function page({ query }) {
  const before = Number((query.before ?? "evt_7").slice(4));
  const numbers = [before - 1, before - 2, before - 3].filter((number) => number > 0);
  return [200, numbers.map(delivery)];
}

const ONE = "/webhooks/whk_[0-9a-z]+";
const ROUTES = {
  "GET /webhooks/events": () => [200, { events: ["match.found", "video.processed"] }],
  "POST /webhooks": ({ body }) => [201, { ...WEBHOOK, url: body.url, secret: body.secret ?? "whsec_bWFkZSB1cA==" }],
  "GET /webhooks": () => [200, [WEBHOOK, { ...WEBHOOK, a_new_field: 1 }]],
  [`GET ${ONE}`]: () => [200, WEBHOOK],
  [`PATCH ${ONE}`]: ({ body: { secret, ...told } }) => [200, { ...WEBHOOK, ...told }],
  [`DELETE ${ONE}`]: () => [204],
  [`POST ${ONE}/rotate`]: ({ body }) => [200, { ...WEBHOOK, secret: body.secret ?? "new" }],
  [`POST ${ONE}/test`]: () => [200, TEST],
  [`GET ${ONE}/deliveries`]: page,
  [`GET ${ONE}/stats`]: () => [200, STATS],
  [`POST ${ONE}/redeliver`]: () => [202, { redelivered: 5 }],
  [`POST ${ONE}/deliveries/evt_[0-9a-z]+/redeliver`]: () => [202, { redelivered: 1 }],
  "POST /events": ({ body, headers }, { published }) => {
    const key = body.id ?? headers["idempotency-key"];
    const duplicate = published.has(key);
    if (!duplicate) published.set(key, `evt_${published.size}`);
    return [202, { id: published.get(key), duplicate }];
  },
};

function answer(asked, gateway) {
  if (asked.headers.authorization !== `Bearer ${KEY}`) return [401, { error: "the API key is not known" }];
  const known = Object.keys(ROUTES).find((route) => new RegExp(`^${route}$`).test(`${asked.method} ${asked.path}`));
  return known === undefined ? [404, { error: "there is no such thing" }] : ROUTES[known](asked, gateway);
}

/**
 * Listens until the test is over. What is asked comes into `asked`. What is in `next` is answered first: a status, a body and
 * headers, or `"hang up"`, after the work was done.
 */
export async function start(test) {
  const gateway = { asked: [], next: [], published: new Map() };
  const server = createServer(async (request, response) => {
    const content = Buffer.concat(await request.toArray()).toString();
    const { pathname, searchParams } = new URL(request.url, "http://gateway");
    const { method, headers } = request;
    const asked = { method, path: pathname.replace("/api/v1", ""), query: Object.fromEntries(searchParams), headers };
    if (content !== "") asked.body = JSON.parse(content);
    gateway.asked.push(asked);
    const planned = gateway.next.shift();
    const [status, body, more] = Array.isArray(planned) ? planned : answer(asked, gateway);
    if (planned === "hang up") return request.socket.destroy();
    response.writeHead(status, more).end(typeof body === "object" ? JSON.stringify(body) : body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  gateway.url = `http://127.0.0.1:${server.address().port}`;
  return gateway;
}
