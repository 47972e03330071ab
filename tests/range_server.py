"""A web server on the loopback interface that sends files of a folder, by ranges, and keeps what it was asked for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class RangeServer:
    """What is served, how, and what was asked for.

    Attributes
    ----------
    folder : Path
        Files by their names below it.
    ranges : bool
        Whether ranges are honoured; else the whole file is sent, as many servers do.
    status : dict
        Status by path, for what is refused.
    moved, moved_gets : dict
        Where a path is sent on to; the latter when the file is asked for, not about.
    requests : list of (method, path, range)
        All requests.
    sent : int
        Bytes of bodies.
    url : str
        Where it listens.
    meet : threading.Barrier or None
        Ranges wait here for each other: they are answered when as many as that are there at the same time.
    """

    folder: Path
    ranges: bool = True
    status: dict[str, int] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    moved_gets: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    sent: int = 0
    url: str = ""
    meet: threading.Barrier | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, state: RangeServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def state(self) -> RangeServer:
        assert isinstance(self.server, _Server)
        return self.server.state

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        if self.state.meet is not None and self.headers.get("Range"):
            self.state.meet.wait(10)
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        state, path, asked = self.state, unquote(urlsplit(self.path).path), self.headers.get("Range")
        state.requests.append((self.command, path, asked))
        file = state.folder / path.lstrip("/")
        moved = state.moved | (state.moved_gets if body else {})
        if path in moved:
            self._empty(302, Location=moved[path])
        elif path in state.status or not file.is_file():
            self._empty(state.status.get(path, 404))
        else:
            self._send(file, asked if state.ranges else None, body=body)

    def _send(self, file: Path, asked: str | None, *, body: bool) -> None:
        data, times = file.read_bytes(), file.stat()
        first, last = 0, len(data) - 1
        if asked:
            low, _, high = asked.removeprefix("bytes=").partition("-")
            first, last = int(low), min(int(high or last), last)
            if first > last:
                self._empty(416)
                return
        part = data[first : last + 1]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("ETag", f'"{times.st_mtime_ns:x}-{len(data):x}"')
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.end_headers()
        if body:
            with contextlib.suppress(ConnectionError):  # who has seen enough hangs up
                self.wfile.write(part)
                with self.state.lock:
                    self.state.sent += len(part)

    def _empty(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def range_server(folder: Path) -> Iterator[RangeServer]:
    """Serve a folder until the block is left."""
    state = RangeServer(folder)
    server = _Server(state)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
