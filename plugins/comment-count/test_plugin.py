import unittest

from hookgate_plugin import testing
from plugin import app


def comment(**fields):
    return testing.event("comment.created", provider="frameio", **fields)


class Comments(unittest.TestCase):
    def test_each_project_has_a_count_of_its_own(self):
        state = testing.State()
        for project in ("p1", "p2", "p1"):
            result = testing.run(app, comment(project_id=project), state=state)
            self.assertEqual((result.outcome, result.emitted), ("done", []))
        self.assertEqual(result.logs, ["info: project p1 has 2 comments"])
        self.assertEqual(state.values, {"comments:p1": b"2", "comments:p2": b"1"})

    def test_a_project_that_reaches_the_limit_is_told_once(self):
        state = testing.State()
        runs = [testing.run(app, comment(project_id="p1"), state=state, settings={"limit": 2}) for _ in range(4)]
        self.assertEqual([len(run.emitted) for run in runs], [0, 1, 0, 0])
        (busy,) = runs[1].emitted
        self.assertEqual((busy.source, busy.type), ("plugin:comment-count", "review.busy"))
        self.assertEqual((busy.resource_id, busy.json()), ("p1", {"project_id": "p1", "count": 2}))

    def test_the_limit_is_ten_unless_the_operator_says_so(self):
        for before, emitted in ((8, 0), (9, 1)):
            result = testing.run(app, comment(project_id="p1"), state=testing.State({"comments:p1": before}))
            self.assertEqual(len(result.emitted), emitted)

    def test_a_comment_without_a_project_is_rejected_and_not_counted(self):
        state = testing.State()
        result = testing.run(app, comment(resource_id="c1"), state=state)
        self.assertEqual((result.outcome, result.why), ("reject", "a comment without a project"))
        self.assertEqual(state.values, {})


if __name__ == "__main__":
    unittest.main()
