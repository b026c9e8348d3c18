// Why something could not be done.

/** Thrown where the gateway did not do what it was asked for, and there is no better class for it. */
export class HookgateError extends Error {
  constructor(message, { status, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
  }

  get name() {
    return this.constructor.name;
  }
}

/** A field is wrong: 400 and 422. */
export class Invalid extends HookgateError {}

/** The API key is not known, or it may not do this: 401 and 403. */
export class Unauthorized extends HookgateError {}

/** There is no such webhook or event: 404. */
export class NotFound extends HookgateError {}

/** It cannot be done as things stand: 409. */
export class Conflict extends HookgateError {}

/** It may work later: no answer, or 408 or 503. */
export class Unavailable extends HookgateError {
  constructor(message, { retryAfterS, ...more } = {}) {
    super(message, more);
    this.retryAfterS = retryAfterS;
  }
}

/** A request is not to be believed. */
export class WrongSignature extends HookgateError {}

const KINDS = {
  400: Invalid, 401: Unauthorized, 403: Unauthorized, 404: NotFound, 408: Unavailable, 409: Conflict, 422: Invalid, 503: Unavailable,
};

/** The error that an answer means. `retryAfter` is its header; null where there is none. */
export function errorOf(status, message, retryAfter) {
  return new (KINDS[status] ?? HookgateError)(message, { status, retryAfterS: seconds(retryAfter) });
}

/** Proxies may name a date, which is as good as nothing where clocks differ. */
function seconds(text) {
  return /^[0-9]+$/.test(text ?? "") ? Number(text) : undefined;
}
