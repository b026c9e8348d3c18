// For plugins that answer senders which wait. In the plugin's own file:
//
//     import { reply } from "hookgate-plugin-as/responder";
//     export { respond, cabi_post_respond } from "hookgate-plugin-as/responder";
//
//     reply("frameio:my.action", (event: Event): Answer => Answer.message("Done", "It is on its way."));

import { Answer } from "./answer";
import { putResult, takeEvent } from "./abi";
import { Event } from "./event";
import { putBytes, putPairs, release } from "./memory";
import { matchesAny } from "./pattern";
import { current } from "./plugin";
import { Result } from "./result";

export { Answer, Field } from "./answer";

/** What is called for events that a pattern means. */
class Responder {
  constructor(
    readonly patterns: string[],
    readonly answer: (event: Event) => Answer,
  ) {}
}

const responders: Responder[] = [];

/** A result takes 40 bytes, in steps of 8. */
const area = memory.data(40, 8);

/**
 * Answers the senders of the events that a pattern means, and asks the operator to be let. The first responder that
 * matches runs. The sender waits a few seconds at most.
 */
export function reply<T>(patterns: T, answer: (event: Event) => Answer): void {
  const all = isString<T>() ? [changetype<string>(patterns)] : changetype<string[]>(patterns);
  responders.push(new Responder(all, answer));
  for (let i = 0; i < all.length; i++) current.ask("reply", all[i]);
}

function dispatch(event: Event): Answer {
  for (let i = 0; i < responders.length; i++) {
    if (matchesAny(responders[i].patterns, event)) return responders[i].answer(event);
  }
  return Answer.failed(Result.reject(`no responder for ${event.type}`));
}

export function respond(
  id: usize,
  idBytes: usize,
  source: usize,
  sourceBytes: usize,
  provider: usize,
  providerBytes: usize,
  type: usize,
  typeBytes: usize,
  receivedAtMs: i64,
  attempt: u32,
  attributes: usize,
  attributesCount: usize,
  payload: usize,
  payloadBytes: usize,
): usize {
  const event = takeEvent(
    id, idBytes, source, sourceBytes, provider, providerBytes, type, typeBytes, receivedAtMs, attempt, attributes,
    attributesCount, payload, payloadBytes,
  );
  putAnswer(dispatch(event));
  return area;
}

export function cabi_post_respond(_area: usize): void {
  release();
}

/** `result<answer, failure>`: 0 or 1; at 8 the status, at 12 the headers, at 20 the body; or the failure as of a handler. */
function putAnswer(answer: Answer): void {
  const failure = answer.failure;
  if (failure) return putResult(area, failure);
  memory.fill(area, 0, 40);
  store<u16>(area, answer.status, 8);
  putPairs(area + 12, answer.headers);
  putBytes(area + 20, answer.body);
}
