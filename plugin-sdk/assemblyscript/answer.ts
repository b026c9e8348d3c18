// What the sender of an event is answered that waits for it.

import { quote } from "./json";
import { Pair } from "./pair";
import { Result } from "./result";
import { encode } from "./utf8";

/** What a responder returns. */
export class Answer {
  status: u16 = 200;
  readonly headers: Pair[] = [];
  body: Uint8Array = new Uint8Array(0);
  /** Why there is none; `null` where there is one. */
  failure: Result | null = null;

  header(name: string, value: string): Answer {
    this.headers.push(new Pair(name, value));
    return this;
  }

  /** An answer without a body. */
  static of(status: u16): Answer {
    const answer = new Answer();
    answer.status = status;
    return answer;
  }

  static text(text: string): Answer {
    return filled("text/plain; charset=utf-8", text);
  }

  /** What is JSON already. */
  static json(json: string): Answer {
    return filled("application/json", json);
  }

  /** No answer, for this reason: `Answer.failed(Result.retry("why"))`, `Answer.failed(problem.result)`. */
  static failed(failure: Result): Answer {
    const answer = new Answer();
    answer.failure = failure;
    return answer;
  }

  /** What Frame.io shows after a custom action. */
  static message(title: string, description: string): Answer {
    return Answer.json(`{"title":${quote(title)},"description":${quote(description)}}`);
  }

  /** What Frame.io asks people to fill in. When they send it, another event comes, which has what they entered in `data`. */
  static form(title: string, description: string, fields: Field[]): Answer {
    const written = fields.map<string>((field) => field.json).join(",");
    return Answer.json(`{"title":${quote(title)},"description":${quote(description)},"fields":[${written}]}`);
  }
}

function filled(contentType: string, text: string): Answer {
  const answer = new Answer().header("content-type", contentType);
  answer.body = Uint8Array.wrap(encode(text));
  return answer;
}

/** A field of a form of Frame.io. */
export class Field {
  private options: string[] = [];

  constructor(
    /** `text`, `textarea`, `select`, `boolean` or `link`. */
    readonly type: string,
    readonly label: string,
    /** What its value is called in `data`. */
    readonly name: string,
    /** What stands in it at first; in a boolean, `true` or `false`. */
    readonly value: string | null = null,
  ) {}

  /** Something to choose. */
  option(name: string, value: string): Field {
    this.options.push(`{"name":${quote(name)},"value":${quote(value)}}`);
    return this;
  }

  get json(): string {
    const value = this.value;
    let json = `{"type":${quote(this.type)},"label":${quote(this.label)},"name":${quote(this.name)}`;
    if (value !== null) json += `,"value":${this.type == "boolean" ? (value == "true").toString() : quote(value)}`;
    if (this.options.length) json += `,"options":[${this.options.join(",")}]`;
    return json + "}";
  }
}
