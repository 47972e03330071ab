"""The unmodified web client of VisiOmatic 3, from its wheel, in front of our server.

Its page and files are handed to the browser under our server's own origin, so that its requests to ``/api`` are real.
The one thing changed is the stylesheet of Leaflet, which its page takes from another host: here it comes from our own
client's Leaflet.
"""

from __future__ import annotations

import mimetypes
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import jinja2
import pytest
from playwright.sync_api import Page, Route

_ROOT = Path(__file__).parents[2]
_VERSION = "3.0.7"


class StockClient:
    """The client's files, and a way to open its page.

    Parameters
    ----------
    wheel : Path
        The wheel ``visiomatic-3.0.7``.
    """

    def __init__(self, wheel: Path) -> None:
        self._wheel = zipfile.ZipFile(wheel)

    @classmethod
    def fetch(cls) -> StockClient:
        """Take the wheel from the cache, or from the package registry; skip where neither has it (but not in CI)."""
        folder = _ROOT / ".cache" / "wheels"
        found = list(folder.glob(f"[vV]isi[oO]matic-{_VERSION}-*.whl"))
        if not found:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
            answer = subprocess.run(
                [*command, f"visiomatic=={_VERSION}"], check=False, capture_output=True, text=True, timeout=300
            )
            found = list(folder.glob(f"[vV]isi[oO]matic-{_VERSION}-*.whl"))
            if not found:
                message = f"the wheel of VisiOmatic {_VERSION} is not to be had: {answer.stderr.strip()[-300:]}"
                if os.environ.get("CI") == "true":
                    pytest.fail(message)
                pytest.skip(message)
        return cls(found[0])

    def open(self, page: Page, server: str, query: str) -> None:
        """Open the client's page on a cube: ``image=…&mode=…``."""
        page.route(re.compile(r".*/client/.*"), self._file)
        page.route(re.compile(r".*/leaflet\.css$"), self._stylesheet)
        page.route(re.compile(r".*/stock\?.*"), self._page)
        page.goto(f"{server}stock?{query}")

    def _page(self, route: Route) -> None:
        template = jinja2.Template(self._read("templates/base.html").decode(), autoescape=True)
        html = template.render(root_path="", api_path="/api", doc_url="", image="none.fits")
        link = '<link rel="stylesheet" href="/leaflet.css">'
        html, count = re.subn(r'<link rel="stylesheet" href="https?://[^>]*>', link, html)
        assert count == 1
        route.fulfill(body=html, content_type="text/html")

    def _file(self, route: Route) -> None:
        path = "client/" + route.request.url.split("/client/", 1)[1].split("?")[0]
        try:
            body = self._read(path)
        except KeyError:
            route.fulfill(status=404, body="")
            return
        route.fulfill(body=body, content_type=mimetypes.guess_type(path)[0] or "application/octet-stream")

    def _stylesheet(self, route: Route) -> None:
        sheet = _ROOT / "client" / "node_modules" / "leaflet" / "dist" / "leaflet.css"
        route.fulfill(body=sheet.read_bytes(), content_type="text/css")

    def _read(self, path: str) -> bytes:
        return self._wheel.read(f"visiomatic/{path}")
