import asyncio
import logging
import sys
import unittest
import warnings
from datetime import timedelta

from hookgate_plugin import App, Reject, Retry, setting, testing


def outcome(handler, **event):
    """What becomes of an event that a handler gets."""
    app = App("test")
    app.on_webhook("*")(handler)
    return testing.run(app, testing.event("x", **event))


def raising(error):
    def handler(event):
        raise error

    return handler


class Handlers(unittest.TestCase):
    def test_the_first_that_matches_runs(self):
        app = App("test", version="0.1.0")

        @app.on_webhook(["a.one", "a.two"])
        def several(event):
            print("several")

        @app.on_webhook("a.*")
        def rest(event):
            print("rest")

        self.assertEqual(app.subscriptions, ["a.one", "a.two", "a.*"])
        logs = [testing.run(app, testing.event(type)).logs for type in ("a.two", "a.three")]
        self.assertEqual(logs, [["info: several"], ["info: rest"]])
        result = testing.run(app, testing.event("b"))
        self.assertEqual((result.outcome, result.why), ("reject", "no handler for b"))

    def test_a_handler_stays_a_function(self):
        app = App("test")
        self.assertEqual(app.on_webhook("*")(lambda event: event.type)(testing.event("x")), "x")

    def test_mistakes_are_told_where_they_are_made(self):
        app = App("test")
        app.on_webhook("a")(print)
        app.setting("key")
        with self.assertRaisesRegex(ValueError, "already"):
            app.on_webhook(["b", "a"])
        with self.assertRaisesRegex(ValueError, "already"):
            app.setting("key")
        with self.assertRaisesRegex(ValueError, "whitespace"):
            app.setting("a key")
        with self.assertRaisesRegex(TypeError, "not text"):
            app.setting("other", default=1)
        with self.assertRaisesRegex(TypeError, "which webhooks"):
            app.on_webhook(print)
        with self.assertRaisesRegex(ValueError, "the name of a plugin"):
            App("Not A Name")


class Outcomes(unittest.TestCase):
    def test_exceptions_say_what_becomes_of_the_event(self):
        class NotFound(Reject):
            pass

        table = [
            (Reject("never: ü"), ("reject", "never: ü", None)),
            (NotFound("gone"), ("reject", "gone", None)),
            (Reject(), ("reject", "no reason given", None)),
            (Retry("busy"), ("retry", "busy", None)),
            (Retry("busy", after=90), ("retry", "busy", timedelta(seconds=90))),
            (Retry("busy", after=timedelta(hours=1)), ("retry", "busy", timedelta(hours=1))),
            (RuntimeError("two\nlines"), ("retry", "RuntimeError: two lines", None)),
            (KeyError("k"), ("retry", "KeyError: 'k'", None)),
            (ValueError(), ("retry", "ValueError", None)),
            (SystemExit(1), ("retry", "SystemExit: 1", None)),
        ]
        for error, expected in table:
            with self.subTest(error=error):
                result = outcome(raising(error))
                self.assertEqual((result.outcome, result.why, result.after), expected)

    def test_only_what_nobody_meant_leaves_a_trace(self):
        self.assertEqual(outcome(raising(Reject("no"))).logs, [])
        logs = outcome(raising(ValueError("odd"))).logs
        self.assertEqual((logs[0], logs[-1]), ("error: Traceback (most recent call last):", "error: ValueError: odd"))
        self.assertEqual(len(logs), 4, logs)
        self.assertIn("test_app.py", logs[1])

    def test_an_exception_without_a_readable_message_is_one_too(self):
        class Odd(Exception):
            def __str__(self):
                raise ValueError

        self.assertEqual(outcome(raising(Odd())).why, "Odd: its message cannot be read")

    def test_milliseconds_are_rounded_up(self):
        from hookgate_plugin._failure import Outcome

        table = [(None, None), (0, 0), (-5, 0), (1.5, 1500), (0.0001, 1)]
        for after, expected in table:
            wait = None if after is None else timedelta(seconds=after)
            self.assertEqual(Outcome("retry", "", wait).after_ms, expected)


class Lines(unittest.TestCase):
    def test_levels_are_the_gateways(self):
        def handler(event):
            log = logging.getLogger("some.module")
            for level in (5, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
                log.log(level, "%s", level)

        expected = ["trace: 5", "debug: 10", "info: 20", "warn: 30", "error: 40", "error: 50"]
        self.assertEqual(outcome(handler).logs, expected)

    def test_printed_lines_are_lines_of_the_log_in_their_order(self):
        def handler(event):
            print("one", "grüße 日本 🎬")
            logging.info("two\nthree")
            print("four", file=sys.stderr)
            sys.stdout.buffer.write(b"five\n")
            print("unfinished", end="")

        expected = [
            "info: one grüße 日本 🎬",
            "info: two",
            "info: three",
            "warn: four",
            "info: five",
            "info: unfinished",
        ]
        self.assertEqual(outcome(handler).logs, expected)

    def test_all_is_given_back(self):
        root = logging.getLogger()
        before = (root.handlers, root.level, sys.stdout, sys.stderr)
        outcome(raising(ValueError("odd")))
        self.assertEqual((root.handlers, root.level, sys.stdout, sys.stderr), before)

    def test_a_line_that_cannot_be_formatted_does_not_end_the_call(self):
        result = outcome(lambda event: logging.info("%d", "text"))
        self.assertEqual(result.outcome, "done")
        self.assertIn("warn: --- Logging error ---", result.logs)


class Settings(unittest.TestCase):
    def app(self):
        app = App("test")
        app.setting("greeting", default="hello", about="What it says.")
        app.setting("needed")
        app.on_webhook("greet")(lambda event: print(setting("greeting")))
        app.on_webhook("need")(lambda event: print(setting("needed")))
        return app

    def test_the_default_counts_where_nothing_is_granted(self):
        app, event = self.app(), testing.event("greet")
        self.assertEqual(testing.run(app, event).logs, ["info: hello"])
        self.assertEqual(testing.run(app, event, settings={"greeting": ""}).logs, ["info: "])
        self.assertEqual(setting("greeting"), "hello")

    def test_one_without_is_missed(self):
        app, event = self.app(), testing.event("need")
        self.assertEqual(testing.run(app, event, settings={"needed": "x"}).logs, ["info: x"])
        self.assertRegex(testing.run(app, event).why, "'needed'")


class Coroutines(unittest.TestCase):
    def test_they_run_to_their_end(self):
        async def handler(event):
            async def later(n):
                await asyncio.sleep(n / 1000)
                print(n)

            await asyncio.gather(later(2), later(1))
            raise Retry("soon")

        result = outcome(handler)
        self.assertEqual((result.logs, result.why), (["info: 1", "info: 2"], "soon"))

    def test_one_that_waits_for_nothing_is_told(self):
        async def handler(event):
            await asyncio.get_running_loop().create_future()

        with warnings.catch_warnings(action="ignore") if sys.version_info >= (3, 11) else warnings.catch_warnings():
            self.assertIn("waits for something that never comes", outcome(handler).why)

    def test_no_loop_is_needed_where_nobody_asks_for_one(self):
        loaded = sys.modules.pop("asyncio")
        try:

            async def handler(event):
                print("done")

            self.assertEqual(outcome(handler).logs, ["info: done"])
        finally:
            sys.modules["asyncio"] = loaded


if __name__ == "__main__":
    unittest.main()
