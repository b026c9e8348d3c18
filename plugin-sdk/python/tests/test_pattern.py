import unittest

from hookgate_plugin._pattern import matches, mistake


class Patterns(unittest.TestCase):
    def test_they_mean_what_the_contract_says(self):
        table = [
            ("file.ready", "file.ready", True),
            ("file.ready", "file.ready.now", False),
            ("file.*", "file.upload.completed", True),
            ("file.*", "files.ready", False),
            ("*", "", True),
            ("**", "anything.at/all", True),
            ("*.created", "comment.created", True),
            ("*.created", "comment.created.late", False),
            ("a*b*c", "a-b-b-c", True),
            ("a*b*c", "a-c-b", False),
            ("ab*ba", "aba", False),
            ("a*é*z", "a-é-z", True),
            ("a[b]?", "abc", False),
            ("frameio:file.*", "file.ready", True),
            ("studio:file.*", "file.ready", True),
            ("github:file.*", "file.ready", False),
            ("com.example:order", "com.example:order", True),
            ("Caps:*", "Caps:order", True),
        ]
        for pattern, event_type, expected in table:
            with self.subTest(pattern=pattern, event_type=event_type):
                self.assertEqual(matches(pattern, "studio", "frameio", event_type), expected)

    def test_what_the_gateway_would_refuse_is_refused(self):
        for pattern in ["", "two words", "tab\there", "bell\a", "x" * 257, ":push", "github:"]:
            with self.subTest(pattern=pattern):
                self.assertIsNotNone(mistake(pattern))
        for pattern in ["*", "github:push", "x" * 256, "größe.*"]:
            with self.subTest(pattern=pattern):
                self.assertIsNone(mistake(pattern))
