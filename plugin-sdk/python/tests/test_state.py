import unittest
from datetime import timedelta

from hookgate_plugin import App, PowerError, Reject, Retry, state, testing


def run(handler, kept=None):
    """What becomes of an event that a handler with a state gets."""
    app = App("test")
    app.uses_state()
    app.on_webhook("*")(handler)
    return testing.run(app, testing.event("x"), state=kept)


class States(unittest.TestCase):
    def test_values_are_bytes_text_or_json(self):
        def handler(event):
            state.set("bytes", b"\x00\xff")
            state.set("text", "grüße")
            state.set("json", {"n": [1, None]})
            print(state.get("bytes"), state.get_text("text"), state.get_json("json"))
            print(state.get("none"), state.get_text("none"), state.get_json("none"))
            state.delete("text")
            state.delete("none")
            print(state.get("text"))
            state.set("ü" * 256, "")

        result = run(handler)
        expected = ["info: b'\\x00\\xff' grüße {'n': [1, None]}", "info: None None None", "info: None"]
        self.assertEqual((result.outcome, result.logs), ("done", expected))

    def test_keys_come_in_order_and_in_parts(self):
        def handler(event):
            print(state.keys())
            print(state.keys("a:"))
            print(state.keys("a:", after="a:1", limit=1))
            print(state.keys(limit=-1), len(state.keys("n", limit=5000)))

        kept = testing.State({"b": "", "a:2": "", "a:10": "", "a:1": "", "ü": ""})
        self.assertEqual(run(handler, kept).logs[:3], [
            "info: ['a:1', 'a:10', 'a:2', 'b', 'ü']",
            "info: ['a:1', 'a:10', 'a:2']",
            "info: ['a:10']",
        ])  # fmt: skip
        many = testing.State({f"n{n}": "" for n in range(1001)})
        self.assertEqual(run(handler, many).logs[3], "info: [] 1000")

    def test_numbers_are_decimal_text(self):
        def handler(event):
            print(state.increment("n"), state.increment("n", 41), state.get("n"), state.increment("n", -50))
            state.set("n", 5)
            print(state.increment("n"))

        self.assertEqual(run(handler).logs, ["info: 1 42 b'42' -8", "info: 6"])
        table = [
            ("x", 1, "no number"),
            ("", 1, "no number"),
            (" 1", 1, "no number"),
            ("1_0", 1, "no number"),
            ("0", 1 << 63, "64 bits"),
            ((1 << 63) - 1, 1, "out of range"),
            (-(1 << 63), -1, "out of range"),
        ]
        for value, by, why in table:
            with self.subTest(value=value, by=by):
                result = run(lambda event, by=by: state.increment("n", by), testing.State({"n": value}))
                self.assertEqual(result.outcome, "reject")
                self.assertIn(why, result.why)
        signed = run(lambda event: print(state.increment("n", -5)), testing.State({"n": "+7"}))
        self.assertEqual(signed.logs, ["info: 2"])

    def test_one_of_several_who_set_the_same_wins(self):
        def handler(event):
            print(state.compare_and_set("k", None, "one"), state.compare_and_set("k", None, "two"))
            print(state.compare_and_set("k", "one", "three"), state.get("k"))

        self.assertEqual(run(handler).logs, ["info: True False", "info: True b'three'"])

    def test_what_is_kept_for_a_while_goes(self):
        kept = testing.State()

        def handler(event):
            state.set("short", "", keep=1.5)
            state.set("long", "", keep=timedelta(days=1))
            state.increment("sum")
            state.compare_and_set("once", None, "", keep=1)

        run(handler, kept)
        self.assertEqual(set(kept.values), {"short", "long", "sum", "once"})
        kept.advance(1)
        self.assertEqual(set(kept.values), {"short", "long", "sum"})
        kept.advance(timedelta(seconds=1))
        self.assertEqual(set(kept.values), {"long", "sum"})
        kept.advance(timedelta(days=1))
        self.assertEqual(kept.values, {"sum": b"1"})
        self.assertEqual(run(lambda event: print(state.get("long"), state.keys()), kept).logs, ["info: None ['sum']"])

    def test_it_is_there_the_next_time_and_forgotten_where_the_handler_fails(self):
        kept = testing.State()
        for error, expected in (
            (None, b"1"),
            (Reject("no"), b"1"),
            (Retry("no"), b"1"),
            (ValueError(), b"1"),
            (None, b"2"),
        ):

            def handler(event, error=error):
                print(state.increment("n"))
                state.set(f"left by {error!r}", "")
                if error:
                    raise error
                state.delete(f"left by {error!r}")

            with self.subTest(error=error):
                self.assertNotEqual(run(handler, kept).logs, [])
                self.assertEqual(kept.values, {"n": expected})

    def test_it_is_asked_for_and_used_in_handlers_only(self):
        app = App("test")
        app.on_webhook("*")(lambda event: state.get("k"))
        result = testing.run(app, testing.event("x"))
        self.assertEqual((result.outcome, result.logs), ("retry", []))
        self.assertIn("app.uses_state()", result.why)
        with self.assertRaisesRegex(PowerError, "no gateway here") as raised:
            state.get("k")
        self.assertEqual(raised.exception.kind, "denied")

    def test_what_no_gateway_takes_is_told(self):
        table = [
            (lambda event: state.get(5), "TypeError: this is not text: 5"),
            (lambda event: state.set("k", None), "TypeError: `None` is no value"),
            (lambda event: state.set("k", object()), "not JSON serializable"),
            (lambda event: state.keys(limit="many"), "TypeError"),
            (lambda event: state.set("", "x"), "a key has 1 to 512 bytes, and this has 0"),
            (lambda event: state.get("ü" * 256 + "x"), "and this has 513"),
            (lambda event: state.get_json("word"), "JSONDecodeError"),
        ]
        for handler, why in table:
            with self.subTest(why=why):
                result = run(handler, testing.State({"word": "x"}))
                self.assertNotEqual(result.outcome, "done")
                self.assertIn(why, result.why)


class PowerErrors(unittest.TestCase):
    def test_they_are_tried_again_but_for_what_makes_no_sense(self):
        kinds = ["denied", "invalid", "limit", "busy", "timeout", "failed"]
        for kind in kinds:

            def handler(event, kind=kind):
                raise PowerError(kind, "the reason")

            with self.subTest(kind=kind):
                result = run(handler)
                expected = "reject" if kind == "invalid" else "retry"
                self.assertEqual(
                    (result.outcome, result.why, result.after, result.logs), (expected, "the reason", None, [])
                )

    def test_one_that_is_caught_says_what_it_is(self):
        def handler(event):
            try:
                state.set("", "")
            except PowerError as error:
                print(error.kind, "|", error.why, "|", error)

        why = "a key has 1 to 512 bytes, and this has 0"
        self.assertEqual(run(handler).logs, [f"info: invalid | {why} | {why}"])


if __name__ == "__main__":
    unittest.main()
