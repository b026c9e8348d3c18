// The webhooks of a gateway, and what they send.

import { Connection } from "./lib/connection.js";
import { Events } from "./lib/events.js";
import { Webhooks } from "./lib/webhooks.js";

export { Conflict, HookgateError, Invalid, NotFound, Unauthorized, Unavailable, WrongSignature } from "./lib/errors.js";
export { verify } from "./lib/verify.js";

/** A gateway. */
export class Hookgate {
  constructor(options) {
    const connection = new Connection(options);
    this.webhooks = new Webhooks(() => connection);
    this.events = new Events(() => connection);
  }
}

/** The webhooks of the gateway that the environment names. It is read at each call, and so not by the import. */
export const webhooks = new Webhooks(() => new Connection());
