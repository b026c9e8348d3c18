import unittest

from hookgate_plugin import App, setting, testing


def asks(app):
    return [(ask.what, ask.name, dict(ask.detail)) for ask in app.asks]


class Asks(unittest.TestCase):
    def test_all_that_can_be_asked_for_has_its_details(self):
        app = App("test")
        app.setting("limit", type="integer", default=10, about="How many.")
        app.host("api.frame.io", about="Comments.", methods=["GET", "POST"], credential="bearer", optional=True)
        app.uses_state(about="Counts.", optional=True)
        app.emits("video.*", about="Videos.", optional=True)
        app.respond("frameio:review.*")(print)
        expected = [
            ("setting", "limit", {"about": "How many.", "type": "integer", "default": "10"}),
            (
                "host",
                "api.frame.io",
                {"about": "Comments.", "methods": "GET POST", "credential": "bearer", "optional": "true"},
            ),
            ("state", "", {"about": "Counts.", "optional": "true"}),
            ("emit", "video.*", {"about": "Videos.", "optional": "true"}),
            ("reply", "frameio:review.*", {}),
        ]
        self.assertEqual(asks(app), expected)
        self.assertTrue(app.responds)
        self.assertEqual(app.subscriptions, [])

    def test_what_is_not_said_is_left_out(self):
        app = App("test")
        app.setting("needed")
        app.setting("empty", default="")
        app.host("*.example.com")
        app.host("*", methods="GET")
        app.uses_state()
        app.emits("video.*")
        expected = [
            ("setting", "needed", {}),
            ("setting", "empty", {"default": ""}),
            ("host", "*.example.com", {}),
            ("host", "*", {"methods": "GET"}),
            ("state", "", {}),
            ("emit", "video.*", {}),
        ]
        self.assertEqual(asks(app), expected)
        self.assertFalse(app.responds)

    def test_the_same_is_asked_for_once(self):
        app = App("test")
        for ask in (app.uses_state, lambda: app.host("a.b"), lambda: app.emits("c"), lambda: app.respond("d")):
            ask()
            with self.assertRaisesRegex(ValueError, "already"):
                ask()
        self.assertEqual(len(app.asks), 4)

    def test_mistakes_are_told_where_they_are_made(self):
        app = App("test")
        hosts = ["", "https://api.frame.io", "api.frame.io/v4", "api.frame.io:443", "API.frame.io", "a.*.com", "a b"]
        table = [(lambda host=host: app.host(host), ValueError, "a host is a name") for host in hosts]
        table += [
            (lambda: app.host("a", credential="token"), ValueError, "bearer, basic, header"),
            (lambda: app.host("a", methods=["get"]), ValueError, "capital letters"),
            (lambda: app.emits("plugin:video.*"), ValueError, "the type alone"),
            (lambda: app.emits("two words"), ValueError, "whitespace"),
            (lambda: app.respond(""), ValueError, "not empty"),
            (lambda: app.respond(print), TypeError, "say to what"),
            (lambda: app.setting("k", type="date"), ValueError, "one of text, integer"),
            (lambda: app.setting("k", type="integer", default="ten"), ValueError, "is no integer"),
            (lambda: app.setting("k", type="number", default="much"), ValueError, "is no number"),
            (lambda: app.setting("k", type="boolean", default="yes"), ValueError, "is no boolean"),
            (lambda: app.setting("k", type="json", default="{"), ValueError, "is no json"),
            (lambda: app.setting("k", type="text", default=1), TypeError, "not text"),
        ]
        for ask, kind, why in table:
            with self.subTest(why=why), self.assertRaisesRegex(kind, why):
                ask()
        self.assertEqual(app.asks, [])


class TypedSettings(unittest.TestCase):
    def test_they_are_read_as_what_they_are(self):
        table = [
            ("text", "x", "x"),
            ("integer", "-3", -3),
            ("integer", 3, 3),
            ("number", "2.5", 2.5),
            ("number", 2, 2.0),
            ("boolean", True, True),
            ("boolean", "false", False),
            ("json", '{"a": [1]}', {"a": [1]}),
            ("json", {"a": [1]}, {"a": [1]}),
            (None, "10", "10"),
        ]
        for type, given, expected in table:
            app = App("test")
            app.setting("k", type=type)
            app.on_webhook("*")(lambda event: print(repr(setting("k"))))
            with self.subTest(type=type, given=given):
                logs = testing.run(app, testing.event("x"), settings={"k": given}).logs
                self.assertEqual(logs, [f"info: {expected!r}"])

    def test_one_that_does_not_fit_is_told(self):
        app = App("test")
        app.setting("k", type="integer", default=1)
        app.on_webhook("*")(lambda event: print(setting("k")))
        result = testing.run(app, testing.event("x"), settings={"k": "many"})
        self.assertEqual(result.outcome, "retry")
        self.assertIn("the setting 'k' is no integer", result.why)
        self.assertEqual(testing.run(app, testing.event("x")).logs, ["info: 1"])


if __name__ == "__main__":
    unittest.main()
