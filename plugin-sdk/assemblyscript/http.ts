// Requests to hosts that the operator granted.

import { find } from "./json";
import { putBytes, putPairs, putString, release, takeBytes, takePairs } from "./memory";
import { header, Pair } from "./pair";
import { failing, Got, problemIn } from "./problem";
import { decode, encode, isUtf8 } from "./utf8";

// @ts-ignore: decorator
@external("hookgate:plugin/http@0.1.0", "send")
declare function hostSend(
  method: usize, methodBytes: usize, url: usize, urlBytes: usize, headers: usize, headersCount: usize, body: usize,
  bodyBytes: usize, hasTimeout: bool, timeoutMs: u64, area: usize,
): void;

/** Where the gateway puts what it gives. */
const area = memory.data(24, 4);

/** Where method, URL, headers and body stand that are handed over, each as its address and length. */
const given = memory.data(32, 4);

/** A request, put together: `new Request("POST", url).header("accept", "text/plain").json(body)`. */
export class Request {
  readonly headers: Pair[] = [];
  body: Uint8Array = new Uint8Array(0);
  /** For all of it, in milliseconds; at most, and at 0, what the operator allows. */
  timeoutMs: u64 = 0;

  constructor(
    readonly method: string,
    readonly url: string,
  ) {}

  /** The gateway adds its credential for this host, if it was given one, in place of yours. */
  header(name: string, value: string): Request {
    this.headers.push(new Pair(name, value));
    return this;
  }

  text(body: string): Request {
    this.body = Uint8Array.wrap(encode(body));
    return this;
  }

  /** A body that is JSON already: `'{"text":' + quote(text) + "}"`. */
  json(body: string): Request {
    return this.header("content-type", "application/json").text(body);
  }

  /** Takes as long as this, at the most. */
  within(ms: u64): Request {
    this.timeoutMs = ms;
    return this;
  }
}

/** What came back. */
export class Response {
  constructor(
    readonly status: u16,
    readonly headers: Pair[],
    /** Byte for byte. It need not be text. */
    readonly body: Uint8Array,
  ) {}

  /** The value of the first header of a name, in capitals or not; `null` where there is none. */
  header(name: string): string | null {
    return header(this.headers, name);
  }

  /** The body as text; `null` if it is not UTF-8. */
  get text(): string | null {
    const at = this.body.dataStart;
    return isUtf8(at, this.body.length) ? decode(at, this.body.length) : null;
  }

  /** What stands in a JSON body at a pointer, as of an event. */
  jsonString(pointer: string): string | null {
    return find(this.body.dataStart, this.body.length, pointer).text();
  }

  /** The number that stands in a JSON body at a pointer; `NaN` where there is none. */
  jsonNumber(pointer: string): f64 {
    return find(this.body.dataStart, this.body.length, pointer).number();
  }
}

export namespace http {
  /** Sends a request and waits for all of the answer, whatever its status. Redirects are answers and not followed. */
  export function send(request: Request): Got<Response> {
    putString(given, request.method);
    putString(given + 8, request.url);
    putPairs(given + 16, request.headers);
    putBytes(given + 24, request.body);
    hostSend(
      load<usize>(given), load<usize>(given, 4), load<usize>(given, 8), load<usize>(given, 12), load<usize>(given, 16),
      load<usize>(given, 20), load<usize>(given, 24), load<usize>(given, 28), request.timeoutMs != 0, request.timeoutMs, area,
    );
    release();
    const problem = problemIn(area);
    if (problem) return failing<Response>(problem);
    const headers = takePairs(load<usize>(area, 8), load<usize>(area, 12));
    const body = takeBytes(load<usize>(area, 16), load<usize>(area, 20));
    return new Got<Response>(new Response(load<u16>(area, 4), headers, body), null);
  }

  /** Sends a `GET`. */
  export function get(url: string): Got<Response> {
    return send(new Request("GET", url));
  }

  /** Sends a `POST` of what is JSON already. */
  export function postJson(url: string, json: string): Got<Response> {
    return send(new Request("POST", url).json(json));
  }
}
