/** One pattern of types of events, or several: `"match.found"`, `["video.*", "github:push"]`. */
export type Patterns = string | readonly string[];

/**
 * A gateway. Whatever it does not do is thrown: a `NotFound` for an id that it does not know, an `Invalid` for a field that
 * is wrong, an `Unauthorized`, a `Conflict`, an `Unavailable`, or another `HookgateError`.
 */
export class Hookgate {
  /** Throws a `TypeError` where an address or a key is neither given nor in the environment. */
  constructor(options?: Options);
  /** Its webhooks. */
  readonly webhooks: Webhooks;
  /** Its events. */
  readonly events: Events;
}

/** Which gateway it is, and who asks. */
export interface Options {
  /** Its admin address or that of its API: `http://127.0.0.1:8081`. Without it, what is in `HOOKGATE_URL`. */
  url?: string;
  /** `hgk_...`. Without it, what is in `HOOKGATE_API_KEY`. */
  apiKey?: string;
  /** How many seconds a call may take before it is given up with `Unavailable`: 30 without it. */
  timeoutS?: number;
}

/** The webhooks of the gateway that the environment names. Where it names none, a call is rejected with a `TypeError`. */
export const webhooks: Webhooks;

/** The webhooks of a gateway. */
export interface Webhooks {
  /** Makes a webhook, with its `secret`: keep it, for it is not told again. */
  createWebhook(fields: NewWebhook): Promise<WebhookWithSecret>;
  /** All webhooks, or those that are active, or those that are not. */
  listWebhooks(filter?: { isActive?: boolean }): Promise<Webhook[]>;
  /** A webhook by its id. */
  getWebhook(id: string): Promise<Webhook>;
  /** Changes what is given, and leaves the rest. A secret is not in the answer. */
  updateWebhook(id: string, changes: WebhookChanges): Promise<Webhook>;
  /** Deletes a webhook, and gives up what waits for it. */
  deleteWebhook(id: string): Promise<void>;
  /**
   * Gives a webhook a new secret, one that the gateway makes up where none is given, and tells it as `secret`. Until `graceS`
   * seconds are over (without it, a day), requests are signed with the old one too.
   */
  rotateSecret(id: string, options?: { secret?: string; graceS?: number }): Promise<WebhookWithSecret>;
  /** Sends one request of a type to a webhook now, once, and tells what came of it. */
  testWebhook(id: string, eventType: string, testData?: unknown): Promise<TestResult>;
  /** One page of the deliveries to a webhook, the newest first. */
  deliveries(id: string, filter?: DeliveryFilter & Page): Promise<Delivery[]>;
  /** All deliveries to a webhook, the newest first, asked for a page at a time. */
  allDeliveries(id: string, filter?: DeliveryFilter): AsyncGenerator<Delivery, void, undefined>;
  /** How a webhook fares. */
  stats(id: string): Promise<Stats>;
  /**
   * Delivers one event to a webhook again, whether or not it was taken. Tells how many that are. Where the webhook is not active,
   * or the event is on its way or not kept any more, a `Conflict` is thrown.
   */
  redeliver(id: string, eventId: string): Promise<number>;
  /**
   * Delivers what came since then, or between two times, and was not delivered. Tells how many that are. Where the webhook is
   * not active, a `Conflict` is thrown.
   */
  redeliverSince(id: string, since: Date, until?: Date): Promise<number>;
  /** The types of events that there were, and those that webhooks wait for. */
  eventTypes(): Promise<string[]>;
}

/** What can be said of a webhook at any time. */
interface Changeable {
  /** Where events are posted. */
  url?: string;
  /** The types that it gets, or patterns of them: `"match.*"`, and of one source only: `"github:push"`. */
  events?: Patterns;
  /** The sources whose events it gets, or patterns of them; all without it. */
  sources?: Patterns;
  /** What it is for. */
  description?: string | null;
  /** What is added to each request. */
  customHeaders?: Readonly<Record<string, string>>;
  /** The most requests that it gets in a minute, from 1 to 1,000. Null is no limit. */
  rateLimitPerMinute?: number | null;
}

/** What a webhook is made of. */
export interface NewWebhook extends Changeable {
  url: string;
  events: Patterns;
  /** What its requests are signed with. Without it the gateway makes one up. */
  secret?: string;
  /** Whether its requests are signed with Ed25519 too. */
  keyPair?: boolean;
}

