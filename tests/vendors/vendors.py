#!/usr/bin/env python3
"""Sign webhooks, and check them, with the vendors' own Python libraries.

    vendors.py list                             what each library can do, as a JSON array
    vendors.py sign PROVIDER COUNT SEED [AT]    print COUNT signed requests
    vendors.py verify PROVIDER                  check the requests on stdin

A request is one JSON line: {"secret", "url", "headers", "body" (base64), "at" (unix seconds)}.
The answer to each is one line: {"ok": true} or {"ok": false, "why": "..."}.
The same SEED and AT give the same requests; without AT they are signed as of now.
vendors.js does the same with the libraries for Node.

In the list, "binary" says whether the library takes a body that is not UTF-8, and "empty" whether it
takes an empty one. The first bodies of a run are special: empty, with a byte order mark, with CRLF,
not UTF-8, and 1 MiB long. One that the library cannot take is replaced by an ordinary one.
"""

import base64
import contextlib
import hashlib
import io
import json
import random
import string
import sys
import time
from datetime import datetime, timezone
from importlib.metadata import version
from urllib.parse import parse_qsl, urlencode

MIB = 1 << 20
# Nothing from U+E000 to U+FFFF: beside characters above U+FFFF, Twilio's libraries sort those
# differently in Python (by code point) and in Node (by UTF-16 unit).
ALPHABET = string.ascii_letters + string.digits + " !\"#$%&'()*+,-./:;<=>?@[]_~\0\t\r\näßñ€кф中字😀🎉"


def random_text(rng, characters):
    return "".join(rng.choices(ALPHABET, k=characters))


def random_word(rng, alphabet, length):
    return "".join(rng.choices(alphabet, k=length))


def random_hex(rng, length):
    return random_word(rng, "0123456789abcdef", length)


def random_json(rng):
    document = {"type": "thing.changed", "id": random_hex(rng, 12), "data": {"text": random_text(rng, rng.randint(0, 2000))}}
    return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode()


def random_body(rng, index, provider):
    """The body of the request number `index`."""
    if index == 0 and provider.empty:
        return b""
    if index == 1:
        return b"\xef\xbb\xbf" + random_json(rng)
    if index == 2:
        return b'{\r\n  "type": "thing.changed"\r\n}\r\n'
    if index == 3 and provider.binary:
        return b"\xff\xfe\x00\xc3(" + rng.randbytes(200)
    if index == 4:
        return random_word(rng, string.ascii_letters, MIB).encode()
    kind = rng.choice(["json", "text", "bytes" if provider.binary else "text"])
    if kind == "json":
        return random_json(rng)
    if kind == "text":
        return random_text(rng, rng.randint(1, 4000)).encode()
    return rng.randbytes(rng.randint(1, 8000))


class Provider:
    """What one library can do, and how it is called."""

    library = ""
    signs = True
    verifies = True
    binary = False
    empty = True

    def request(self, rng, index, at):
        """A signed request."""
        secret = self.secret(rng)
        body = random_body(rng, index, self)
        return {"secret": secret, "url": None, "headers": self.sign(rng, secret, body, at), "body": body}

    # Each has: secret(rng), sign(rng, secret, body, at) -> headers,
    # verify(secret, url, headers, body) -> bool, or an exception; the header names are in lower case.


class StandardWebhooks(Provider):
    library = "standardwebhooks"
    prefix = "webhook"

    def webhook(self, secret):
        from standardwebhooks.webhooks import Webhook

        return Webhook(secret)

    def secret(self, rng):
        return "whsec_" + base64.b64encode(rng.randbytes(rng.randint(24, 64))).decode()

    def sign(self, rng, secret, body, at):
        delivery = "msg_" + random_hex(rng, 24)
        when = datetime.fromtimestamp(at, tz=timezone.utc)
        return {
            f"{self.prefix}-id": delivery,
            f"{self.prefix}-timestamp": str(at),
            f"{self.prefix}-signature": self.webhook(secret).sign(delivery, when, body.decode()),
        }

    def verify(self, secret, url, headers, body):
        self.webhook(secret).verify(body, headers, json_parse=False)
        return True


class Svix(StandardWebhooks):
    library = "svix"
    prefix = "svix"

    def webhook(self, secret):
        from svix.webhooks import Webhook

        return Webhook(secret)

    def verify(self, secret, url, headers, body):
        self.webhook(secret).verify(body, headers)
        return True


class Stripe(Provider):
    library = "stripe"

    def secret(self, rng):
        return "whsec_" + random_word(rng, string.ascii_letters + string.digits, 32)

    def sign(self, rng, secret, body, at):
        from stripe import WebhookSignature

        return {"Stripe-Signature": WebhookSignature.generate_signature_header(body.decode(), secret, at)}

    def verify(self, secret, url, headers, body):
        from stripe import Webhook, WebhookSignature

        return WebhookSignature.verify_header(body, headers.get("stripe-signature"), secret, Webhook.DEFAULT_TOLERANCE)


