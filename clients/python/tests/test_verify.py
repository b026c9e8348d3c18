import unittest
from datetime import datetime, timezone
from email.message import Message
from unittest import mock

from hookgate_client import HookgateError, WrongSignature, verify

# Signed with openssl: `openssl dgst -sha256 -hmac KEY`, of the body for the plain one.
BODY = (
    '{"id":"evt_1m8agj4svd71r","type":"video.processed","event":"video.processed",'
    '"created_at":"2026-11-26T05:03:09.123Z","data":{"video_id":456,"title":"Grüße"},'
    '"resource_id":"456","resource_type":"video"}'
).encode()
ID, SENT_S = "evt_1m8agj4svd71r", 1795669389
CODED = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
CODED_V1 = "v1,/Pt4Bewu89TxOlm/+2QUw5YMk8MR5DqQpYUEvXZioDo="
CODED_PLAIN = "bc11de213709b7ef7805e6532014839b36893f9c97282f9ac2c75addd1acb3e0"
TEXT = "correct horse battery staple"
TEXT_V1 = "v1,VW226kGgnu2HZswRJZCXmtrUACAsZsGQ3/YEMe6GAc4="
TEXT_PLAIN = "05453214ace2bb03a60ce1e31221520bac9f5f80d6b468cdce1f0fb84bf93ac3"
UMLAUT = "schlüssel"
UMLAUT_V1 = "v1,AQZx+WEMb1KBaUrPlDym2iHKafEWUcM89/ICbSpdyuk="
UMLAUT_PLAIN = "d70f2ecdb5d2dde099e4a9a0a296d2a9f6c4e8d79f8d11b2a79312ef91a9e7d6"
EMPTY_KEY_V1 = "v1,N9gEzcRs/lpgeiCiBnHM9BONhL46NaSbQiGPGtQryHo="
EMPTY_KEY_PLAIN = "ae8e98bad64fa91c829956f62f8abcec2cdd023dfec2050386751009f9b7fdd1"
WRONG_V1 = "v1," + 43 * "A" + "="


def standard(signature=CODED_V1, **changes):
    headers = {"webhook-id": ID, "webhook-timestamp": str(SENT_S), "webhook-signature": signature}
    headers.update({name.replace("_", "-"): value for name, value in changes.items()})
    return {name: value for name, value in headers.items() if value is not None}


def plain(signature=CODED_PLAIN):
    return {"X-Webhook-Signature": signature}


def untimed(headers, secret=CODED):
    return verify(BODY, headers, secret, allow_untimed=True)