/** What is changed of a webhook. */
export interface WebhookChanges extends Changeable {
  /** Whether it gets events. */
  isActive?: boolean;
  /** What its requests are signed with from now on. It takes the place of the one before at once; `rotateSecret` leaves time. */
  secret?: string;
}

/** A URL that gets each event of the types that it is for. `console.log` hides its secret and its headers. */
export interface Webhook {
  /** `whk_...`. */
  readonly id: string;
  /** Where events are posted. */
  readonly url: string;
  /** What it is for, in the words of who made it. */
  readonly description: string | null;
  /** The types that it gets, or patterns of them: `match.*`, and of one source only: `github:push`. */
  readonly events: readonly string[];
  /** The sources whose events it gets, or patterns of them; `*` is all. */
  readonly sources: readonly string[];
  /** Whether it gets events. */
  readonly isActive: boolean;
  /** Why the gateway disabled it. */
  readonly disabledReason: string | null;
  /** Until when its receiver is left alone, after it failed or asked for that; null where it is not. */
  readonly pausedUntil: Date | null;
  /** The most requests that it gets in a minute; null is no limit. */
  readonly rateLimitPerMinute: number | null;
  /** What is added to each request. */
  readonly customHeaders: Readonly<Record<string, string>>;
  /** `whpk_...`: what Ed25519 signatures are verified with, if it has a key pair. */
  readonly publicKey: string | null;
  /** How many deliveries were attempted. */
  readonly totalDeliveries: number;
  /** How many were taken. */
  readonly successfulDeliveries: number;
  /** How many were given up. */
  readonly failedDeliveries: number;
  /** When it last got one. */
  readonly lastDeliveryAt: Date | null;
  /** When it last took one. */
  readonly lastSuccessAt: Date | null;
  /** When one last failed. */
  readonly lastFailureAt: Date | null;
  /** When it was made. */
  readonly createdAt: Date;
  /** When it was last changed. */
  readonly updatedAt: Date;
}

/** A webhook as it is told when it is made or its secret is rotated. */
export interface WebhookWithSecret extends Webhook {
  /** What its requests are signed with. */
  readonly secret: string;
}

/** Which deliveries are asked for. */
export interface DeliveryFilter {
  status?: DeliveryStatus;
  /** A type or a pattern of types. */
  eventType?: string;
  /** Those that came then or later. */
  since?: Date;
  /** Those that came before. */
  until?: Date;
}

/** A page of a list. */
export interface Page {
  /** How many there are at most, from 1 to 1,000; 100 without it. */
  limit?: number;
  /** The id of an event: those that are older than the delivery of it. `allDeliveries` goes on so by itself. */
  before?: string;
}

/** It waits for its next attempt, is being attempted, was taken, or was given up. */
export type DeliveryStatus = "pending" | "running" | "done" | "dead";

/** One event on its way to one webhook. */
export interface Delivery {
  /** `evt_...:whk_...`: what receivers get as `X-Delivery-ID`. */
  readonly id: string;
  /** The webhook that it goes to. */
  readonly webhookId: string;
  /** The event that it carries. */
  readonly eventId: string;
  /** What happened: `match.found`. */
  readonly eventType: string;
  /** What has become of it. */
  readonly status: DeliveryStatus;
  /** How many there were. */
  readonly attempts: number;
  /** When the event came. */
  readonly createdAt: Date;
  /** When it is tried again; null where it is not. */
  readonly nextAttemptAt: Date | null;
  /** The attempts, the first one first. */
  readonly history: readonly Attempt[];
}

/** One request of a delivery. */
export interface Attempt {
  /** 1 for the first. */
  readonly number: number;
  /** When it was sent. */
  readonly startedAt: Date;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
  /** What came of it, in a word. */
  readonly outcome: string;
  /** Of the answer; null where there was none. */
  readonly statusCode: number | null;
  /** The beginning of the answer. */
  readonly responseBody: string | null;
  /** Why it failed. */
  readonly errorMessage: string | null;
}

/** How a webhook fares. */
export interface Stats {
  /** How many deliveries were attempted. */
  readonly totalDeliveries: number;
  /** How many were taken. */
  readonly successfulDeliveries: number;
  /** How many were given up. */
  readonly failedDeliveries: number;
  /** How many are still to be taken. */
  readonly pendingDeliveries: number;
  /** How many requests there were for all of them. */
  readonly attempts: number;
  /** From 0 to 1; null where nothing has ended yet. */
  readonly successRate: number | null;
  /** How long a request takes, in milliseconds; null where there was none. */
  readonly meanDurationMs: number | null;
  /** When it last got one. */
  readonly lastDeliveryAt: Date | null;
  /** When it last took one. */
  readonly lastSuccessAt: Date | null;
  /** When one last failed. */
  readonly lastFailureAt: Date | null;
  /** Since when all have failed; null where the last one did not. */
  readonly failingSince: Date | null;
}

