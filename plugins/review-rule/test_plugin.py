import unittest

from hookgate_plugin import testing
from plugin import app


class Comments(unittest.TestCase):
    def test_a_comment_of_the_client_is_a_warning(self):
        event = testing.event("comment.created", resource_id="c1", user_id="u2")
        result = testing.run(app, event, settings={"reviewers": "u1, u2"})
        self.assertEqual(result.outcome, "done")
        self.assertEqual(result.logs, ["warn: the client has created comment c1"])

    def test_any_other_comment_is_not(self):
        known = testing.event("comment.updated", resource_id="c1", user_id="u3")
        unknown = testing.event("comment.updated", resource_id="c1")
        logs = [testing.run(app, event, settings={"reviewers": "u1"}).logs for event in (known, unknown)]
        self.assertEqual(logs, [["info: u3 has updated comment c1"], ["info: somebody has updated comment c1"]])

    def test_a_comment_without_an_id_is_rejected(self):
        result = testing.run(app, testing.event("comment.created"))
        self.assertEqual((result.outcome, result.why), ("reject", "a comment without an id"))


if __name__ == "__main__":
    unittest.main()
