import assert from "node:assert/strict";
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { mock, test } from "node:test";

import { HookgateError, verify, WrongSignature } from "hookgate-client";

// Signed with openssl: `openssl dgst -sha256 -hmac KEY`, of the body for the plain one.
const BODY = Buffer.from(
  '{"id":"evt_1m8agj4svd71r","type":"video.processed","event":"video.processed",' +
    '"created_at":"2026-11-26T05:03:09.123Z","data":{"video_id":456,"title":"Grüße"},' +
    '"resource_id":"456","resource_type":"video"}',
);
const [ID, SENT_S] = ["evt_1m8agj4svd71r", 1795669389];
const CODED = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const CODED_V1 = "v1,/Pt4Bewu89TxOlm/+2QUw5YMk8MR5DqQpYUEvXZioDo=";
const CODED_PLAIN = "bc11de213709b7ef7805e6532014839b36893f9c97282f9ac2c75addd1acb3e0";
const TEXT = "correct horse battery staple";
const TEXT_V1 = "v1,VW226kGgnu2HZswRJZCXmtrUACAsZsGQ3/YEMe6GAc4=";
const TEXT_PLAIN = "05453214ace2bb03a60ce1e31221520bac9f5f80d6b468cdce1f0fb84bf93ac3";
const UMLAUT = "schlüssel";
const UMLAUT_V1 = "v1,AQZx+WEMb1KBaUrPlDym2iHKafEWUcM89/ICbSpdyuk=";
const UMLAUT_PLAIN = "d70f2ecdb5d2dde099e4a9a0a296d2a9f6c4e8d79f8d11b2a79312ef91a9e7d6";
const EMPTY_KEY_V1 = "v1,N9gEzcRs/lpgeiCiBnHM9BONhL46NaSbQiGPGtQryHo=";
const EMPTY_KEY_PLAIN = "ae8e98bad64fa91c829956f62f8abcec2cdd023dfec2050386751009f9b7fdd1";
const WRONG_V1 = `v1,${"A".repeat(43)}=`;

const clock = mock.method(Date, "now", () => now * 1000);
let now = SENT_S;

function standard(signature = CODED_V1, changes = {}) {
  return { "webhook-id": ID, "webhook-timestamp": String(SENT_S), "webhook-signature": signature, ...changes };
}

function plain(signature = CODED_PLAIN) {
  return { "x-webhook-signature": signature };
}

const UNTIMED = { allowUntimed: true };

function taken(headers, secret = CODED, options) {
  assert.equal(verify(BODY, headers, secret, options).id, ID);
}

function refused(cause, headers, { secret = CODED, body = BODY, ...options } = {}) {
  const isTold = (error) => cause.test(error.message) && !error.message.includes(secret);
  assert.throws(
    () => verify(body, headers, secret, options),
    (error) => error instanceof WrongSignature && error instanceof HookgateError && isTold(error),
  );
}

function at(seconds, check) {
  now = seconds;
  try {
    check();
  } finally {
    now = SENT_S;
  }
}

test("an event is given", () => {
  assert.deepEqual(verify(BODY, standard(), CODED), {
    id: ID,
    type: "video.processed",
    createdAt: new Date("2026-11-26T05:03:09.123Z"),
    data: { video_id: 456, title: "Grüße" },
    resourceId: "456",
    resourceType: "video",
  });
  assert.ok(clock.mock.callCount() > 0);
});

test("each kind of secret signs in both ways", () => {
  for (const [secret, v1, hex] of [[CODED, CODED_V1, CODED_PLAIN], [TEXT, TEXT_V1, TEXT_PLAIN], [UMLAUT, UMLAUT_V1, UMLAUT_PLAIN]]) {
    taken(standard(v1), secret);
    taken(plain(hex), secret, UNTIMED);
    refused(/matches no secret/, standard(v1), { secret: "another" });
    refused(/matches no secret/, plain(hex), { secret: "another", ...UNTIMED });
  }
});

test("a secret may lack its padding", () => {
  taken(standard(), CODED.replace("=", ""));
  refused(/matches no secret/, plain(), { secret: CODED.replace("=", ""), ...UNTIMED });
});

test("one of several secrets is enough", () => {
  for (const secrets of [[TEXT, CODED], [CODED, TEXT]]) {
    taken(standard(), secrets);
    taken(plain(), secrets, UNTIMED);
  }
  refused(/matches no secret/, standard(), { secret: [TEXT, UMLAUT] });
});

test("one of several signatures is enough", () => {
  const ed25519 = `v1a,${"A".repeat(86)}==`;
  for (const signature of [`${WRONG_V1} ${CODED_V1}`, `${CODED_V1} ${WRONG_V1}`, `${ed25519} v9,x ${TEXT_V1} ${CODED_V1}`]) {
    taken(standard(signature));
  }
});

test("no more than ten signatures are looked at", () => {
  taken(standard(`${WRONG_V1} `.repeat(9) + CODED_V1));
  refused(/matches no secret/, standard(`${WRONG_V1} `.repeat(10) + CODED_V1));
});

test("any other body is refused", () => {
  const text = BODY.toString();
  for (const body of [text.slice(0, -1), `${text}\n`, text.replace("456", "457"), ""].map((each) => Buffer.from(each))) {
    refused(/matches no secret/, standard(), { body });
    refused(/matches no secret/, plain(), { body, ...UNTIMED });
  }
});

test("what is signed cannot be changed", () => {
  refused(/matches no secret/, standard(CODED_V1, { "webhook-id": "evt_2" }));
  refused(/matches no secret/, standard(CODED_V1, { "webhook-timestamp": String(SENT_S + 1) }));
});