/** What came of a request that was sent to try a webhook out. */
export interface TestResult {
  /** Whether it was taken. */
  readonly success: boolean;
  /** Of the answer; null where there was none. */
  readonly statusCode: number | null;
  /** The beginning of the answer. */
  readonly responseBody: string | null;
  /** Why it failed. */
  readonly errorMessage: string | null;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
}

/** The events of a gateway. */
export interface Events {
  /**
   * Publishes an event, which goes to each webhook that is for its type. Where the gateway is not to be had, it is tried three
   * times more, after 0.5, 1 and 2 seconds, or later where it asks for that, but after 10 at the latest. One call never makes
   * two events. Then an `Unavailable` is thrown; other errors, such as `Invalid` and `Unauthorized`, are thrown at once.
   *
   * @param data What can be written as JSON.
   */
  publish(type: string, data: unknown, options?: PublishOptions): Promise<Published>;
}

/** What else can be said of an event. */
export interface PublishOptions {
  /** A name of yours for it: one that is published again under the same is the same event. */
  id?: string;
  /** What it happened to, and what kind of thing that is. */
  resource?: { id: string; type: string };
}

/** An event that is on the gateway's disk. */
export interface Published {
  /** `evt_...`: the same at every receiver. */
  readonly id: string;
  /** Whether it was there already: by the same id, or by an attempt of the same call whose answer was lost. */
  readonly duplicate: boolean;
}

/** Headers of a request: those of Node.js and Express, a `Headers`, or a `Map`. Names may be in any case. */
export type RequestHeaders = Iterable<readonly [string, string]> | { readonly [name: string]: string | readonly string[] | undefined };

/**
 * Gives the event of a request that was signed with the webhook's secret, or with one of several.
 *
 * Anything but a signed event is thrown as a `WrongSignature`, whose message is the cause. Arguments that make no sense, such
 * as an empty secret, are a `TypeError`.
 *
 * With `allowUntimed`, a request without `webhook-signature` is taken with the older `X-Webhook-Signature`, in which there is
 * no time, so that whoever overheard one can send it again at any time.
 *
 * @typeParam Data What you take the event's data for: nothing checks that it is so.
 * @param body The bytes as they came: what was read as JSON and written again has another signature.
 * @param options `toleranceS` is how many seconds the time of signing may be away from now: 300 without it. `allowUntimed`
 * is false without it.
 */
export function verify<Data = any>(
  body: Uint8Array,
  headers: RequestHeaders,
  secret: string | readonly string[],
  options?: { toleranceS?: number; allowUntimed?: boolean },
): Event<Data>;

/** What happened. Its request was signed with the webhook's secret. */
export interface Event<Data = any> {
  /** `evt_...`: the same on every attempt. Note it to notice a repeat. */
  readonly id: string;
  /** What happened: `video.processed`. */
  readonly type: string;
  /** When the gateway got it. */
  readonly createdAt: Date;
  /** All that was said of it. */
  readonly data: Data;
  /** What it happened to. */
  readonly resourceId: string | null;
  /** What kind of thing that is. */
  readonly resourceType: string | null;
}

/** Thrown where the gateway did not do what it was asked for. Its message is the gateway's own where it said one. */
export class HookgateError extends Error {
  protected constructor();
  /** The status of its answer; undefined where there was none. */
  readonly status: number | undefined;
}

/** A field is wrong, and the message says which: 400 and 422. */
export class Invalid extends HookgateError {}

/** The API key is not known, or it may not do this: 401 and 403. */
export class Unauthorized extends HookgateError {}

/** There is no such webhook or event: 404. */
export class NotFound extends HookgateError {}

/** It cannot be done as things stand, and the message says why: 409. The webhook is not active, say. */
export class Conflict extends HookgateError {}

/** It may work later: there was no answer, or a 408, after which it may have been done all the same; or a 503. */
export class Unavailable extends HookgateError {
  /** How many seconds the gateway asks to wait; undefined where it does not. */
  readonly retryAfterS: number | undefined;
}

/** A request is not to be believed, and the message says why. Answer it with 401, and do nothing else with it. */
export class WrongSignature extends HookgateError {}
