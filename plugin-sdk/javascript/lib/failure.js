// Why a handler could not do its work, and what the gateway makes of it.

/** Thrown by a handler: this event can never be handled. */
export class Reject extends Error {
  get name() {
    return "Reject";
  }
}

/** Thrown by a handler: it may work later. */
export class Retry extends Error {
  constructor(why, { afterMs, ...options } = {}) {
    super(why, options);
    if (afterMs !== undefined && !(afterMs >= 0 && afterMs <= Number.MAX_SAFE_INTEGER)) {
      throw new RangeError(`a retry after ${afterMs} ms cannot be`);
    }
    this.afterMs = afterMs === undefined ? undefined : Math.ceil(afterMs);
  }

  get name() {
    return "Retry";
  }
}

/** The key under which an error of the SDK's own says whether trying again cannot help. */
export const isFinal = Symbol("isFinal");

/** The gateway did not do what it was asked for: a request, something with the state, an event. */
export class PowerError extends Error {
  constructor(kind, why, options) {
    super(why, options);
    this.kind = kind;
  }

  get name() {
    return "PowerError";
  }

  get [isFinal]() {
    return this.kind === "invalid";
  }
}

/** What a handler that threw this ends with. Anything but a `Reject` may work later, unless it says so itself. */
export function outcomeOf(thrown) {
  const why = oneLine(reason(thrown));
  if (thrown instanceof Reject || thrown?.[isFinal] === true) return { outcome: "reject", why };
  if (thrown instanceof Retry && thrown.afterMs !== undefined) return { outcome: "retry", why, afterMs: thrown.afterMs };
  return { outcome: "retry", why };
}

/** Whether an error says all that there is to say. Of any other, a trace tells where it came from. */
export function isDeliberate(thrown) {
  return thrown instanceof Reject || thrown instanceof Retry || (thrown instanceof Error && isFinal in thrown);
}

/** The message, and those of everything that caused it. */
function reason(thrown) {
  const messages = [];
  const seen = new Set();
  for (let error = thrown; error !== undefined && error !== null && !seen.has(error); error = error.cause) {
    seen.add(error);
    messages.push(message(error));
  }
  return messages.length === 0 ? `the handler threw ${thrown}` : messages.join(": ");
}

/** A bug is told by its kind (`TypeError: ...`); a plain error by its message. */
function message(error) {
  if (!(error instanceof Error)) return text(error);
  const plain = error.name === "Error" || isDeliberate(error);
  if (!error.message) return String(error.name);
  return plain ? String(error.message) : `${error.name}: ${error.message}`;
}

function text(value) {
  if (typeof value !== "object") return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function oneLine(why) {
  return why.trim().replace(/\s*[\r\n]+\s*/g, " ");
}
