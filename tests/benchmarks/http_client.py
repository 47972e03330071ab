"""A keep-alive HTTP/1.1 connection as a browser has six of: one request at a time, closed to abort it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECTIONS = 6  # of a browser to one server
_LONGEST_HEAD = 64 * 1024


class BrokenAnswer(Exception):
    """The connection closed in the middle of an answer, or what came was not HTTP."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes
    ----------
    status : int
        The status.
    headers : dict of str to str
        By name in lower case.
    body : bytes
        The body.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_picture(self) -> bool:
        """Whether it is a JPEG that begins and ends as one."""
        return self.status == 200 and self.body.startswith(b"\xff\xd8") and self.body.endswith(b"\xff\xd9")

    @property
    def may_try_again(self) -> bool:
        """Whether a busy server says when to come back."""
        return self.status == 503 and "retry-after" in self.headers


class Connection:
    """One connection, opened when it is first needed and after it was closed.

    Parameters
    ----------
    url : str
        Address of the server; a path is ignored.

    Attributes
    ----------
    reopened : int
        How often the server had closed it while it was idle, which any server may.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.reopened = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, headers: str = "") -> Answer:
        """Ask, and read the answer. Cancelling closes the connection, as a browser does that aborts a request.

        Parameters
        ----------
        path : str
            Path and query.
        headers : str
            More headers, each ended by ``\\r\\n``.

        Raises
        ------
        BrokenAnswer
            If the answer does not come in full.
        OSError
            If the server cannot be reached.
        """
        request = f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n{headers}\r\n".encode("ascii")
        try:
            if self._streams is not None:
                try:
                    return await self._exchange(*self._streams, request)
                except _ClosedIdle:
                    self.close()
                    self.reopened += 1
            self._streams = await asyncio.open_connection(self.host, self.port, limit=_LONGEST_HEAD)
            return await self._exchange(*self._streams, request)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Answer:
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise _ClosedIdle("closed without an answer") from error
            raise BrokenAnswer("closed within the headers") from error
        except ConnectionError as error:
            raise _ClosedIdle(str(error)) from error
        except asyncio.LimitOverrunError as error:
            raise BrokenAnswer("headers without an end") from error
        status, headers = _parse(head)
        length = headers.get("content-length", "0" if status in (204, 304) else "")
        try:
            if headers.get("transfer-encoding", "").lower() == "chunked":
                body = await _chunks(reader)
            elif length.isdigit():
                body = await reader.readexactly(int(length))
            else:
                raise BrokenAnswer("neither a content length nor chunks")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError) as error:
            raise BrokenAnswer("closed within the body") from error
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body)


class _ClosedIdle(BrokenAnswer):
    """Not one byte came: on a connection used before, that is the server closing it as the request was sent."""


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """Read a body of which each part says how long it is (RFC 9112, section 7.1)."""
    parts: list[bytes] = []
    while True:
        size, _, _ = (await reader.readuntil(b"\r\n")).strip().partition(b";")
        try:
            length = int(size, 16)
        except ValueError as error:
            raise BrokenAnswer(f"no length of a chunk: {size!r}") from error
        if length == 0:
            while (await reader.readuntil(b"\r\n")) != b"\r\n":
                pass  # trailers
            return b"".join(parts)
        parts.append(await reader.readexactly(length))
        await reader.readexactly(2)


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    try:
        status = int(first.split(" ", 2)[1])
    except (IndexError, ValueError) as error:
        raise BrokenAnswer(f"no HTTP: {first!r}") from error
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return status, headers


@dataclass(frozen=True)
class Timed:
    """An answer, when its request was sent and its last byte came, by `time.perf_counter`, and to which path."""

    answer: Answer
    began: float
    ended: float
    path: str

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


async def fetch_all(connections: Sequence[Connection], paths: Iterable[str], headers: str = "") -> list[Timed]:
    """Ask for several paths in order over a few connections, each taking the next when it is free."""
    left = iter(paths)
    found: list[Timed] = []

    async def take_turns(connection: Connection) -> None:
        for path in left:
            began = time.perf_counter()
            answer = await connection.get(path, headers)
            found.append(Timed(answer, began, time.perf_counter(), path))

    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(take_turns(connection))
    return found
