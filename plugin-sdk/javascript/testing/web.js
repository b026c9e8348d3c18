// The hosts that a plugin asks, made up by its test.

import { answerOf } from "../lib/answer.js";
import { PowerError } from "../lib/failure.js";
import { received } from "../lib/headers.js";

/** Makes a `send`, as lib/fetch.js wants it, of what the test says. `requests` gathers what was sent. */
export function web({ manifest }, http, requests) {
  return async (raw) => {
    const url = parsed(raw.url);
    allowed(manifest.asks, raw.method, url);
    const request = new Sent(raw);
    requests.push(request);
    return answerOf(await answerTo(request, http));
  };
}

/** A request that a plugin sent. */
class Sent {
  constructor({ method, url, headers, body, timeoutMs }) {
    Object.assign(this, { method, url, headers: received(headers), body, timeoutMs });
  }

  text() {
    return new TextDecoder().decode(this.body);
  }

  json() {
    return JSON.parse(this.text());
  }
}

function parsed(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!/^https?:$/.test(url?.protocol)) throw new PowerError("invalid", `the URL cannot be read: ${text}`);
  return url;
}

/** The gateway grants no more than the plugin asks for. */
function allowed(asks, method, { hostname }) {
  const asked = asks.filter(({ what, name }) => what === "host" && covers(name, hostname));
  if (asked.length === 0) throw new PowerError("denied", `the plugin did not ask for the host ${hostname}: name it in \`hosts\``);
  const methods = asked.map(({ detail }) => Object.fromEntries(detail).methods);
  if (methods.every((known) => known !== undefined && !known.split(" ").includes(method))) {
    throw new PowerError("denied", `the plugin did not ask for ${method} on the host ${hostname}: name it in its \`methods\``);
  }
}

function covers(name, hostname) {
  return name === "*" || name === hostname || (name.startsWith("*.") && hostname.endsWith(name.slice(1)));
}

async function answerTo(request, http) {
  const { method, url } = request;
  const known = typeof http === "function" ? http : http?.[`${method} ${url}`];
  const answer = typeof known === "function" ? await known(request) : known;
  if (answer === undefined) throw new PowerError("denied", `the test has no answer to ${method} ${url}: give it in \`http\``);
  return answer;
}
