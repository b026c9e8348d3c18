// What a handler is called with.

import { find, Found } from "./json";
import { decode, isUtf8 } from "./utf8";

/** The latest moment that a `Date` can be. */
const LATEST_MS: i64 = 8640000000000000;

/** One verified webhook. */
export class Event {
  constructor(
    /** `evt_...`: the same on every attempt and after a crash. Use it to notice a repeat. */
    readonly id: string,
    /** The source that it came in by, a name of the operator's choice. */
    readonly source: string,
    /** How its sender signs and shapes webhooks: `frameio`, `github`, ... */
    readonly provider: string,
    /** What happened, in the sender's words: `file.ready`. */
    readonly type: string,
    /** When the gateway received it, in milliseconds since 1970. */
    readonly receivedAtMs: i64,
    /** 1 on the first try. */
    readonly attempt: u32,
    /** All that the provider's description finds in the request, by name. */
    readonly attributes: Map<string, string>,
    /** The body as it was signed, byte for byte. It need not be text. */
    readonly payload: Uint8Array,
  ) {}

  /** When the gateway received it. */
  get receivedAt(): Date {
    return new Date(min(this.receivedAtMs, LATEST_MS));
  }

  /** What the provider's description finds in the request under a name: `resource.id`, `content-type`, ... */
  attribute(name: string): string | null {
    return this.attributes.has(name) ? this.attributes.get(name) : null;
  }

  get resourceId(): string | null {
    return this.attribute("resource.id");
  }

  get resourceType(): string | null {
    return this.attribute("resource.type");
  }

  get accountId(): string | null {
    return this.attribute("account.id");
  }

  get userId(): string | null {
    return this.attribute("user.id");
  }

  get projectId(): string | null {
    return this.attribute("project.id");
  }

  get workspaceId(): string | null {
    return this.attribute("workspace.id");
  }

  /** The body as text; `null` if it is not UTF-8. */
  get text(): string | null {
    const at = this.payload.dataStart;
    const bytes = this.payload.length;
    return isUtf8(at, bytes) ? decode(at, bytes) : null;
  }

  /**
   * What stands in a JSON body at a pointer such as `/data/tags/0`; `null` where there is nothing, or `null`.
   *
   * Strings come as they are, numbers and booleans as they are written, arrays and objects as JSON.
   */
  jsonString(pointer: string): string | null {
    return this.json(pointer).text();
  }

  /** The number that stands in a JSON body at a pointer; `NaN` where there is none. */
  jsonNumber(pointer: string): f64 {
    return this.json(pointer).number();
  }

  private json(pointer: string): Found {
    return find(this.payload.dataStart, this.payload.length, pointer);
  }
}
