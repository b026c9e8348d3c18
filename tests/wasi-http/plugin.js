// A plugin whose own engine speaks wasi:http: what it does is the payload's to say.

const text = new TextDecoder();

// A body that goes on, a little at a time.
function endless(piece) {
  const bytes = new TextEncoder().encode(piece);
  const pause = () => new Promise((done) => setTimeout(done, 50));
  return new ReadableStream({ pull: (stream) => pause().then(() => stream.enqueue(bytes)) });
}

async function run({ url, method, headers, many, body, unfinished, read = true, times = 1 }) {
  const made = new Headers(headers);
  for (let n = 0; n < (many ?? 0); n++) made.append(`x-${n}`, "y");
  if (unfinished) body = endless(unfinished);
  const sent = [];
  for (let n = 0; n < times; n++) sent.push(fetch(url, { method, headers: made, body, duplex: "half" }));
  const told = [];
  for (const answer of await Promise.all(sent)) told.push(`${answer.status} ${read ? (await answer.text()).slice(0, 2000) : "unread"}`);
  return told[told.length - 1];
}

export const handler = {
  describe() {
    const asks = [{ what: "host", name: "*", detail: [] }];
    return { name: "wasi-http", version: "1.0.0", subscriptions: ["push"], asks };
  },
  async handle(event) {
    let told;
    try {
      told = await run(JSON.parse(text.decode(event.payload)));
    } catch (error) {
      throw { tag: "reject", val: `failed: ${error}` };
    }
    throw { tag: "reject", val: told };
  },
};
