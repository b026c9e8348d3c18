"""A receiver in Flask: it checks `X-Webhook-Signature` by hand, as most people do."""

import hashlib
import hmac

from flask import Flask, request

from common import Ledger, arguments, serve

options = arguments()
ledger = Ledger(options.ledger)
app = Flask(__name__)


def signed(body, signature):
    expected = hmac.new(options.secret.encode(), body, hashlib.sha256).hexdigest()
    # Bytes, since compare_digest raises an error for text that is not ASCII.
    return hmac.compare_digest(expected.encode(), signature.encode())


@app.post("/hook")
def hook():
    if not signed(request.data, request.headers.get("X-Webhook-Signature", "")):
        return "wrong signature", 401
    ledger.add(request.get_json(), request.headers)
    return "ok"


if __name__ == "__main__":
    serve(app, options.port)
