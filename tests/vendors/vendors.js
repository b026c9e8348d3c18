#!/usr/bin/env node
/*
 * Sign webhooks, and check them, with the vendors' own libraries for Node.
 *
 *     vendors.js list                             what each library can do, as a JSON array
 *     vendors.js sign PROVIDER COUNT SEED [AT]    print COUNT signed requests
 *     vendors.js verify PROVIDER                  check the requests on stdin
 *
 * A request is one JSON line: {"secret", "url", "headers", "body" (base64), "at" (unix seconds)}.
 * The answer to each is one line: {"ok": true} or {"ok": false, "why": "..."}.
 * The same SEED and AT give the same requests; without AT they are signed as of now.
 * vendors.py does the same with the libraries for Python.
 *
 * In the list, "binary" says whether the library takes a body that is not UTF-8, and "empty" whether it
 * takes an empty one. The first bodies of a run are special: empty, with a byte order mark, with CRLF,
 * not UTF-8, and 1 MiB long. One that the library cannot take is replaced by an ordinary one.
 */

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const MIB = 1 << 20;
const HEX = '0123456789abcdef';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
// Nothing from U+E000 to U+FFFF: beside characters above U+FFFF, Twilio's libraries sort those
// differently in Python (by code point) and in Node (by UTF-16 unit).
const ALPHABET = [...LETTERS, ...DIGITS, ...' !"#$%&\'()*+,-./:;<=>?@[]_~\0\t\r\näßñ€кф中字😀🎉'];

/** A seeded source of random values (FNV-1a of the seed, then mulberry32). */
class Random {
  constructor(seed) {
    this.state = 0x811c9dc5;
    for (const byte of Buffer.from(seed)) this.state = Math.imul(this.state ^ byte, 0x01000193);
  }

  /** A whole number from `low` to `high`, both included. */
  int(low, high) {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return low + Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * (high - low + 1));
  }

  pick(items) {
    return items[this.int(0, items.length - 1)];
  }

  bytes(length) {
    return Buffer.from(Array.from({ length }, () => this.int(0, 255)));
  }

  word(alphabet, length) {
    return Array.from({ length }, () => this.pick(alphabet)).join('');
  }

  text(characters) {
    return this.word(ALPHABET, characters);
  }

  json() {
    const data = { text: this.text(this.int(0, 2000)) };
    return Buffer.from(JSON.stringify({ type: 'thing.changed', id: this.word(HEX, 12), data }, null, this.pick([0, 2])));
  }
}

/** The body of the request number `index`. */
function randomBody(random, index, { empty = true, binary = false }) {
  if (index === 0 && empty) return Buffer.alloc(0);
  if (index === 1) return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), random.json()]);
  if (index === 2) return Buffer.from('{\r\n  "type": "thing.changed"\r\n}\r\n');
  if (index === 3 && binary) return Buffer.concat([Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28]), random.bytes(200)]);
  if (index === 4) return Buffer.from(random.word(LETTERS, MIB));
  const kind = random.pick(['json', 'text', binary ? 'bytes' : 'text']);
  if (kind === 'json') return random.json();
  if (kind === 'text') return Buffer.from(random.text(random.int(1, 4000)));
  return random.bytes(random.int(1, 8000));
}

/** The body as text with its byte order mark; it throws where the body is not UTF-8. */
function textOf(body) {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
}

function standardWebhooks(library, prefix, checkSignature) {
  const open = async (secret) => new (await import(library)).Webhook(secret);
  return {
    library,
    secret: (random) => 'whsec_' + random.bytes(random.int(24, 64)).toString('base64'),
    async sign(random, secret, body, at) {
      const id = 'msg_' + random.word(HEX, 24);
      const signature = (await open(secret)).sign(id, new Date(at * 1000), textOf(body));
      return { [`${prefix}-id`]: id, [`${prefix}-timestamp`]: String(at), [`${prefix}-signature`]: signature };
    },
    async verify({ secret, headers, body }) {
      checkSignature(await open(secret), textOf(body), headers);
      return true;
    },
  };
}

/** Fields as an object whose repeated names hold lists, as Express hands them to Twilio's library. */
function formFields(pairs) {
  const fields = Object.create(null);
  for (const [name, value] of pairs) {
    if (!(name in fields)) fields[name] = value;
    else fields[name] = [].concat(fields[name], value);
  }
  return fields;
}

