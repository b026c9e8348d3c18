// AbortController and AbortSignal. A request is over when `fetch` has returned, so nothing can end it halfway: a signal says
// that it is not to begin, or how long it may take.

let abort;

export class AbortSignal {
  #aborted = false;
  #reason;
  #listeners = new Set();
  onabort = null;

  static abort(reason) {
    const controller = new AbortController();
    controller.abort(reason);
    return controller.signal;
  }

  static timeout(ms) {
    const signal = new this();
    // Read by `fetch`: there is nothing to wait with.
    signal.timeoutMs = ms;
    return signal;
  }

  static {
    abort = (signal, reason) => signal.#abort(reason);
  }

  get aborted() {
    return this.#aborted;
  }

  get reason() {
    return this.#reason;
  }

  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }

  addEventListener(type, listener) {
    if (type === "abort") this.#listeners.add(listener);
  }

  removeEventListener(type, listener) {
    if (type === "abort") this.#listeners.delete(listener);
  }

  #abort(reason) {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    const event = { type: "abort", target: this };
    this.onabort?.(event);
    for (const listener of this.#listeners) listener.call(this, event);
  }
}

export class AbortController {
  #signal = new AbortSignal();

  get signal() {
    return this.#signal;
  }

  abort(reason = new DOMException("This operation was aborted", "AbortError")) {
    abort(this.#signal, reason);
  }
}
