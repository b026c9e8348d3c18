import unittest
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from hookgate_plugin import App, PowerError, Reject, Response, Retry, frameio, testing


def run(call, answer, host="api.frame.io", **client):
    """What becomes of an event whose handler calls Frame.io, which answers so."""
    app = App("test")
    app.host(host, methods=["GET", "POST"], credential="bearer")
    app.on_webhook("*")(lambda event: print(call(frameio.Client(**client))))
    return testing.run(app, testing.event("x"), http=lambda request: answer)


def show(client):
    return client.files.show("a1", "f1")


class Calls(unittest.TestCase):
    def test_a_comment_is_created(self):
        result = run(
            lambda client: client.comments.create("a1", "f1", "Grüße"), Response({"data": {"id": "c1"}}, status=201)
        )
        self.assertEqual((result.outcome, result.logs), ("done", ["info: {'id': 'c1'}"]))
        (sent,) = result.requests
        self.assertEqual((sent.method, sent.url), ("POST", "https://api.frame.io/v4/accounts/a1/files/f1/comments"))
        self.assertEqual(sent.json(), {"data": {"text": "Grüße"}})
        self.assertEqual(dict(sent.headers), {"accept": "application/json", "content-type": "application/json"})

    def test_a_file_is_shown(self):
        result = run(show, Response({"data": {"name": "cut.mp4"}}), timeout=2)
        self.assertEqual(result.logs, ["info: {'name': 'cut.mp4'}"])
        (sent,) = result.requests
        self.assertEqual((sent.method, sent.url), ("GET", "https://api.frame.io/v4/accounts/a1/files/f1"))
        self.assertEqual((sent.body, sent.timeout_ms, "content-type" in sent.headers), (b"", 2000, False))

    def test_it_can_be_elsewhere(self):
        result = run(show, Response({"data": {}}), host="127.0.0.1", base_url="https://127.0.0.1:8443/")
        self.assertEqual([sent.url for sent in result.requests], ["https://127.0.0.1:8443/v4/accounts/a1/files/f1"])

    def test_ids_lead_nowhere_else(self):
        result = run(lambda client: client.files.show("a/../b", "f?x#y"), Response({"data": {}}))
        self.assertEqual(result.requests[0].url, "https://api.frame.io/v4/accounts/a%2F..%2Fb/files/f%3Fx%23y")
        for id in (None, "", ".", ".."):
            result = run(lambda client, id=id: client.files.show("a1", id), Response({"data": {}}))
            with self.subTest(id=id):
                self.assertEqual((result.outcome, result.requests), ("reject", []))
                self.assertIn("an id is missing", result.why)


class Failures(unittest.TestCase):
    def test_each_status_has_its_meaning(self):
        table = [
            (400, "reject", Reject),
            (401, "retry", frameio.Unauthorized),
            (403, "retry", frameio.Unauthorized),
            (404, "reject", frameio.NotFound),
            (422, "reject", Reject),
            (302, "reject", Reject),
            (429, "retry", Retry),
            (500, "retry", Retry),
            (503, "retry", Retry),
        ]
        for status, outcome, kind in table:

            def call(client, kind=kind):
                try:
                    return show(client)
                except kind as error:
                    return type(error).__name__

            answer = Response({"errors": []}, status=status)
            with self.subTest(status=status):
                self.assertEqual(run(call, answer).logs, [f"info: {kind.__name__}"])
                result = run(show, answer)
                self.assertEqual((result.outcome, result.after, result.logs), (outcome, None, []))
                self.assertEqual(result.why, f"Frame.io answered {status} to GET /v4/accounts/a1/files/f1")

    def test_it_waits_as_long_as_it_is_told_to(self):
        table = [("90", 90), (" 0 ", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wednesday, 21-Oct-15 07:28:00 GMT", 0)]
        for status in (429, 503):
            for value, seconds in table:
                result = run(show, Response(status=status, headers={"Retry-After": value}))
                with self.subTest(status=status, value=value):
                    self.assertEqual((result.outcome, result.after), ("retry", timedelta(seconds=seconds)))

    def test_a_date_is_as_far_away_as_it_is(self):
        in_an_hour = datetime.now(timezone.utc) + timedelta(hours=1)
        dates = [format_datetime(in_an_hour, usegmt=True), in_an_hour.strftime("%a %b %d %H:%M:%S %Y")]
        for value in dates:
            result = run(show, Response(status=429, headers={"retry-after": value}))
            with self.subTest(value=value):
                self.assertAlmostEqual(result.after.total_seconds(), 3600, delta=30)

    def test_what_cannot_be_read_leaves_it_to_the_schedule(self):
        for value in ("", "soon", "-5", "1.5", "9" * 30, "9" * 5000, "Wed, 99 Oct 2015 07:28:00 GMT"):
            result = run(show, Response(status=429, headers={"retry-after": value}))
            with self.subTest(value=value[:40]):
                self.assertEqual((result.outcome, result.after, result.logs), ("retry", None, []))

    def test_garbage_is_an_error(self):
        for body in (b"", b"\xff\x00", b"<html>", b"[" * 100_000, [], {"datum": {}}, {"data": []}, {"data": "x"}):
            result = run(show, Response(body))
            with self.subTest(body=str(body)[:20]):
                self.assertEqual((result.outcome, result.logs), ("retry", []))
                self.assertIn("Frame.io answered 200 to GET /v4/accounts/a1/files/f1, whose body", result.why)

    def test_nothing_of_a_body_that_may_tell_too_much_is_told(self):
        for status in (200, 401, 422, 500):
            result = run(show, Response("the secret token", status=status))
            self.assertNotIn("secret", result.why + str(result.logs))

    def test_no_answer_is_the_gateways_to_tell(self):
        app = App("test")
        app.host("api.frame.io")
        app.on_webhook("*")(lambda event: frameio.Client().files.show("a1", "f1"))
        slow = {"GET https://api.frame.io/v4/accounts/a1/files/f1": PowerError("timeout", "it took too long")}
        result = testing.run(app, testing.event("x"), http=slow)
        self.assertEqual((result.outcome, result.why), ("retry", "it took too long"))
        self.assertIn("give it `http`", testing.run(app, testing.event("x")).why)


if __name__ == "__main__":
    unittest.main()