/** By turns a form, and a JSON body whose digest is in the query. */
const twilio = {
  library: 'twilio',
  binary: true, // JSON bodies only
  address: 'https://hooks.example.com/hooks/twilio?a=b',

  fields(random, index) {
    if (index === 0) return [];
    if (index === 4) return [['Body', random.word(LETTERS, MIB - 'Body='.length)]];
    const pairs = [['MessageSid', 'SM' + random.word(HEX, 32)], ['MessageStatus', 'delivered'], ['Body', 'two\r\nlines']];
    for (let left = random.int(0, 12); left > 0; left--) {
      // A name may come again, with the same value or another.
      const name = random.pick(['MediaUrl', 'Body', 'é', 'a b', random.text(random.int(1, 6))]);
      pairs.splice(random.int(0, pairs.length), 0, [name, random.pick(['', 'same', random.text(random.int(0, 80))])]);
    }
    return pairs;
  },

  async request(random, index) {
    const { default: library } = await import('twilio');
    const secret = random.word(HEX, 32);
    let url = this.address;
    let body, fields, type;
    if (index % 2 === 0) {
      const pairs = this.fields(random, index);
      type = 'application/x-www-form-urlencoded';
      body = Buffer.from(new URLSearchParams(pairs).toString());
      fields = formFields(pairs);
    } else {
      type = 'application/json';
      body = randomBody(random, index, this);
      fields = {};
      url += '&bodySHA256=' + library.getExpectedBodyHash(body);
    }
    const signature = library.getExpectedTwilioSignature(secret, url, fields);
    return { secret, url, headers: { 'Content-Type': type, 'X-Twilio-Signature': signature }, body };
  },

  async verify({ secret, url, headers, body }) {
    const { default: library } = await import('twilio');
    const signature = headers['x-twilio-signature'];
    if (url.includes('bodySHA256=')) return library.validateRequestWithBody(secret, signature, url, body);
    return library.validateRequest(secret, signature, url, formFields(new URLSearchParams(textOf(body))));
  },
};

const PROVIDERS = {
  'standard-webhooks': standardWebhooks('standardwebhooks', 'webhook', (webhook, text, headers) => {
    webhook.verify(text, headers, { jsonParse: false });
  }),

  svix: standardWebhooks('svix', 'svix', (webhook, text, headers) => {
    try {
      webhook.verify(text, headers);
    } catch (error) {
      // With a good signature it parses the body as JSON, which ours need not be.
      if (!(error instanceof SyntaxError)) throw error;
    }
  }),

  stripe: {
    library: 'stripe',
    empty: false,
    secret: (random) => 'whsec_' + random.word(LETTERS + DIGITS, 32),
    async sign(random, secret, body, at) {
      const { default: Stripe } = await import('stripe');
      const options = { payload: textOf(body), secret, timestamp: at };
      return { 'Stripe-Signature': Stripe.webhooks.generateTestHeaderString(options) };
    },
    async verify({ secret, headers, body }) {
      // Given bytes, this library drops a byte order mark before it checks; given text, it does not.
      const { default: Stripe } = await import('stripe');
      return Stripe.webhooks.signature.verifyHeader(textOf(body), headers['stripe-signature'], secret);
    },
  },

  github: {
    library: '@octokit/webhooks-methods',
    empty: false,
    secret: (random) => random.word(LETTERS + DIGITS + '!#$%&()*+,-./:;<=>?@[]^_{|}~', random.int(8, 64)),
    async sign(random, secret, body) {
      const { sign } = await import('@octokit/webhooks-methods');
      const id = [8, 4, 4, 4, 12].map((length) => random.word(HEX, length)).join('-');
      return { 'X-GitHub-Event': 'push', 'X-GitHub-Delivery': id, 'X-Hub-Signature-256': await sign(secret, textOf(body)) };
    },
    async verify({ secret, headers, body }) {
      const { verify } = await import('@octokit/webhooks-methods');
      return verify(secret, textOf(body), headers['x-hub-signature-256']);
    },
  },

  twilio,

  discord: {
    library: 'discord-interactions', // the secret is the public key, in hex
    signs: false,
    binary: true,
    async verify({ secret, headers, body }) {
      const { default: discord } = await import('discord-interactions');
      return discord.verifyKey(body, headers['x-signature-ed25519'], headers['x-signature-timestamp'], secret);
    },
  },

  shopify: {
    library: '@shopify/shopify-api',
    empty: false,
    secret: (random) => 'shpss_' + random.word(HEX, 32),
    async sign(random, secret, body) {
      const { createSHA256HMAC } = await import('@shopify/shopify-api/runtime');
      return { ...this.about, 'X-Shopify-Hmac-Sha256': await createSHA256HMAC(secret, textOf(body)) };
    },
    // The library wants these headers to be there; it does not look at what they say.
    about: {
      'X-Shopify-Topic': 'orders/create',
      'X-Shopify-Shop-Domain': 'example.myshopify.com',
      'X-Shopify-API-Version': '2026-01',
      'X-Shopify-Webhook-Id': '00000000-0000-4000-8000-000000000000',
    },
    async verify({ secret, headers, body }) {
      await import('@shopify/shopify-api/adapters/node');
      const { shopifyApi, ApiVersion } = await import('@shopify/shopify-api');
      const shopify = shopifyApi({
        apiKey: 'unused',
        apiSecretKey: secret,
        hostName: 'hooks.example.com',
        apiVersion: Object.values(ApiVersion)[0],
        isEmbeddedApp: false,
        logger: { level: 0 },
      });
      const rawRequest = { headers: { ...lowerCase(this.about), ...headers } };
      const answer = await shopify.webhooks.validate({ rawBody: textOf(body), rawRequest, rawResponse: {} });
      if (!answer.valid) throw new Error(answer.reason);
      return true;
    },
  },

  linear: {
    library: '@linear/sdk',
    signs: false,
    binary: true, // inside the strings of the JSON
    empty: false,
    note: 'the body must be JSON with webhookTimestamp, in milliseconds, within 60 s of now',
    async verify({ secret, headers, body }) {
      const { LinearWebhookClient } = await import('@linear/sdk/webhooks');
      return new LinearWebhookClient(secret).verify(body, headers['linear-signature']);
    },
  },
};