class Verifying(unittest.TestCase):
    def setUp(self):
        self.now(SENT_S)

    def now(self, seconds):
        patched = mock.patch("time.time", return_value=seconds)
        patched.start()
        self.addCleanup(patched.stop)

    def refused(self, cause, headers, secret=CODED, body=BODY, **more):
        with self.assertRaisesRegex(WrongSignature, cause) as raised:
            verify(body, headers, secret, **more)
        self.assertIsInstance(raised.exception, HookgateError)
        self.assertNotIn(str(secret), str(raised.exception))

    def test_an_event_is_given(self):
        event = verify(BODY, standard(), CODED)
        self.assertEqual((event.id, event.type), (ID, "video.processed"))
        self.assertEqual(event.data, {"video_id": 456, "title": "Grüße"})
        self.assertEqual((event.resource_id, event.resource_type), ("456", "video"))
        self.assertEqual(event.created_at, datetime(2026, 11, 26, 5, 3, 9, 123000, timezone.utc))
        self.assertNotIn("Grüße", repr(event))

    def test_each_kind_of_secret_signs_in_both_ways(self):
        table = [
            (CODED, CODED_V1, CODED_PLAIN),
            (TEXT, TEXT_V1, TEXT_PLAIN),
            (UMLAUT, UMLAUT_V1, UMLAUT_PLAIN),
        ]
        for secret, v1, hexadecimal in table:
            with self.subTest(secret=secret):
                self.assertEqual(verify(BODY, standard(v1), secret).id, ID)
                self.assertEqual(untimed(plain(hexadecimal), secret).id, ID)
                self.refused("matches no secret", standard(v1), secret + "x" if secret != CODED else TEXT)
                self.refused("matches no secret", plain(hexadecimal), "another", allow_untimed=True)

    def test_a_secret_may_lack_its_padding(self):
        self.assertEqual(verify(BODY, standard(), CODED.rstrip("=")).id, ID)
        self.refused("matches no secret", plain(), CODED.rstrip("="), allow_untimed=True)

    def test_one_of_several_secrets_is_enough(self):
        for secrets in ([TEXT, CODED], (CODED, TEXT)):
            self.assertEqual(verify(BODY, standard(), secrets).id, ID)
            self.assertEqual(untimed(plain(), secrets).id, ID)
        self.refused("matches no secret", standard(), [TEXT, UMLAUT])

    def test_one_of_several_signatures_is_enough(self):
        ed25519 = "v1a," + 86 * "A" + "=="
        for signature in (f"{WRONG_V1} {CODED_V1}", f"{CODED_V1} {WRONG_V1}", f"{ed25519} v9,x {TEXT_V1} {CODED_V1}"):
            self.assertEqual(verify(BODY, standard(signature), CODED).id, ID)

    def test_no_more_than_ten_signatures_are_looked_at(self):
        self.assertEqual(verify(BODY, standard(f"{WRONG_V1} " * 9 + CODED_V1), CODED).id, ID)
        self.refused("matches no secret", standard(f"{WRONG_V1} " * 10 + CODED_V1))

    def test_any_other_body_is_refused(self):
        for body in (BODY[:-1], BODY + b"\n", BODY.replace(b"456", b"457", 1), b""):
            self.refused("matches no secret", standard(), body=body)
            self.refused("matches no secret", plain(), body=body, allow_untimed=True)

    def test_what_is_signed_cannot_be_changed(self):
        self.refused("matches no secret", standard(webhook_id="evt_2"))
        self.refused("matches no secret", standard(webhook_timestamp=str(SENT_S + 1)))

    def test_a_time_is_taken_to_its_tolerance_and_no_further(self):
        for off_s, cause in [(300, None), (-300, None), (301, "too old"), (-301, "in the future")]:
            self.now(SENT_S + off_s)
            if cause is None:
                self.assertEqual(verify(BODY, standard(), CODED).id, ID)
            else:
                self.refused(cause, standard())
        self.now(SENT_S + 301)
        self.assertEqual(verify(BODY, standard(), CODED, tolerance_s=301).id, ID)
        self.now(SENT_S + 1)
        for tolerance_s in (0, -5, float("nan")):
            self.refused("too old", standard(), tolerance_s=tolerance_s)

    def test_what_is_missing_or_malformed_is_refused(self):
        for id in (None, "", "evt.1", "evt 1", "evt_ü", "e" * 257):
            self.refused("webhook-id", standard(webhook_id=id))
        for seconds in (None, "", "soon", "-5", "1.5e9", " 1795669389", "1795669389\n", "١٧٩٥٦٦٩٣٨٩", "9" * 13):
            self.refused("timestamp is missing or malformed", standard(webhook_timestamp=seconds))
        self.refused("there is no signature", {}, allow_untimed=True)

    def test_a_signature_has_one_form(self):
        text = CODED_V1.removeprefix("v1,")
        for signature in ("", " ", "v1,", text, f"v2,{text}", f"V1,{text}", CODED_V1[:-1], "v1,AAAA", "v1,ü"):
            self.refused("signature is malformed", standard(signature))
        cut = CODED_PLAIN[:-1]
        for signature in ("", cut, cut + " ", cut + "g", CODED_PLAIN + "0", f"sha256={CODED_PLAIN}", text):
            self.refused("signature is malformed", plain(signature), allow_untimed=True)

    def test_a_signature_without_a_time_counts_only_where_that_is_said(self):
        cause = "there is no webhook-signature, .* only with allow_untimed"
        for headers in ({}, plain(), standard(None), {**standard(None), **plain()}):
            self.refused(cause, headers)
            for allow_untimed in (False, None, 1, "false"):
                self.refused(cause, headers, allow_untimed=allow_untimed)
        self.assertEqual(untimed({**standard(None), **plain()}).id, ID)
        with self.assertRaises(TypeError):
            verify(BODY, plain(), CODED, 300, True)

    def test_the_older_signature_counts_only_where_there_is_no_newer(self):
        self.assertEqual(untimed({**standard(), **plain(TEXT_PLAIN)}).id, ID)
        for signature in ("", "v1a,AAAA", WRONG_V1):
            self.refused("signature", {**standard(signature), **plain()}, allow_untimed=True)
        self.now(SENT_S + 301)
        self.refused("too old", {**standard(), **plain()}, allow_untimed=True)
        self.assertEqual(untimed({**plain(), "webhook-signature": None}).id, ID)

    def test_names_of_headers_are_in_any_case(self):
        for change in (str.upper, str.title, str.lower):
            headers = {change(name): value for name, value in standard().items()}
            self.assertEqual(verify(BODY, headers, CODED).id, ID)
        self.assertEqual(untimed({"x-webhook-SIGNATURE": CODED_PLAIN}).id, ID)

    def test_headers_may_be_any_that_have_items(self):
        headers = Message()
        for name, value in standard().items():
            headers[name] = value
        self.assertEqual(verify(BODY, headers, CODED).id, ID)
        headers["Webhook-Signature"] = CODED_V1
        self.refused("webhook-signature is repeated", headers)
        self.refused("repeated", {**standard(), "Webhook-Id": ID})
        self.refused("not text", {**standard(), "webhook-signature": [CODED_V1]})

    def test_a_body_is_bytes(self):
        self.assertEqual(verify(bytearray(BODY), standard(), CODED).id, ID)
        self.assertEqual(verify(memoryview(BODY), standard(), CODED).id, ID)
        for body in (BODY.decode(), {"id": ID}, None):
            with self.assertRaisesRegex(TypeError, "raw bytes"):
                verify(body, standard(), CODED)

    def test_a_secret_that_is_none_verifies_nothing(self):
        for secret in ("", None, [], [""], [CODED, ""], "whsec_", "whsec_==", "whsec_A", "whsec_AAF=", "whsec_a-b_"):
            for headers in (standard(EMPTY_KEY_V1), plain(EMPTY_KEY_PLAIN)):
                with self.subTest(secret=secret), self.assertRaises(ValueError) as raised:
                    verify(BODY, headers, secret, allow_untimed=True)
                self.assertNotIn("AAF", str(raised.exception))
        for secret in ([CODED.encode()], [None]):
            with self.assertRaises(TypeError):
                verify(BODY, standard(), secret)

    def test_what_is_signed_and_no_event_is_refused(self):
        # The first is the sample of the Standard Webhooks specification's libraries.
        secret, sent_s = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1614265330
        signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        headers = standard(signature, webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek", webhook_timestamp=str(sent_s))
        self.now(sent_s)
        self.refused("no event of Hookgate", headers, secret, b'{"test": 2432232314}')
        self.refused("matches no secret", headers, secret, b'{"test": 2432232315}')

    def test_whatever_is_signed_is_read_with_care(self):
        good = '{"id":"e","type":"t","created_at":"2026-11-26T05:03:09Z","data":null}'
        bad = ["", "5", "[]", "null", "{", "[" * 100_000, good.replace('"e"', "5"), good.replace("2026", "soon")]
        bad += [good.replace("Z", ""), good.replace(',"data":null', ""), good[:-1] + ',"resource_id":0}']
        with mock.patch("hmac.compare_digest", return_value=True):
            event = verify(good.encode(), standard(), CODED)
            self.assertEqual((event.id, event.data, event.resource_id), ("e", None, None))
            encoded = [good.replace('"t"', '"ÿ"').encode("latin-1"), good.encode("utf-16"), good.encode("utf-8-sig")]
            for body in (*map(str.encode, bad), *encoded):
                self.refused("no event of Hookgate", standard(), body=body)
