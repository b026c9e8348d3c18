// What a handler is called with.

import { Reject } from "./failure.js";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One verified webhook. `raw` is the event as the contract has it. */
export class Event {
  #raw;
  #attributes;

  constructor(raw) {
    this.#raw = raw;
  }

  get id() {
    return this.#raw.id;
  }

  get source() {
    return this.#raw.source;
  }

  get provider() {
    return this.#raw.provider;
  }

  get type() {
    return this.#raw.type;
  }

  get receivedAt() {
    return new Date(Number(this.#raw.receivedAtMs));
  }

  get attempt() {
    return this.#raw.attempt;
  }

  get payload() {
    return this.#raw.payload;
  }

  get attributes() {
    this.#attributes ??= Object.freeze(named(this.#raw.attributes));
    return this.#attributes;
  }

  attribute(name) {
    return this.attributes[name];
  }

  get resourceId() {
    return this.attribute("resource.id");
  }

  get resourceType() {
    return this.attribute("resource.type");
  }

  get accountId() {
    return this.attribute("account.id");
  }

  get userId() {
    return this.attribute("user.id");
  }

  get projectId() {
    return this.attribute("project.id");
  }

  get workspaceId() {
    return this.attribute("workspace.id");
  }

  text() {
    try {
      return utf8.decode(this.payload);
    } catch {
      throw new Reject("the body is not UTF-8");
    }
  }

  json() {
    const text = this.text();
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Reject(`the body is not JSON: ${error.message}`);
    }
  }

  /** What the log shows. A payload of a mebibyte would drown the rest: its size is shown instead. */
  toJSON() {
    const { id, source, provider, type, attempt, attributes } = this;
    return { id, source, provider, type, attempt, attributes, payloadBytes: this.payload.length };
  }
}

/** An object of names and values that inherits nothing: an attribute may have any name. */
function named(pairs) {
  const attributes = Object.create(null);
  for (const [name, value] of pairs) attributes[name] = value;
  return attributes;
}
