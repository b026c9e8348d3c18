// The webhooks of a gateway.

import { delivery, entry, list, read, webhook } from "./shapes.js";

/** What each field is called by the API. */
const CHANGED = {
  url: "url",
  events: "events",
  sources: "sources",
  description: "description",
  customHeaders: "custom_headers",
  rateLimitPerMinute: "rate_limit_per_minute",
  secret: "secret",
  isActive: "is_active",
};
const { isActive: _, ...MADE } = { ...CHANGED, keyPair: "key_pair" };
const FILTERED = { status: "status", eventType: "event_type", since: "since", until: "until" };
const PAGED = { ...FILTERED, limit: "limit", before: "before" };

/** The webhooks of a gateway. */
export class Webhooks {
  #connect;

  constructor(connect) {
    this.#connect = connect;
  }

  async createWebhook(fields) {
    return webhook(await this.#call("POST", [], { body: named(MADE, fields) }));
  }

  async listWebhooks(filter) {
    return list(webhook, await this.#call("GET", [], { query: named({ isActive: "is_active" }, filter) }));
  }

  async getWebhook(id) {
    return webhook(await this.#call("GET", [id]));
  }

  async updateWebhook(id, changes) {
    return webhook(await this.#call("PATCH", [id], { body: named(CHANGED, changes) }));
  }

  async deleteWebhook(id) {
    await this.#call("DELETE", [id]);
  }

  async rotateSecret(id, options) {
    const body = named({ secret: "secret", graceS: "grace_s" }, options);
    return webhook(await this.#call("POST", [id, "rotate"], { body }));
  }

  async testWebhook(id, eventType, testData) {
    const body = { event_type: eventType, test_data: testData };
    return read("TestResult", await this.#call("POST", [id, "test"], { body }));
  }

  async deliveries(id, filter) {
    return list(delivery, await this.#call("GET", [id, "deliveries"], { query: named(PAGED, filter) }));
  }

  async *allDeliveries(id, filter) {
    named(FILTERED, filter);
    let page = await this.deliveries(id, filter);
    while (page.length > 0) {
      yield* page;
      page = await this.deliveries(id, { ...filter, before: page.at(-1).eventId });
    }
  }

  async stats(id) {
    return read("Stats", await this.#call("GET", [id, "stats"]));
  }

  async redeliver(id, eventId) {
    return redelivered(await this.#call("POST", [id, "deliveries", eventId, "redeliver"]));
  }

  async redeliverSince(id, since, until) {
    const body = named({ since: "since", until: "until" }, { since, until });
    return redelivered(await this.#call("POST", [id, "redeliver"], { body }));
  }

  async eventTypes() {
    return entry(await this.#call("GET", ["events"]), "events", Array.isArray);
  }

  async #call(method, parts, more) {
    return this.#connect().call(method, ["webhooks", ...parts], more);
  }
}

/** What is given, under the names of the API. A name that is none is a mistake, which would be without effect. */
function named(names, given = {}) {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(names, name));
  if (unknown !== undefined) throw new TypeError(`there is no \`${unknown}\` here, but ${Object.keys(names).join(", ")}`);
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [names[name], written(name, value)]));
}

function written(name, value) {
  if ((name === "events" || name === "sources") && typeof value === "string") return [value];
  if (name !== "since" && name !== "until") return value;
  if (value === undefined || (value instanceof Date && !Number.isNaN(value.getTime()))) return value?.toISOString();
  throw new TypeError(`\`${name}\` is a Date`);
}

function redelivered(answer) {
  return entry(answer, "redelivered", Number.isInteger);
}
