// fetch, as on the web, over the contract's one call for requests.

import { isFinal, PowerError } from "./failure.js";
import { Headers } from "./headers.js";
import { bodyOf, received } from "./response.js";
import { wait } from "./wait.js";

/** What `fetch` throws where there is no answer. The cause is what the gateway said. */
class FetchError extends TypeError {
  constructor(cause) {
    super("fetch failed", { cause });
  }

  get name() {
    return "TypeError";
  }

  get [isFinal]() {
    return this.cause[isFinal];
  }
}

/** Makes a `fetch` of `send`, which takes a request and gives an answer as the contract has them. */
export function createFetch(send) {
  return async function fetch(input, init) {
    const request = requestOf(input, init ?? {});
    if (init?.signal?.aborted) throw init.signal.reason;
    try {
      return received(await send(request), request.url);
    } catch (error) {
      throw error instanceof PowerError ? new FetchError(error) : error;
    }
  };
}

function requestOf(input, { method = "GET", headers, body, timeoutMs, signal }) {
  if (typeof input !== "string" && !(input instanceof URL)) throw new TypeError("fetch takes the URL as text, or as a URL");
  const verb = String(method).toUpperCase();
  const { bytes, type } = bodyOf(body);
  if (bytes.length > 0 && (verb === "GET" || verb === "HEAD")) throw new TypeError(`a request with ${verb} has no body`);
  const all = new Headers(headers);
  if (type !== undefined && !all.has("content-type")) all.set("content-type", type);
  return {
    method: verb,
    url: String(input).toWellFormed(),
    headers: [...all],
    body: bytes,
    timeoutMs: wait(timeoutMs ?? signal?.timeoutMs, "a request takes"),
  };
}
