import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hookgate_plugin import _build


class Builds(unittest.TestCase):
    def test_what_cannot_be_a_plugin_is_told_at_once(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("random.py", "wit_world.py", "plugin.txt"):
                file = Path(folder, name)
                file.touch()
                with self.subTest(name=name), self.assertRaisesRegex(_build.BuildError, "cannot be imported"):
                    _build.build(file)
            with self.assertRaisesRegex(_build.BuildError, "there is no"):
                _build.build(Path(folder, "plugin.py"))

    def test_a_component_finds_this_package_and_not_the_standard_library(self):
        folders = [Path(folder) for folder in _build._installed()]
        self.assertTrue(any((folder / "hookgate_plugin").is_dir() for folder in folders))
        self.assertFalse(any((folder / "logging").is_dir() for folder in folders))


class Worlds(unittest.TestCase):
    def built_for(self, source, responds, mistake=None):
        """The worlds that a module is tried in, where its app responds or does not."""
        worlds = []

        def componentize(world, entry, folder, made):
            worlds.append(world)
            other = (world == "responding-plugin") != responds
            report = {"name": "test", "said": [f"warn: run {len(worlds)}"], "other_world": other}
            if mistake and not other:
                report["failed"] = mistake
            entry.with_name("report.json").write_text(json.dumps(report))
            made.write_text(world)
            return RuntimeError("failed") if other or mistake else None

        with tempfile.TemporaryDirectory() as folder, mock.patch.object(_build, "_componentize", componentize):
            file = Path(folder, "plugin.py")
            file.write_text(source)
            with contextlib.redirect_stderr(io.StringIO()) as said:
                made = _build.build(file)
            self.assertEqual(made.read_text(), worlds[-1])
        self.assertEqual(said.getvalue(), f"warn: run {len(worlds)}\n")
        return worlds

    def test_an_app_is_built_for_its_own(self):
        self.assertEqual(self.built_for("@app.on_webhook('x')", False), ["plugin"])
        self.assertEqual(self.built_for("@app.respond('x')", True), ["responding-plugin"])

    def test_where_the_text_misleads_it_is_built_once_more(self):
        self.assertEqual(self.built_for("# no app.respond('x') here", False), ["responding-plugin", "plugin"])
        self.assertEqual(self.built_for("from elsewhere import app", True), ["plugin", "responding-plugin"])

    def test_a_mistake_is_told_once(self):
        with self.assertRaisesRegex(_build.BuildError, "two apps"):
            self.built_for("from elsewhere import app", True, mistake="two apps")


if __name__ == "__main__":
    unittest.main()
