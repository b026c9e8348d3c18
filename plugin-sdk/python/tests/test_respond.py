import asyncio  # noqa: F401
import sys
import unittest

from hookgate_plugin import App, Reject, Response, Retry, frameio, state, testing


def app_of(responder):
    app = App("test")
    app.uses_state()
    app.respond("*")(responder)
    return app


def answered(responder, **given):
    return testing.respond(app_of(responder), testing.event("x"), **given)


class Responders(unittest.TestCase):
    def test_the_first_that_matches_answers(self):
        app = App("test")
        app.on_webhook("*")(lambda event: print("handled"))
        app.respond(["frameio:review.start", "slack:*"])(lambda event: Response("first"))
        app.respond("review.*")(lambda event: Response({"n": 2}, status=201))
        table = [("frameio", "review.start", "first"), ("other", "review.start", '{"n": 2}'), ("slack", "x", "first")]
        for provider, type, expected in table:
            result = testing.respond(app, testing.event(type, provider=provider))
            with self.subTest(provider=provider, type=type):
                self.assertEqual((result.outcome, result.answer.text, result.logs), ("done", expected, []))
        result = testing.respond(app, testing.event("other"))
        self.assertEqual((result.outcome, result.why, result.answer), ("reject", "no responder for other", None))
        handled = testing.run(app, testing.event("review.start"))
        self.assertEqual((handled.logs, handled.answer), (["info: handled"], None))

    def test_coroutines_answer_too(self):
        async def responder(event):
            return Response(status=204)

        self.assertIn("asyncio", sys.modules)
        self.assertEqual(answered(responder).answer.status, 204)
        loaded = sys.modules.pop("asyncio")
        try:
            self.assertEqual(answered(responder).answer.status, 204)
        finally:
            sys.modules["asyncio"] = loaded

    def test_failures_are_those_of_handlers(self):
        table = [
            (Reject("no"), "reject", "no"),
            (Retry("busy"), "retry", "busy"),
            (ValueError("x"), "retry", "ValueError: x"),
        ]
        for error, outcome, why in table:

            def responder(event, error=error):
                state.set("left", "")
                raise error

            kept = testing.State()
            result = answered(responder, state=kept)
            with self.subTest(error=error):
                self.assertEqual((result.outcome, result.why, result.answer, kept.values), (outcome, why, None, {}))

    def test_what_it_writes_is_kept(self):
        def responder(event):
            return Response(str(state.increment("n")))

        kept = testing.State()
        self.assertEqual([answered(responder, state=kept).answer.text for _ in range(2)], ["1", "2"])
        self.assertEqual(kept.values, {"n": b"2"})

    def test_what_is_no_answer_is_told_and_nothing_is_kept(self):
        for given in (None, {"type": 1}, "text"):

            def responder(event, given=given):
                state.set("left", "")
                return given

            kept = testing.State()
            result = answered(responder, state=kept)
            with self.subTest(given=given):
                self.assertEqual((result.outcome, kept.values), ("retry", {}))
                self.assertIn(f"a responder returns a Response, not {given!r}", result.why)


class CustomActions(unittest.TestCase):
    def test_a_message_is_json(self):
        answer = answered(lambda event: frameio.Message("Thanks", "It is on its way: ü.")).answer
        self.assertEqual((answer.status, dict(answer.headers)), (200, {"content-type": "application/json"}))
        self.assertEqual(answer.json(), {"title": "Thanks", "description": "It is on its way: ü."})
        self.assertEqual(answer, frameio.Message("Thanks", "It is on its way: ü."))

    def test_a_form_has_fields_of_all_kinds(self):
        fields = [
            frameio.TextField("name", "Name", "Ada"),
            frameio.TextArea("notes", "Notes"),
            frameio.Checkbox("urgent", "Urgent", False),
            frameio.Link("help", "Help", "https://example.com/help"),
            frameio.Select("to", "To", "de", options={"German": "de", "Japanese": "ja"}),
        ]
        answer = answered(lambda event: frameio.Form("Translate", "Say how.", fields=fields)).answer
        self.assertEqual((answer.status, dict(answer.headers)), (200, {"content-type": "application/json"}))
        options = [{"name": "German", "value": "de"}, {"name": "Japanese", "value": "ja"}]
        expected = [
            {"type": "text", "label": "Name", "name": "name", "value": "Ada"},
            {"type": "textarea", "label": "Notes", "name": "notes"},
            {"type": "boolean", "label": "Urgent", "name": "urgent", "value": False},
            {"type": "link", "label": "Help", "name": "help", "value": "https://example.com/help"},
            {"type": "select", "label": "To", "name": "to", "value": "de", "options": options},
        ]
        self.assertEqual(answer.json(), {"title": "Translate", "description": "Say how.", "fields": expected})


if __name__ == "__main__":
    unittest.main()