class Slack(Provider):
    library = "slack_sdk"

    def secret(self, rng):
        return random_hex(rng, 32)

    def sign(self, rng, secret, body, at):
        from slack_sdk.signature import SignatureVerifier

        signature = SignatureVerifier(secret).generate_signature(timestamp=str(at), body=body)
        return {"X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": signature}

    def verify(self, secret, url, headers, body):
        from slack_sdk.signature import SignatureVerifier

        return SignatureVerifier(secret).is_valid_request(body, headers)


class Form(dict):
    """The fields of a form, in the shape of Django's that Twilio's library knows."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs

    def getlist(self, name):
        return [value for key, value in self.pairs if key == name]


class Twilio(Provider):
    """By turns a form, and a JSON body whose digest is in the query."""

    library = "twilio"
    address = "https://hooks.example.com/hooks/twilio?a=b"

    def secret(self, rng):
        return random_hex(rng, 32)

    def fields(self, rng, index):
        if index == 0:
            return []
        if index == 4:
            return [("Body", random_word(rng, string.ascii_letters, MIB - len("Body=")))]
        pairs = [("MessageSid", "SM" + random_hex(rng, 32)), ("MessageStatus", "delivered"), ("Body", "two\r\nlines")]
        for _ in range(rng.randint(0, 12)):
            # A name may come again, with the same value or another.
            name = rng.choice(["MediaUrl", "Body", "é", "a b", random_text(rng, rng.randint(1, 6))])
            pairs.append((name, rng.choice(["", "same", random_text(rng, rng.randint(0, 80))])))
        rng.shuffle(pairs)
        return pairs

    def request(self, rng, index, at):
        from twilio.request_validator import RequestValidator

        secret = self.secret(rng)
        validator = RequestValidator(secret)
        if index % 2 == 0:
            kind, url, fields = "application/x-www-form-urlencoded", self.address, self.fields(rng, index)
            body = urlencode(fields).encode()
        else:
            kind, fields = "application/json", []
            body = random_body(rng, index, self)
            url = f"{self.address}&bodySHA256={validator.compute_hash(body.decode())}"
        headers = {"Content-Type": kind, "X-Twilio-Signature": validator.compute_signature(url, Form(fields))}
        return {"secret": secret, "url": url, "headers": headers, "body": body}

    def verify(self, secret, url, headers, body):
        from twilio.request_validator import RequestValidator

        text = body.decode()
        fields = text if "bodySHA256=" in url else Form(parse_qsl(text, keep_blank_values=True))
        return RequestValidator(secret).validate(url, fields, headers.get("x-twilio-signature", ""))


class Discord(Provider):
    """The secret is the public key, in hex."""

    library = "discord-interactions"
    signs = False
    binary = True

    def verify(self, secret, url, headers, body):
        from discord_interactions import verify_key

        # The library prints why it refuses.
        with contextlib.redirect_stdout(io.StringIO()) as said:
            ok = verify_key(body, headers["x-signature-ed25519"], headers["x-signature-timestamp"], secret)
        if not ok:
            raise ValueError(said.getvalue().strip())
        return True


class Square(Provider):
    library = "squareup"
    signs = False
    empty = False

    def verify(self, secret, url, headers, body):
        from square.utils.webhooks_helper import verify_signature

        return verify_signature(
            request_body=body.decode(),
            signature_header=headers["x-square-hmacsha256-signature"],
            signature_key=secret,
            notification_url=url,
        )


PROVIDERS = {
    "standard-webhooks": StandardWebhooks(),
    "svix": Svix(),
    "stripe": Stripe(),
    "slack": Slack(),
    "twilio": Twilio(),
    "discord": Discord(),
    "square": Square(),
}


def show_list():
    rows = []
    for name, provider in PROVIDERS.items():
        row = {"provider": name, "library": f"{provider.library} {version(provider.library)}"}
        rows.append(row | {key: getattr(provider, key) for key in ("signs", "verifies", "binary", "empty")})
    print(json.dumps(rows))


def sign(provider, count, seed, at):
    if not provider.signs:
        sys.exit(f"{provider.library} cannot sign")
    rng = random.Random(seed)
    for index in range(count):
        request = provider.request(rng, index, at)
        request["body"] = base64.b64encode(request["body"]).decode()
        print(json.dumps(request | {"at": at}))


def verify(provider):
    for line in sys.stdin:
        try:
            request = json.loads(line)
            headers = {name.lower(): value for name, value in request["headers"].items()}
            body = base64.b64decode(request["body"])
            ok = provider.verify(request["secret"], request.get("url"), headers, body)
            answer = {"ok": True} if ok else {"ok": False, "why": "refused by the library"}
        except Exception as error:  # whatever the library throws is its refusal
            answer = {"ok": False, "why": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def main(arguments):
    match arguments:
        case ["list"]:
            show_list()
        case ["sign", name, count, seed, *at] if name in PROVIDERS and len(at) < 2:
            sign(PROVIDERS[name], int(count), seed, int(at[0]) if at else int(time.time()))
        case ["verify", name] if name in PROVIDERS:
            verify(PROVIDERS[name])
        case _:
            sys.exit(f"{__doc__}\nProviders: {', '.join(PROVIDERS)}")


if __name__ == "__main__":
    main(sys.argv[1:])
