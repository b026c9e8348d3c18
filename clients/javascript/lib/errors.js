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

/** It may work later: no answer, or 503. */
export class Unavailable extends HookgateError {}

/** A request is not to be believed. */
export class WrongSignature extends HookgateError {}

const KINDS = { 400: Invalid, 401: Unauthorized, 403: Unauthorized, 404: NotFound, 422: Invalid, 503: Unavailable };

/** The error that an answer means. */
export function errorOf(status, message) {
  return new (KINDS[status] ?? HookgateError)(message, { status });
}
