import unittest
from datetime import timedelta

from hookgate_plugin import App, PowerError, Response, emit, http, testing

URL = "https://api.example.com/v1/things"


def run(handler, answers=None):
    """What becomes of an event that a handler with a host gets."""
    app = App("test")
    app.host("api.example.com", methods=["GET", "POST"])
    app.host("*.example.org")
    app.on_webhook("*")(handler)
    return testing.run(app, testing.event("x"), http=answers)


class Requests(unittest.TestCase):
    def test_they_are_sent_as_they_were_said(self):
        def handler(event):
            http.send("GET", URL)
            http.send("POST", URL, json={"n": "ü"}, headers={"X-A": "1"}, timeout=timedelta(seconds=2))
            http.send("POST", URL, body="grüße", headers=[("a", "1"), ("A", "2")], timeout=0.0001)
            http.send("POST", URL, json="text", headers={"Content-Type": "application/x"})

        sent = run(handler, lambda request: Response()).requests
        told = [(r.method, r.url, list(r.headers.fields), r.body, r.timeout_ms) for r in sent]
        json = ("content-type", "application/json")
        self.assertEqual(told[0], ("GET", URL, [], b"", None))
        self.assertEqual(told[1], ("POST", URL, [("X-A", "1"), json], b'{"n": "\\u00fc"}', 2000))
        self.assertEqual(told[2], ("POST", URL, [("a", "1"), ("A", "2")], "grüße".encode(), 1))
        self.assertEqual(told[3], ("POST", URL, [("Content-Type", "application/x")], b'"text"', None))
        self.assertEqual(sent[1].json(), {"n": "ü"})

    def test_an_answer_is_an_answer_whatever_its_status(self):
        def handler(event):
            for path in ("/a", "/b"):
                answer = http.send("GET", URL + path)
                print(answer.status, answer.ok, answer.text)

        answers = {f"GET {URL}/a": Response({"n": 1}), f"GET {URL}/b": Response("gone", status=404)}
        self.assertEqual(run(handler, answers).logs, ['info: 200 True {"n": 1}', "info: 404 False gone"])

    def test_where_there_is_no_answer_it_is_an_error(self):
        def handler(event):
            http.send("GET", URL)

        table = [
            (None, "denied", "give it `http`"),
            ({}, "failed", f"no answer to GET {URL}"),
            ({f"GET {URL}": PowerError("timeout", "too slow")}, "timeout", "too slow"),
        ]
        for answers, kind, why in table:

            def catching(event):
                try:
                    handler(event)
                except PowerError as error:
                    print(error.kind)

            with self.subTest(kind=kind):
                self.assertEqual(run(catching, answers).logs, [f"info: {kind}"])
                result = run(handler, answers)
                self.assertEqual(result.outcome, "retry")
                self.assertIn(why, result.why)

    def test_only_what_was_asked_for_goes_out(self):
        table = [
            ("GET", URL, "done", ""),
            ("GET", "https://a.b.example.org:8443/", "done", ""),
            ("DELETE", "https://a.example.org/", "done", ""),
            ("DELETE", URL, "retry", 'app.host("api.example.com") for DELETE'),
            ("GET", "https://example.org/", "retry", 'app.host("example.org")'),
            ("GET", "https://evil-api.example.com/", "retry", 'app.host("evil-api.example.com")'),
            ("GET", "https://api.example.com@evil.com/", "retry", 'app.host("evil.com")'),
            ("GET", "api.example.com/v1", "reject", "no URL of a host"),
            ("GET", "file:///etc/passwd", "reject", "no URL of a host"),
        ]
        for method, url, outcome, why in table:
            with self.subTest(method=method, url=url):
                result = run(lambda event, method=method, url=url: http.send(method, url), lambda request: Response())
                self.assertEqual((result.outcome, len(result.requests)), (outcome, 1 if outcome == "done" else 0))
                self.assertIn(why, result.why)

    def test_mistakes_are_told(self):
        table = [
            (lambda: http.send("POST", URL, json={}, body="x"), "one body"),
            (lambda: http.send("GET", None), "this is not text: None"),
            (lambda: http.send("GET", URL, headers={"x-n": 5}), "this is not text: 5"),
        ]
        for send, why in table:
            with self.assertRaisesRegex(TypeError, why):
                send()


