"""The command `hookgate-plugin`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from ._build import BuildError, build


def main() -> int:
    """Reads the command line and does what it says."""
    parser = argparse.ArgumentParser(prog="hookgate-plugin", description="Builds plugins for the gateway Hookgate.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("build", help="make a .wasm file of a plugin")
    command.add_argument("file", nargs="?", type=Path, default=Path("plugin.py"), help="where the app is (plugin.py)")
    command.add_argument("-o", "--out", type=Path, help="where to put it (NAME.wasm beside the module)")
    given = parser.parse_args()
    begun = time.monotonic()
    try:
        made = build(given.file, given.out)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    size = made.stat().st_size / 1_000_000
    print(f"{made.name}: {size:.1f} MB, built in {time.monotonic() - begun:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
