import os
import socket
import unittest
from unittest import mock

import fake
from hookgate_client import Conflict, Hookgate, HookgateError, Invalid, NotFound, Unauthorized, Unavailable

ID = "whk_0123456789abc"


class Settings(unittest.TestCase):
    def test_what_is_missing_is_named(self):
        with mock.patch.dict(os.environ, clear=True):
            with self.assertRaisesRegex(ValueError, "HOOKGATE_URL"):
                Hookgate()
            with self.assertRaisesRegex(ValueError, "HOOKGATE_API_KEY"):
                Hookgate("http://h")

    def test_what_is_given_comes_first(self):
        with mock.patch.dict(os.environ, {"HOOKGATE_URL": "http://e", "HOOKGATE_API_KEY": "e"}):
            self.assertEqual(repr(Hookgate()), "<Hookgate at http://e>")
            self.assertEqual(repr(Hookgate("https://g:8443/path/")), "<Hookgate at https://g:8443/path>")

    def test_an_address_is_one_of_http(self):
        wrong = ["h", "ftp://h", "http://", "http://u:p4ss@h", "http://h/?x", "http://h/#x", "http://h h", "http://h:x"]
        for url in wrong:
            with self.subTest(url=url), self.assertRaises(ValueError) as raised:
                Hookgate(url, "k")
            self.assertNotIn("p4ss", str(raised.exception))

    def test_a_key_that_is_none_is_not_shown(self):
        for key in ("hgk_s3cret\n", "hgk s3cret", "hgk_s3cretü"):
            with self.assertRaisesRegex(ValueError, "API key") as raised:
                Hookgate("http://h", key)
            self.assertNotIn("s3cret", str(raised.exception))

    def test_a_timeout_is_some_time(self):
        for timeout_s in (0, -1, float("nan")):
            with self.assertRaisesRegex(ValueError, "timeout"):
                Hookgate("http://h", "k", timeout_s)

    def test_the_key_is_not_shown(self):
        client = Hookgate("http://h", "hgk_s3cret")
        for shown in (client, client.webhooks, client.events, vars(client), vars(client.webhooks)):
            self.assertNotIn("s3cret", repr(shown))


class Failures(unittest.TestCase):
    def setUp(self):
        self.gateway = fake.started(self)
        self.client = Hookgate(self.gateway.url, fake.KEY, timeout_s=5)

    def failure(self, answer):
        self.gateway.next = [answer]
        with self.assertRaises(HookgateError) as raised:
            self.client.webhooks.get_webhook(ID)
        return raised.exception

    def test_each_status_has_its_class(self):
        table = [
            (400, Invalid),
            (401, Unauthorized),
            (403, Unauthorized),
            (404, NotFound),
            (408, Unavailable),
            (409, Conflict),
            (413, HookgateError),
            (415, HookgateError),
            (422, Invalid),
            (500, HookgateError),
            (503, Unavailable),
        ]
        for status, kind in table:
            error = self.failure((status, {"error": "a sentence"}))
            with self.subTest(status=status):
                told = (type(error), error.status, error.message, str(error))
                self.assertEqual(told, (kind, status, "a sentence", "a sentence"))

    def test_a_wait_that_is_asked_for_is_told(self):
        table = [("7", 7), ("0", 0), ("9" * 5000, float("inf"))]
        table += [(text, None) for text in ("", "-1", "1.5", "soon", "²", "Thu, 26 Nov 2026 05:03:09 GMT")]
        for text, told in table:
            error = self.failure((503, {}, [("Retry-After", text)]))
            with self.subTest(text=text[:9]):
                self.assertEqual(error.retry_after_s, told)
        self.assertIsNone(self.failure((503, {})).retry_after_s)
        self.assertIsNone(self.failure(None).retry_after_s)

    def test_an_error_without_a_sentence_is_told(self):
        for body in (b"<html>", b"", {"error": 5}, [1], {}):
            error = self.failure((502, body))
            self.assertEqual(error.message, f"the gateway answered 502 to GET /api/v1/webhooks/{ID}")

    def test_a_wrong_key_is_unauthorized_and_not_shown(self):
        with self.assertRaises(Unauthorized) as raised:
            Hookgate(self.gateway.url, "hgk_other").webhooks.list_webhooks()
        self.assertNotIn("hgk_other", repr(raised.exception))

    def test_redirects_are_not_followed(self):
        with fake.running() as other:
            error = self.failure((307, None, [("Location", other.url + "/api/v1/webhooks")]))
            self.assertEqual((error.status, other.asked), (307, []))

    def test_a_proxy_of_the_environment_is_not_used(self):
        with mock.patch.dict(os.environ, {"http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9"}):
            self.assertEqual(self.client.webhooks.get_webhook(ID).id, ID)

    def test_no_answer_is_unavailable(self):
        error = self.failure(None)
        self.assertEqual((type(error), error.status), (Unavailable, None))
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = Hookgate(f"http://127.0.0.1:{silent.getsockname()[1]}", fake.KEY, timeout_s=0.05)
            with self.assertRaisesRegex(Unavailable, "timed out"):
                client.webhooks.list_webhooks()
        with self.assertRaisesRegex(Unavailable, "refused"):
            client.webhooks.list_webhooks()

    def test_what_speaks_no_http_is_unavailable(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = Hookgate(f"https://127.0.0.1:{server.getsockname()[1]}", fake.KEY, timeout_s=0.05)
            with self.assertRaises(Unavailable):
                client.webhooks.list_webhooks()