function lowerCase(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function print(value) {
  process.stdout.write(JSON.stringify(value) + '\n');
}

function list() {
  print(
    Object.entries(PROVIDERS).map(([provider, { library, signs = true, binary = false, empty = true, note }]) => {
      const manifest = new URL(`node_modules/${library}/package.json`, import.meta.url);
      const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
      return { provider, library: `${library} ${version}`, signs, verifies: true, binary, empty, note };
    }),
  );
}

async function sign(provider, count, seed, at) {
  if (provider.signs === false) throw new Error(`${provider.library} cannot sign`);
  const random = new Random(seed);
  for (let index = 0; index < count; index++) {
    let request;
    if (provider.request) {
      request = await provider.request(random, index);
    } else {
      const secret = provider.secret(random);
      const body = randomBody(random, index, provider);
      request = { secret, url: null, headers: await provider.sign(random, secret, body, at), body };
    }
    print({ ...request, body: request.body.toString('base64'), at });
  }
}

async function verify(provider) {
  for await (const line of createInterface({ input: process.stdin })) {
    let answer = { ok: true };
    try {
      const request = JSON.parse(line);
      const headers = lowerCase(request.headers);
      const body = Buffer.from(request.body, 'base64');
      if (!(await provider.verify({ ...request, headers, body }))) throw new Error('refused by the library');
    } catch (error) {
      // Whatever the library throws is its refusal.
      answer = { ok: false, why: `${error.name}: ${error.message}` };
    }
    print(answer);
  }
}

const [command, name, count, seed, at] = process.argv.slice(2);
const provider = Object.hasOwn(PROVIDERS, name ?? '') ? PROVIDERS[name] : undefined;
if (command === 'list') {
  list();
} else if (command === 'sign' && provider && seed !== undefined) {
  await sign(provider, Number(count), seed, Number(at ?? Math.floor(Date.now() / 1000)));
} else if (command === 'verify' && provider) {
  await verify(provider);
} else {
  console.error('usage: vendors.js list | sign PROVIDER COUNT SEED [AT] | verify PROVIDER');
  console.error('providers: ' + Object.keys(PROVIDERS).join(', '));
  process.exitCode = 2;
}
