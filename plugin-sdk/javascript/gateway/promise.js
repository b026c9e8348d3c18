// Promises whose jobs run when we say so.
//
// A call of a plugin is one synchronous call, and the engine runs no promise job before it has returned. So the build
// turns `async` functions into generators that use the global `Promise`, which is this one: its jobs wait in a queue
// of our own, and `runJobs` runs them to the end.

const jobs = [];
const unhandled = new Set();
const uncaught = [];

/** Puts a job at the end of the queue. */
export function queueMicrotask(job) {
  if (typeof job !== "function") throw new TypeError("queueMicrotask takes a function");
  jobs.push(() => {
    try {
      job();
    } catch (error) {
      uncaught.push(error);
    }
  });
}

/** Runs jobs, and those that they add, until none is left. */
export function runJobs() {
  for (let at = 0; at < jobs.length; at++) {
    const job = jobs[at];
    jobs[at] = undefined;
    job();
  }
  jobs.length = 0;
}

/** Takes the errors that nobody caught: of jobs, and of promises that nobody listens to. */
export function takeUncaught() {
  for (const promise of unhandled) uncaught.push(reasonOf(promise));
  unhandled.clear();
  return uncaught.splice(0);
}

let reasonOf;

/** A Promise as the language has it. */
class PluginPromise {
  #state = "pending";
  #value;
  #reactions = [];

  static {
    reasonOf = (promise) => promise.#value;
  }

  constructor(executor) {
    if (typeof executor !== "function") throw new TypeError("a Promise takes a function");
    this.#settledBy(executor);
  }

  then(onFulfilled, onRejected) {
    const next = capability(speciesOf(this));
    const fulfilled = reaction(onFulfilled, next, next.resolve);
    const rejected = reaction(onRejected, next, next.reject);
    if (this.#state === "pending") {
      this.#reactions.push({ fulfilled, rejected });
    } else {
      unhandled.delete(this);
      this.#queue(this.#state === "fulfilled" ? fulfilled : rejected);
    }
    return next.promise;
  }

  catch(onRejected) {
    return this.then(undefined, onRejected);
  }

  finally(onFinally) {
    if (typeof onFinally !== "function") return this.then(onFinally, onFinally);
    const Kind = speciesOf(this);
    const after = (then) => Kind.resolve(onFinally()).then(then);
    return this.then(
      (value) => after(() => value),
      (error) => after(() => { throw error; }),
    );
  }

  get [Symbol.toStringTag]() {
    return "Promise";
  }

  /** Gives the two functions of which the first that is called counts, and only once. */
  #settledBy(executor) {
    let settled = false;
    const reject = (reason) => {
      if (settled) return;
      settled = true;
      this.#settle("rejected", reason);
    };
    const resolve = (value) => {
      if (settled) return;
      settled = true;
      this.#resolve(value);
    };
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  #resolve(value) {
    if (!isObject(value)) return this.#settle("fulfilled", value);
    if (value === this) return this.#settle("rejected", new TypeError("a promise cannot wait for itself"));
    let then;
    try {
      then = value.then;
    } catch (error) {
      return this.#settle("rejected", error);
    }
    if (typeof then !== "function") return this.#settle("fulfilled", value);
    jobs.push(() => this.#settledBy((resolve, reject) => then.call(value, resolve, reject)));
  }

  #settle(state, value) {
    const reactions = this.#reactions;
    this.#state = state;
    this.#value = value;
    this.#reactions = undefined;
    if (state === "rejected" && reactions.length === 0) unhandled.add(this);
    for (const each of reactions) this.#queue(each[state]);
  }

  #queue(react) {
    jobs.push(() => react(this.#value));
  }

  static get [Symbol.species]() {
    return this;
  }

  static resolve(value) {
    if (value instanceof PluginPromise && value.constructor === this) return value;
    return new this((resolve) => resolve(value));
  }

  static reject(reason) {
    return new this((_, reject) => reject(reason));
  }

  static withResolvers() {
    return capability(this);
  }

  static try(callback, ...args) {
    return new this((resolve) => resolve(callback(...args)));
  }

  static all(promises) {
    return gather(this, promises, (promise, put, _, reject) => promise.then(put, reject));
  }

  static allSettled(promises) {
    return gather(this, promises, (promise, put) =>
      promise.then(
        (value) => put({ status: "fulfilled", value }),
        (reason) => put({ status: "rejected", reason }),
      ),
    );
  }

  static any(promises) {
    return new this((resolve, reject) => {
      const none = (errors) => reject(new AggregateError(errors, "every promise was rejected"));
      gather(this, promises, (promise, put) => promise.then(resolve, put), none).catch(reject);
    });
  }

  static race(promises) {
    return new this((resolve, reject) => {
      for (const each of promises) this.resolve(each).then(resolve, reject);
    });
  }
}

function speciesOf(promise) {
  return promise.constructor?.[Symbol.species] ?? PluginPromise;
}

/** A promise and the two functions that settle it, of a class that may be an author's own. */
function capability(Kind) {
  let resolve;
  let reject;
  const promise = new Kind((first, second) => {
    resolve = first;
    reject = second;
  });
  return { promise, resolve, reject };
}

function reaction(handler, { resolve, reject }, otherwise) {
  if (typeof handler !== "function") return otherwise;
  return (value) => {
    let result;
    try {
      result = handler(value);
    } catch (error) {
      return reject(error);
    }
    resolve(result);
  };
}

/** Waits for all of them: `listen` is told each promise, and puts what came of it in its place. */
function gather(Kind, promises, listen, whenAll) {
  return new Kind((resolve, reject) => {
    const values = [];
    let missing = 1;
    const arrive = () => {
      missing -= 1;
      if (missing === 0) (whenAll ?? resolve)(values);
    };
    for (const each of promises) {
      const at = values.push(undefined) - 1;
      missing += 1;
      const put = once((value) => {
        values[at] = value;
        arrive();
      });
      listen(Kind.resolve(each), put, resolve, reject);
    }
    arrive();
  });
}

function once(call) {
  let called = false;
  return (value) => {
    if (called) return;
    called = true;
    call(value);
  };
}

function isObject(value) {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

Object.defineProperty(PluginPromise, "name", { value: "Promise" });

export { PluginPromise as Promise };