class Responses(unittest.TestCase):
    def test_headers_have_names_in_any_case(self):
        answer = Response(headers=[("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("X-N", "1")])
        self.assertEqual((answer.headers["x-n"], answer.headers.get("absent")), ("1", None))
        self.assertEqual(answer.headers.all("SET-COOKIE"), ["a=1", "b=2"])
        self.assertEqual(dict(answer.headers), {"set-cookie": "a=1, b=2", "x-n": "1"})
        self.assertEqual(len(answer.headers), 2)
        self.assertEqual(Response(headers=answer.headers).headers.fields, answer.headers.fields)

    def test_a_body_is_bytes_text_or_json(self):
        table = [
            (Response(), b"", {}),
            (Response(bytearray(b"x")), b"x", {}),
            (Response("ü"), b"\xc3\xbc", {"content-type": "text/plain; charset=utf-8"}),
            (Response([1]), b"[1]", {"content-type": "application/json"}),
            (Response("<p>", headers={"Content-Type": "text/html"}), b"<p>", {"content-type": "text/html"}),
        ]
        for answer, body, headers in table:
            with self.subTest(body=body):
                self.assertEqual((answer.status, answer.body, dict(answer.headers)), (200, body, headers))
        self.assertEqual(Response(b"\xff!").text, "\ufffd!")

    def test_what_is_not_json_is_told(self):
        for body in (b"", b"<html>", b"\xff", b"[" * 100_000):
            with self.subTest(body=body[:6]), self.assertRaises(ValueError):
                Response(body).json()
        with self.assertRaisesRegex(ValueError, "no status 42"):
            Response(status=42)

    def test_a_body_is_not_shown_where_it_would_drown_the_rest(self):
        self.assertEqual(repr(Response(b"x" * 1000)), "Response(status=200, headers=Headers([]))")


class Emitting(unittest.TestCase):
    def app(self, handler):
        app = App("test")
        app.emits("video.*")
        app.on_webhook("*")(handler)
        return app

    def test_events_are_those_of_the_plugin(self):
        def handler(event):
            emit("video.cut", {"n": "ü"}, attributes={"resource.id": "v1"})
            emit("video.text", "ü")

        first, second = testing.run(self.app(handler), testing.event("x")).emitted
        self.assertEqual((first.source, first.provider, first.type), ("plugin:test", "plugin", "video.cut"))
        self.assertEqual((first.json(), first.resource_id), ({"n": "ü"}, "v1"))
        self.assertEqual((second.payload, dict(second.attributes)), (b"\xc3\xbc", {}))
        self.assertNotEqual(first.id, second.id)

        other = App("other")
        other.on_webhook("plugin:video.*")(lambda event: print(event.type))
        self.assertEqual(testing.run(other, first).logs, ["info: video.cut"])

    def test_none_are_made_where_the_handler_fails(self):
        def handler(event):
            emit("video.cut", b"")
            raise RuntimeError

        result = testing.run(self.app(handler), testing.event("x"))
        self.assertEqual((result.outcome, result.emitted), ("retry", []))

    def test_what_may_not_be_made_is_told(self):
        table = [
            (("audio.cut",), "retry", 'app.emits("audio.cut")'),
            (("",), "reject", "no type of an event"),
            (("video. cut",), "reject", "no type of an event"),
            (("video." + "x" * 251,), "reject", "no type of an event"),
            (("video.cut", b"", {"emitted.depth": "0"}), "reject", "the gateway's own"),
            (("video.cut", b"", {"n": 1}), "retry", "this is not text: 1"),
        ]
        for given, outcome, why in table:

            def handler(event, given=given):
                emit(*given[:2], attributes=dict(*given[2:]))

            with self.subTest(why=why):
                result = testing.run(self.app(handler), testing.event("x"))
                self.assertEqual((result.outcome, result.emitted), (outcome, []))
                self.assertIn(why, result.why)


if __name__ == "__main__":
    unittest.main()
