// The events that webhooks get.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { Unavailable } from "./errors.js";
import { read } from "./shapes.js";

/** Long enough for a gateway to start anew. */
const WAITS_MS = [500, 1000, 2000];
/** Whoever publishes waits as long. */
const LONGEST_WAIT_MS = 10_000;

/** The events of a gateway. */
export class Events {
  #connect;

  constructor(connect) {
    this.#connect = connect;
  }

  async publish(type, data, { id, resource } = {}) {
    const body = { type, data, id, resource };
    const headers = id === undefined ? { "idempotency-key": randomUUID() } : {};
    for (const waitMs of WAITS_MS) {
      try {
        return await this.#send(body, headers);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        await sleep(Math.max(waitMs, Math.min((error.retryAfterS ?? 0) * 1000, LONGEST_WAIT_MS)));
      }
    }
    return this.#send(body, headers);
  }

  async #send(body, headers) {
    return read("Published", await this.#connect().call("POST", ["events"], { body, headers }));
  }
}
