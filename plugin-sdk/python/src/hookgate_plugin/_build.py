"""From an author's module to a component."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent

# Beside the standard library's, names that stand for something else in the component.
_TAKEN = {"hookgate_plugin", "wit_world", "componentize_py_types", "componentize_py_runtime", "poll_loop"}

# What the component begins with. It leaves in its folder, `/0`, what the command is to know.
_ENTRY = """\
import json, sys, traceback

# The author's folder, `/1`, stays as it is.
sys.dont_write_bytecode = True

from hookgate_plugin import _guest

said = []
try:
    plugin = _guest.Plugin({module!r}, said)
    report = {{"name": plugin.name, "said": said}}
except BaseException as error:
    report = {{"failed": _guest.told(error), "said": said, "other_world": isinstance(error, _guest.OtherWorld)}}
    raise
finally:
    with open("/0/report.json", "w") as file:
        json.dump(report, file)


def Handler():
    return plugin


Responder = Handler
"""

# What is looked for in a module that is yet to be run. Where it misleads, the build is done once more.
_RESPONDS = ".respond("


class BuildError(Exception):
    """Why there is no component."""


def build(file: Path, out: Path | None = None) -> Path:
    """Makes a component of an author's module. Without a place for it, it goes beside the module, named by its app."""
    file = file.resolve()
    if not file.is_file():
        raise BuildError(f"there is no {file}")
    if file.suffix != ".py" or file.stem in sys.stdlib_module_names | _TAKEN:
        raise BuildError(f"{file.name} cannot be imported under this name: plugin.py is a good one")
    with tempfile.TemporaryDirectory(prefix="hookgate-plugin-") as folder:
        entry = Path(folder, "hookgate_entry.py")
        entry.write_text(_ENTRY.format(module=file.stem), encoding="utf-8")
        made = Path(folder, "made.wasm")
        report = _in_its_world(entry, file, made)
        out = out or file.parent / f"{report['name']}.wasm"
        _place(made, out)
    return out


def _in_its_world(entry: Path, file: Path, made: Path) -> dict[str, Any]:
    """Makes a component that exports a responder if the app has one, which is known for sure when it has run."""
    worlds = ["plugin", "responding-plugin"]
    if _RESPONDS in file.read_text(encoding="utf-8", errors="replace"):
        worlds.reverse()
    for world in worlds:
        failed = _componentize(world, entry, file.parent, made)
        report = _report(entry)
        if not report.get("other_world"):
            break
    for line in report.get("said", []):
        print(line, file=sys.stderr)
    if failed:
        raise BuildError(report.get("failed") or str(failed)) from failed
    return report


def _componentize(world: str, entry: Path, folder: Path, made: Path) -> BaseException | None:
    """Runs the author's module inside a component and keeps what became of it, which takes some seconds."""
    import componentize_py  # type: ignore[import-untyped]

    wit = str(_HERE / "plugin.wit")
    # In this order they are `/0`, `/1` and so on. WASI is not stubbed: through it Python's clock, randomness and files behave.
    search = [str(entry.parent), str(folder), *_installed()]
    interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        componentize_py.componentize(
            [wit], [world], [], False, None, search, [], entry.stem, str(made), False, [], [], False, None
        )
    except BaseException as error:  # A panic in there is no Exception.
        return error
    finally:
        signal.signal(signal.SIGINT, interrupt)
    return None


def _report(entry: Path) -> dict[str, Any]:
    """What the component left, which is taken away so that nobody takes it for the next one's."""
    left = entry.with_name("report.json")
    try:
        report: dict[str, Any] = json.loads(left.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    left.unlink()
    return report


def _installed() -> list[str]:
    """The folders with this package and with all that pip has installed: pure Python works in a component too."""
    own = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    # The first is where the command is, or where it was typed.
    others = [path for path in sys.path[1:] if Path(path).is_dir() and path not in own]
    folders = [str(_HERE.parent), *(path for path in others if Path(path).name != "lib-dynload")]
    return list(dict.fromkeys(folders))


def _place(made: Path, out: Path) -> None:
    """Puts a file where a gateway may look, whole from the first moment."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    shutil.copyfile(made, part)
    os.replace(part, out)
