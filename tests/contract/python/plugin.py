"""The plugin that every language has: it says what it was given, so that a test can compare."""

import logging
import random
import time

from hookgate_plugin import App, Reject, Retry, setting

app = App("contract", version="1.2.3")
app.setting("greeting", default="hello", about="What it says.")
app.setting("missing", default="", about="")


def or_none(value):
    return "none" if value is None else value


@app.on_webhook("contract.fields")
def fields(event):
    values = [event.id, event.source, event.provider, event.type, event.received_at_ms, event.attempt]
    values += [event.resource_id, event.resource_type, event.account_id, event.user_id]
    values += [event.project_id, event.workspace_id, event.attribute("custom"), event.attribute("absent")]
    logging.info("fields %s", " ".join(str(or_none(value)) for value in values))


@app.on_webhook(["contract.one", "contract.two"])
def several(event):
    logging.info("several %s", event.type)


@app.on_webhook("contract.wild.*")
def wild(event):
    logging.info("wild %s", event.type)


@app.on_webhook("github:contract.from")
def from_github(event):
    logging.info("from %s", event.provider)


@app.on_webhook("contract.log")
def log(event):
    logging.debug("a debug line")
    logging.info("an info line")
    logging.warning("a warning")
    logging.error("an error")
    logging.info("grüße 日本 🎬")


@app.on_webhook("contract.setting")
def settings(event):
    logging.info("greeting=%s missing=%s", setting("greeting"), setting("missing"))


@app.on_webhook("contract.reject")
def reject(event):
    raise Reject("never: ü")


@app.on_webhook("contract.retry")
def retry(event):
    raise RuntimeError("later: ü")


@app.on_webhook("contract.retry-after")
def retry_after(event):
    raise Retry("busy", after=90)


@app.on_webhook("contract.trap")
def trap(event):
    [][0]


@app.on_webhook("contract.payload")
def payload(event):
    logging.info("payload %d %d", len(event.payload), sum(event.payload))


@app.on_webhook("contract.text")
def text(event):
    logging.info("text %s", event.text)


@app.on_webhook("contract.clock")
async def clock(event):
    logging.info("clock %d", time.time() * 1000)


@app.on_webhook("contract.random")
def randomness(event):
    logging.info("random %d", random.getrandbits(64))
