// What people reach for and what is not there: a call says so and tells what to do instead.

function noWaiting(name) {
  return () => {
    throw new Error(`${name}: a plugin cannot wait; to be called again later, throw new Retry(why, { afterMs })`);
  };
}

export const setTimeout = noWaiting("setTimeout");
export const setInterval = noWaiting("setInterval");
export const setImmediate = noWaiting("setImmediate");
export const clearTimeout = () => {};
export const clearInterval = () => {};
export const clearImmediate = () => {};
