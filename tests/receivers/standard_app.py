"""A receiver in Flask that leaves the check to the official libraries of Standard Webhooks and of Svix."""

import standardwebhooks
import svix.webhooks
from flask import Flask, request

from common import Ledger, arguments, serve

options = arguments()
ledger = Ledger(options.ledger)
app = Flask(__name__)

# The libraries read text as base64, with `whsec_` or without. A secret without it signs with its own bytes.
key = options.secret if options.secret.startswith("whsec_") else options.secret.encode()
verifiers = [standardwebhooks.Webhook(key), svix.webhooks.Webhook(key)]


@app.post("/hook")
def hook():
    try:
        for verifier in verifiers:
            verifier.verify(request.data, request.headers)
    # ValueError: what they raise for a signature that is no base64, and for a body that is no UTF-8 or no JSON.
    except (standardwebhooks.WebhookVerificationError, ValueError) as error:
        return f"{type(verifier).__module__}: {error}", 401
    ledger.add(request.get_json(), request.headers)
    return "ok"


if __name__ == "__main__":
    serve(app, options.port)
