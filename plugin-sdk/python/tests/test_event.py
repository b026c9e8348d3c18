import unittest
from datetime import datetime, timezone

from hookgate_plugin import Reject, testing


class Events(unittest.TestCase):
    def test_an_event_is_made_with_defaults(self):
        event = testing.event("file.ready")
        told = (event.id, event.source, event.provider, event.type, event.received_at_ms, event.attempt, event.payload)
        self.assertEqual(told, ("evt_0000000000000", "test", "test", "file.ready", 1767225600000, 1, b""))
        self.assertEqual(event.received_at, datetime(2026, 1, 1, tzinfo=timezone.utc))

    def test_attributes_have_short_names(self):
        event = testing.event("x", resource_id="r", user_id="u", attributes={"custom": "c", "resource.type": "file"})
        self.assertEqual((event.resource_id, event.resource_type, event.user_id), ("r", "file", "u"))
        self.assertEqual((event.account_id, event.project_id, event.workspace_id), (None, None, None))
        self.assertEqual((event.attribute("custom"), event.attribute("absent")), ("c", None))

    def test_the_body_is_bytes_text_or_json(self):
        event = testing.event("x", payload={"name": "ü"})
        self.assertEqual(event.json(), {"name": "ü"})
        self.assertEqual(testing.event("x", payload="grüße").text, "grüße")
        self.assertEqual(testing.event("x", payload="ü").payload, b"\xc3\xbc")

    def test_a_body_that_does_not_fit_is_rejected(self):
        with self.assertRaisesRegex(Reject, "UTF-8"):
            testing.event("x", payload=b"\xff").text  # noqa: B018
        for payload in (b"", b"{", b"\xff", b"[" * 10_000):
            with self.subTest(payload=payload[:5]), self.assertRaisesRegex(Reject, "UTF-8|JSON"):
                testing.event("x", payload=payload).json()

    def test_a_large_payload_does_not_drown_the_rest(self):
        shown = repr(testing.event("x", payload=b"y" * 1_000_000))
        self.assertEqual(shown, "<Event evt_0000000000000 x of test, 1000000 bytes>")