test("a time is taken to its tolerance and no further", () => {
  at(SENT_S + 300, () => taken(standard()));
  at(SENT_S - 300, () => taken(standard()));
  at(SENT_S + 301, () => refused(/too old/, standard()));
  at(SENT_S - 301, () => refused(/in the future/, standard()));
  at(SENT_S + 301, () => taken(standard(), CODED, { toleranceS: 301 }));
  for (const toleranceS of [0, -5, NaN, null, "soon"]) at(SENT_S + 1, () => refused(/too old/, standard(), { toleranceS }));
});

test("what is missing or malformed is refused", () => {
  for (const id of [undefined, null, "", "evt.1", "evt 1", "evt_ü", "e".repeat(257)]) {
    refused(/webhook-id/, standard(CODED_V1, { "webhook-id": id }));
  }
  for (const time of [undefined, "", "soon", "-5", "1.5e9", " 1795669389", "1795669389\n", "١٧٩٥٦٦٩٣٨٩", "9".repeat(13)]) {
    refused(/timestamp is missing or malformed/, standard(CODED_V1, { "webhook-timestamp": time }));
  }
  refused(/there is no signature/, {}, UNTIMED);
});

test("a signature has one form", () => {
  const text = CODED_V1.slice(3);
  for (const signature of ["", " ", "v1,", text, `v2,${text}`, `V1,${text}`, CODED_V1.slice(0, -1), "v1,AAAA", "v1,ü"]) {
    refused(/signature is malformed/, standard(signature));
  }
  const cut = CODED_PLAIN.slice(0, -1);
  for (const signature of ["", cut, `${cut} `, `${cut}g`, `${CODED_PLAIN}0`, `${CODED_PLAIN}\n`, `sha256=${CODED_PLAIN}`, text]) {
    refused(/signature is malformed/, plain(signature), UNTIMED);
  }
});

test("a signature without a time counts only where that is said", () => {
  const cause = /there is no webhook-signature, .* only with allowUntimed/;
  const lacking = { ...standard(), "webhook-signature": undefined };
  for (const headers of [{}, plain(), lacking, { ...lacking, ...plain() }]) {
    refused(cause, headers);
    for (const allowUntimed of [false, undefined, null, 1, "false"]) refused(cause, headers, { allowUntimed });
  }
  taken({ ...lacking, ...plain() }, CODED, UNTIMED);
});

test("the older signature counts only where there is no newer", () => {
  taken({ ...standard(), ...plain(TEXT_PLAIN) }, CODED, UNTIMED);
  for (const signature of ["", "v1a,AAAA", WRONG_V1]) refused(/signature/, { ...standard(signature), ...plain() }, UNTIMED);
  at(SENT_S + 301, () => refused(/too old/, { ...standard(), ...plain() }, UNTIMED));
  taken({ ...plain(), "webhook-signature": undefined }, CODED, UNTIMED);
});

test("headers may be any that there are, in any case", () => {
  taken(new Headers(standard()));
  taken(new Map(Object.entries(standard())));
  taken({ "Webhook-Id": ID, "WEBHOOK-TIMESTAMP": String(SENT_S), "Webhook-Signature": CODED_V1 });
  taken({ "X-Webhook-SIGNATURE": CODED_PLAIN }, CODED, UNTIMED);
  refused(/repeated/, { ...standard(), "Webhook-Id": ID });
  refused(/repeated/, { ...standard(), "webhook-signature": [WRONG_V1, CODED_V1] });
  const twice = new Headers(standard());
  twice.append("webhook-id", ID);
  refused(/webhook-id/, twice);
});

test("a body is bytes", () => {
  assert.equal(verify(new Uint8Array(BODY), standard(), CODED).id, ID);
  for (const body of [BODY.toString(), JSON.parse(BODY), undefined, [...BODY]]) {
    assert.throws(() => verify(body, standard(), CODED), { name: "TypeError", message: /raw bytes/ });
  }
});

test("a secret that is none verifies nothing", () => {
  for (const secret of ["", undefined, null, 5, [], [""], [CODED, ""], "whsec_", "whsec_==", "whsec_A", "whsec_AAF=", "whsec_a-b_"]) {
    for (const headers of [standard(EMPTY_KEY_V1), plain(EMPTY_KEY_PLAIN)]) {
      assert.throws(() => verify(BODY, headers, secret, UNTIMED), (error) => error instanceof TypeError && !/AAF/.test(error.message));
    }
  }
});

test("what is signed and no event is refused", () => {
  // The sample of the Standard Webhooks specification's libraries.
  const signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  const headers = standard(signature, { "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330" });
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  at(1614265330, () => {
    refused(/no event of Hookgate/, headers, { secret, body: Buffer.from('{"test": 2432232314}') });
    refused(/matches no secret/, headers, { secret, body: Buffer.from('{"test": 2432232315}') });
  });
});

test("whatever is signed is read with care", (t) => {
  t.mock.method(crypto, "timingSafeEqual", () => true);
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const good = '{"id":"e","type":"t","created_at":"2026-11-26T05:03:09Z","data":null}';
  const event = verify(Buffer.from(good), standard(), CODED);
  assert.deepEqual([event.id, event.data, event.resourceId], ["e", null, null]);
  const bad = [
    "", "5", "[]", "null", "{", "[".repeat(100_000), good.replace('"e"', "5"), good.replace("2026", "soon"), good.replace("2026-11", "2026-13"),
    good.replace("Z", ""), good.replace(',"data":null', ""), `${good.slice(0, -1)},"resource_id":0}`, `\ufeff${good}`,
  ];
  for (const body of [...bad.map((text) => Buffer.from(text)), Buffer.from(good, "utf16le"), Buffer.from(good.replace('"t"', '"\u00ff"'), "latin1")]) {
    refused(/no event of Hookgate/, standard(), { body });
  }
});
