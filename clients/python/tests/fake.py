"""A gateway in this process: it answers in the shapes of the API, and remembers what it was asked."""

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

KEY = "hgk_test"
TIME = "2026-11-26T05:03:09.123Z"

WEBHOOK = {
    "id": "whk_0123456789abc",
    "url": "https://example.com/hooks",
    "description": None,
    "events": ["video.processed", "match.*"],
    "sources": ["*"],
    "is_active": True,
    "disabled_reason": None,
    "paused_until": TIME,
    "rate_limit_per_minute": None,
    "custom_headers": {"X-Token": "t0ken"},
    "public_key": None,
    "total_deliveries": 3,
    "successful_deliveries": 2,
    "failed_deliveries": 1,
    "last_delivery_at": TIME,
    "last_success_at": TIME,
    "last_failure_at": None,
    "created_at": TIME,
    "updated_at": TIME,
}
ATTEMPT = {
    "number": 1,
    "started_at": TIME,
    "duration_ms": 12.5,
    "outcome": "done",
    "status_code": 200,
    "response_body": "thanks",
    "error_message": None,
}
STATS = {
    "total_deliveries": 3,
    "successful_deliveries": 2,
    "failed_deliveries": 0,
    "pending_deliveries": 1,
    "attempts": 4,
    "success_rate": 1.0,
    "mean_duration_ms": 12.5,
    "last_delivery_at": TIME,
    "last_success_at": TIME,
    "last_failure_at": None,
    "failing_since": None,
}
TEST = {"success": False, "status_code": 500, "response_body": "oh", "error_message": "it said 500", "duration_ms": 8}


def delivery(number):
    """A delivery, the higher the newer."""
    return {
        "id": f"evt_{number}:whk_0123456789abc",
        "webhook_id": "whk_0123456789abc",
        "event_id": f"evt_{number}",
        "event_type": "match.found",
        "status": "done",
        "attempts": 1,
        "created_at": TIME,
        "next_attempt_at": None,
        "history": [ATTEMPT],
    }


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    query: dict
    headers: dict
    body: object


class Gateway:
    """What is asked comes into `asked`. What is in `next` is answered first: a status and a body, `None` to hang up."""

    def __init__(self):
        self.asked = []
        self.next = []
        self.published = {}
        self.url = ""

    def answer(self, asked):
        """A status, and what is written as JSON."""
        if KEY not in (asked.headers.get("x-api-key"), asked.headers.get("authorization", "").removeprefix("Bearer ")):
            return 401, {"error": "the API key is not known"}
        for method, pattern, answer in ROUTES:
            if method == asked.method and re.fullmatch("/api/v1" + pattern, asked.path):
                return answer(self, asked)
        return 404, {"error": "there is no such thing"}

    def publish(self, asked):
        """An event, which is made once for each key."""
        key = asked.body.get("id") or asked.headers.get("idempotency-key")
        duplicate = key in self.published
        id = self.published.setdefault(key, f"evt_{len(self.published)}")
        return 202, {"id": id, "duplicate": duplicate}


def _page(gateway, asked):
    before = int(asked.query.get("before", "evt_7").removeprefix("evt_"))
    return 200, [delivery(number) for number in range(before - 1, max(before - 4, 0), -1)]


def _made(gateway, asked):
    given = {name: value for name, value in asked.body.items() if name in WEBHOOK}
    return 201, {**WEBHOOK, **given, "secret": asked.body.get("secret", "whsec_bWFkZSB1cA==")}


def _changed(gateway, asked):
    return 200, {**WEBHOOK, **{name: value for name, value in asked.body.items() if name in WEBHOOK}}


_ONE = "/webhooks/whk_[0-9a-z]+"
ROUTES = [
    ("GET", "/webhooks/events", lambda gateway, asked: (200, {"events": ["match.found", "video.processed"]})),
    ("POST", "/webhooks", _made),
    ("GET", "/webhooks", lambda gateway, asked: (200, [WEBHOOK, {**WEBHOOK, "a_new_field": 1}])),
    ("GET", _ONE, lambda gateway, asked: (200, WEBHOOK)),
    ("PATCH", _ONE, _changed),
    ("DELETE", _ONE, lambda gateway, asked: (204, None)),
    ("POST", _ONE + "/rotate", lambda gateway, asked: (200, {**WEBHOOK, "secret": asked.body.get("secret", "new")})),
    ("POST", _ONE + "/test", lambda gateway, asked: (200, TEST)),
    ("GET", _ONE + "/deliveries", _page),
    ("GET", _ONE + "/stats", lambda gateway, asked: (200, STATS)),
    ("POST", _ONE + "/redeliver", lambda gateway, asked: (202, {"redelivered": 5})),
    ("POST", _ONE + "/deliveries/evt_[0-9a-z]+/redeliver", lambda gateway, asked: (202, {"redelivered": 1})),
    ("POST", "/events", Gateway.publish),
]


class _Handler(BaseHTTPRequestHandler):
    def _handle(self):
        address = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(address.query))
        asked = Asked(self.command, address.path, query, headers, json.loads(content) if content else None)
        gateway = self.server.gateway
        gateway.asked.append(asked)
        # Decided before, so that an answer may be lost after the work was done.
        planned = gateway.next.pop(0) if gateway.next else "work"
        if planned is None:
            gateway.answer(asked)
            self.close_connection = True
            return
        self._send(*(gateway.answer(asked) if planned == "work" else planned))

    def _send(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _handle

    def log_message(self, *_):
        pass


@contextmanager
def running():
    """A gateway that listens until it is left."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    gateway = server.gateway = Gateway()
    gateway.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def started(test):
    """A gateway that listens until the test is over."""
    gateway = running()
    test.addCleanup(gateway.__exit__, None, None, None)
    return gateway.__enter__()
