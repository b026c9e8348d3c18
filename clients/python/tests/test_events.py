import unittest
from unittest import mock

import fake
from hookgate_client import Hookgate, Invalid, Published, Unavailable

BUSY = (503, {"error": "the disk is full"})


class Publishing(unittest.TestCase):
    def setUp(self):
        self.gateway = fake.started(self)
        self.events = Hookgate(self.gateway.url, fake.KEY).events
        patched = mock.patch("time.sleep")
        self.sleep = patched.start()
        self.addCleanup(patched.stop)

    def waits(self):
        return [call.args[0] for call in self.sleep.call_args_list]

    def test_an_event_is_published(self):
        published = self.events.publish("match.found", {"a": 1}, resource={"id": "123", "type": "match"})
        self.assertEqual(published, Published("evt_0", False))
        (asked,) = self.gateway.asked
        self.assertEqual((asked.method, asked.path), ("POST", "/api/v1/events"))
        resource = {"id": "123", "type": "match"}
        self.assertEqual(asked.body, {"type": "match.found", "data": {"a": 1}, "resource": resource})
        self.assertEqual(self.waits(), [])

    def test_data_may_be_null(self):
        self.events.publish("x", None)
        self.assertEqual(self.gateway.asked[0].body, {"type": "x", "data": None})

    def test_each_call_has_a_key_of_its_own(self):
        self.events.publish("x", {})
        self.events.publish("x", {})
        keys = {asked.headers["idempotency-key"] for asked in self.gateway.asked}
        self.assertEqual((len(keys), len(self.gateway.published)), (2, 2))

    def test_an_id_of_the_callers_is_the_key(self):
        first, second = (self.events.publish("x", {}, id="Bestellung ü") for _ in range(2))
        self.assertEqual((first.duplicate, second), (False, Published(first.id, True)))
        self.assertEqual([asked.body["id"] for asked in self.gateway.asked], ["Bestellung ü"] * 2)
        self.assertNotIn("idempotency-key", self.gateway.asked[0].headers)

    def test_a_retry_makes_no_second_event(self):
        # The first is lost on its way back: the gateway has made it.
        self.gateway.next = [None, BUSY]
        self.assertEqual(self.events.publish("x", {}), Published("evt_0", True))
        keys = {asked.headers["idempotency-key"] for asked in self.gateway.asked}
        self.assertEqual((len(self.gateway.asked), len(keys), len(self.gateway.published)), (3, 1, 1))
        self.assertEqual(self.waits(), [0.5, 1.0])

    def test_it_waits_as_it_is_asked_to_and_no_longer_than_ten_seconds(self):
        self.gateway.next = [(*BUSY, [("Retry-After", text)]) for text in ("3", "1", "86400")]
        self.assertEqual(self.events.publish("x", {}), Published("evt_0", False))
        self.assertEqual(self.waits(), [3.0, 1.0, 10.0])
        self.sleep.reset_mock()
        self.gateway.next = [(*BUSY, [("Retry-After", text)]) for text in ("0", "soon", "1")]
        self.events.publish("x", {})
        self.assertEqual(self.waits(), [0.5, 1.0, 2.0])

    def test_a_gateway_that_took_too_long_is_asked_again(self):
        self.gateway.next = [(408, {"error": "took too long"})]
        self.assertEqual(self.events.publish("x", {}), Published("evt_0", False))
        self.assertEqual(self.waits(), [0.5])

    def test_it_is_given_up_in_the_end(self):
        self.gateway.next = [BUSY] * 5
        with self.assertRaises(Unavailable) as raised:
            self.events.publish("x", {})
        self.assertEqual((raised.exception.status, raised.exception.message), (503, "the disk is full"))
        self.assertEqual((len(self.gateway.asked), self.waits()), (4, [0.5, 1.0, 2.0]))

    def test_what_is_wrong_is_not_tried_again(self):
        self.gateway.next = [(422, {"error": "`type` is a word"})]
        with self.assertRaisesRegex(Invalid, "is a word"):
            self.events.publish("a b", {})
        self.assertEqual(len(self.gateway.asked), 1)

    def test_what_is_no_json_is_not_sent(self):
        for data in ({1, 2}, float("nan"), object()):
            with self.assertRaises((TypeError, ValueError)):
                self.events.publish("x", data)
        self.assertEqual(self.gateway.asked, [])
