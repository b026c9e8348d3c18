import os
import unittest
from datetime import datetime, timedelta, timezone
from unittest import mock

import fake
from hookgate_client import Hookgate, HookgateError, TestResult, webhooks

ID = "whk_0123456789abc"
NOON = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)


class Calls(unittest.TestCase):
    def setUp(self):
        self.gateway = fake.started(self)
        self.webhooks = Hookgate(self.gateway.url, fake.KEY).webhooks

    def asked(self):
        """What was asked last."""
        asked = self.gateway.asked[-1]
        return asked.method, asked.path.removeprefix("/api/v1/webhooks"), asked.query, asked.body

    def test_a_webhook_is_created_and_has_its_secret(self):
        webhook = self.webhooks.create_webhook(url="https://a.com/x", events=["match.*"])
        self.assertEqual(self.asked(), ("POST", "", {}, {"url": "https://a.com/x", "events": ["match.*"]}))
        self.assertEqual((webhook.url, webhook.events), ("https://a.com/x", ["match.*"]))
        self.assertEqual(webhook.secret, "whsec_bWFkZSB1cA==")
        self.assertEqual(self.gateway.asked[-1].headers["authorization"], "Bearer hgk_test")
        self.assertEqual(self.gateway.asked[-1].headers["content-type"], "application/json")

    def test_all_that_can_be_said_of_it_is_sent(self):
        said = {
            "url": "https://a.com",
            "events": ["x"],
            "secret": "s",
            "description": "Grüße",
            "custom_headers": {"X-A": "b"},
            "rate_limit_per_minute": 60,
            "sources": ["github"],
            "key_pair": True,
        }
        webhook = self.webhooks.create_webhook(**said)
        self.assertEqual(self.asked()[3], said)
        self.assertEqual((webhook.description, webhook.custom_headers), ("Grüße", {"X-A": "b"}))
        self.webhooks.create_webhook(url="https://a.com", events="one", sources=iter(["a", "b"]))
        self.assertEqual(self.asked()[3], {"url": "https://a.com", "events": ["one"], "sources": ["a", "b"]})

    def test_a_webhook_is_read(self):
        webhook = self.webhooks.get_webhook(ID)
        self.assertEqual(self.asked(), ("GET", f"/{ID}", {}, None))
        self.assertEqual((webhook.id, webhook.secret, webhook.rate_limit_per_minute), (ID, None, None))
        self.assertEqual(webhook.created_at, datetime(2026, 11, 26, 5, 3, 9, 123000, timezone.utc))
        self.assertIsNone(webhook.last_failure_at)
        self.assertEqual(webhook.paused_until, datetime(2026, 11, 26, 5, 3, 9, 123000, timezone.utc))

    def test_webhooks_are_listed(self):
        self.assertEqual([webhook.id for webhook in self.webhooks.list_webhooks()], [ID, ID])
        self.assertEqual(self.asked(), ("GET", "", {}, None))
        self.webhooks.list_webhooks(is_active=False)
        self.assertEqual(self.asked()[2], {"is_active": "false"})
        self.webhooks.list_webhooks(True)
        self.assertEqual(self.asked()[2], {"is_active": "true"})

    def test_what_is_given_is_changed(self):
        webhook = self.webhooks.update_webhook(ID, is_active=False, rate_limit_per_minute=None, events="x.*")
        self.assertEqual(self.asked()[:2], ("PATCH", f"/{ID}"))
        self.assertEqual(self.asked()[3], {"events": ["x.*"], "rate_limit_per_minute": None, "is_active": False})
        self.assertFalse(webhook.is_active)
        with self.assertRaises(TypeError):
            self.webhooks.update_webhook(ID, key_pair=True)

    def test_a_secret_is_replaced_and_not_told(self):
        webhook = self.webhooks.update_webhook(ID, secret="s3cret")
        self.assertEqual(self.asked(), ("PATCH", f"/{ID}", {}, {"secret": "s3cret"}))
        self.assertIsNone(webhook.secret)

    def test_a_webhook_is_deleted(self):
        self.assertIsNone(self.webhooks.delete_webhook(ID))
        self.assertEqual(self.asked(), ("DELETE", f"/{ID}", {}, None))

    def test_a_secret_is_rotated(self):
        self.assertEqual(self.webhooks.rotate_secret(ID).secret, "new")
        self.assertEqual(self.asked(), ("POST", f"/{ID}/rotate", {}, {}))
        self.assertEqual(self.webhooks.rotate_secret(ID, "mine", grace_s=0).secret, "mine")
        self.assertEqual(self.asked()[3], {"secret": "mine", "grace_s": 0})

    def test_a_webhook_is_tried_out(self):
        result = self.webhooks.test_webhook(ID, "match.found", {"confidence": 1})
        self.assertEqual(self.asked()[3], {"event_type": "match.found", "test_data": {"confidence": 1}})
        self.assertEqual(result, TestResult(False, 500, "oh", "it said 500", 8))

    def test_deliveries_are_filtered(self):
        berlin = timezone(timedelta(hours=1))
        page = self.webhooks.deliveries(
            ID, "dead", "match.*", NOON.astimezone(berlin), NOON + timedelta(seconds=1), limit=3, before="evt_5"
        )
        self.assertEqual([delivery.event_id for delivery in page], ["evt_4", "evt_3", "evt_2"])
        expected = {"status": "dead", "event_type": "match.*", "limit": "3", "before": "evt_5"}
        times = {"since": "2026-11-26T12:00:00.000000Z", "until": "2026-11-26T12:00:01.000000Z"}
        self.assertEqual(self.asked(), ("GET", f"/{ID}/deliveries", {**expected, **times}, None))
        (attempt,) = page[0].history
        self.assertEqual((attempt.number, attempt.status_code, attempt.duration_ms), (1, 200, 12.5))
        self.assertEqual((attempt.started_at.tzinfo, page[0].next_attempt_at), (timezone.utc, None))

    def test_all_deliveries_are_read_page_by_page(self):
        found = [delivery.event_id for delivery in self.webhooks.all_deliveries(ID, status="done")]
        self.assertEqual(found, ["evt_6", "evt_5", "evt_4", "evt_3", "evt_2", "evt_1"])
        queries = [asked.query for asked in self.gateway.asked]
        self.assertEqual(queries[0], {"status": "done"})
        self.assertEqual(queries[1:], [{"status": "done", "before": "evt_4"}, {"status": "done", "before": "evt_1"}])

    def test_stats_and_types_are_read(self):
        stats = self.webhooks.stats(ID)
        self.assertEqual((stats.success_rate, stats.attempts, stats.failing_since), (1.0, 4, None))
        self.assertEqual(self.webhooks.event_types(), ["match.found", "video.processed"])

    def test_events_are_redelivered(self):
        self.assertEqual(self.webhooks.redeliver(ID, "evt_1m8"), 1)
        self.assertEqual(self.asked()[:2], ("POST", f"/{ID}/deliveries/evt_1m8/redeliver"))
        self.assertEqual(self.webhooks.redeliver_since(ID, NOON), 5)
        self.assertEqual(self.asked()[3], {"since": "2026-11-26T12:00:00.000000Z"})
        self.webhooks.redeliver_since(ID, NOON, NOON)
        self.assertEqual(self.asked()[3]["until"], "2026-11-26T12:00:00.000000Z")

    def test_a_time_knows_its_zone(self):
        with self.assertRaisesRegex(ValueError, "no zone"):
            self.webhooks.redeliver_since(ID, datetime(2026, 11, 26))
        self.assertEqual(self.gateway.asked, [])

    def test_ids_lead_nowhere_else(self):
        for id in ("", ".", "..", "a/b", "a?b", "a%2fb", "ü", None):
            with self.subTest(id=id), self.assertRaisesRegex(ValueError, "an id is"):
                self.webhooks.delete_webhook(id)
        self.assertEqual(self.gateway.asked, [])

    def test_the_environment_names_the_gateway_of_the_module(self):
        with mock.patch.dict(os.environ, {"HOOKGATE_URL": self.gateway.url + "/", "HOOKGATE_API_KEY": fake.KEY}):
            webhook = webhooks.create_webhook(url="https://a.com", events=["match.found"], secret="s")
        self.assertEqual(webhook.secret, "s")
        with mock.patch.dict(os.environ, HOOKGATE_URL=""), self.assertRaisesRegex(ValueError, "HOOKGATE_URL"):
            webhooks.list_webhooks()

    def test_no_secret_is_shown(self):
        webhook = self.webhooks.create_webhook(url="https://a.com", events="x", secret="s3cret")
        self.assertEqual((webhook.secret, webhook.custom_headers), ("s3cret", {"X-Token": "t0ken"}))
        for secret in ("s3cret", "t0ken"):
            self.assertNotIn(secret, repr(webhook))

    def test_what_is_no_answer_of_the_gateway_is_an_error(self):
        nothing = [{}, [], None, "x", 5, {**fake.WEBHOOK, "created_at": "soon"}, b"<html>", b"\xff"]
        for body in nothing:
            self.gateway.next = [(200, body)]
            with self.subTest(body=body), self.assertRaisesRegex(HookgateError, "not from Hookgate"):
                self.webhooks.get_webhook(ID)
        for call in (self.webhooks.list_webhooks, self.webhooks.event_types, lambda: self.webhooks.redeliver(ID, "e")):
            self.gateway.next = [(200, {"x": 1})]
            with self.assertRaisesRegex(HookgateError, "not from Hookgate"):
                call()
