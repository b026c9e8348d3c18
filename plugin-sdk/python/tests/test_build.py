import tempfile
import unittest
from pathlib import Path

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
