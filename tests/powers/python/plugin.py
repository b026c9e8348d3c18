"""What the SDKs' powers are tested with, in Python."""

import logging
from datetime import timedelta

from hookgate_plugin import App, PowerError, Response, Retry, emit, frameio, http, setting, state

app = App("powers", version="1.0.0")
app.setting("limit", type="integer", default=3, about="How many.")
app.uses_state(about="What it did.")
app.host("*", methods=["GET", "POST"], credential="bearer", optional=True)
app.emits("made.*")


@app.on_webhook("powers.state")
def remember(event):
    state.set("k", "v1")
    logging.info("got %s", state.get_text("k"))
    logging.info("n %d", state.increment("n", 2))
    state.set("k2", b"\x00\xff")
    logging.info("keys %s", " ".join(state.keys("k")))
    state.delete("k2")
    logging.info("left %s", " ".join(state.keys("k")))
    for _ in range(2):
        swapped = state.compare_and_set("k", "v1", "v2")
        logging.info("swapped %s", "true" if swapped else "false")
    logging.info("none %s", "no" if state.get("none") is None else "yes")
    state.set("soon", "x", keep=timedelta(hours=1))
    logging.info("limit %d", setting("limit"))


@app.on_webhook("powers.http")
def send(event):
    answer = http.send("POST", event.json()["url"], headers={"x-own": "1"}, body="hello")
    logging.info("status %d", answer.status)
    logging.info("told %s", answer.text.replace("\n", " "))


@app.on_webhook("powers.emit")
def make(event):
    emit("made.it", '{"n":1}', attributes={"why": "because"})
    logging.info("emitted")


@app.on_webhook("powers.denied")
def denied(event):
    logging.info(kind_of(lambda: emit("other.it")))
    logging.info(kind_of(lambda: http.send("GET", "https://not.granted.example/")))
    logging.info(kind_of(lambda: state.get("")))


def kind_of(ask):
    """What is wrong with what was asked for."""
    try:
        ask()
    except PowerError as error:
        return error.kind
    return "nothing"


@app.on_webhook("powers.escape")
def escape(event):
    state.get("")


@app.on_webhook("powers.forget")
def forget(event):
    state.set("lost", "x")
    emit("made.lost")
    raise Retry("not now")


@app.on_webhook("powers.frameio")
def comment(event):
    at = event.json()
    made = frameio.Client(base_url=at["api"]).comments.create(at["account"], at["file"], "from python")
    logging.info("commented %s", made["text"])


@app.on_webhook("powers.show")
def show(event):
    at = event.json()
    logging.info("file %s", frameio.Client(base_url=at["api"]).files.show(at["account"], at["file"])["name"])


@app.respond("powers.ask")
def ask(event):
    n = state.increment("asked")
    if event.text == "fail":
        raise Retry("cannot")
    if event.text == "message":
        return frameio.Message("T", "D")
    return Response(f"asked {n} {event.text}", status=201, headers={"x-answered": "yes"})
