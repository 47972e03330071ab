"""``/events`` of a real server: over its tile lane, on its port."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClientConnection

from visiomatic_dask.pyramid.tiles import Box
from visiomatic_dask.readers import open_cube
from visiomatic_dask.server import serve
from visiomatic_dask.server.events import EventHub

from ..service import Service, serving
from .conftest import Sky
from .websockets import websocket

BOX = Box(0, 0, 256, 256)


@dataclass(frozen=True)
class Announcing:
    """A server, and what is said in it."""

    service: Service
    hub: EventHub
    loop: asyncio.AbstractEventLoop

    def say(self, what: Callable[[], None]) -> None:
        """Publish something, on the server's own loop; returns when that is done."""
        done = threading.Event()

        def publish() -> None:
            what()
            done.set()

        self.loop.call_soon_threadsafe(publish)
        assert done.wait(10)

    def exact(self, token: str, level: int) -> None:
        self.say(lambda: self.hub.exact(token, level, (0, 1), BOX))

    @asynccontextmanager
    async def listen(
        self, query: str, headers: dict[str, str] | None = None
    ) -> AsyncIterator[WebSocketClientConnection]:
        url = f"ws://{self.service.host}:{self.service.port}/events?{query}"
        async with websocket(url, headers) as socket:
            yield socket


def announcing(*arguments: Any, **settings_: Any) -> Iterator[Announcing]:
    found: list[tuple[EventHub, asyncio.AbstractEventLoop]] = []

    class Found(EventHub):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            found.append((self, asyncio.get_running_loop()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve, "EventHub", Found)
        with serving(*arguments, **settings_) as running:
            yield Announcing(running, *found[0])


@pytest.fixture(scope="module")
def server(cubes: Sky) -> Iterator[Announcing]:
    yield from announcing(cubes.folder, tile_threads=1, cors_origins=["https://a.example"])


@pytest.fixture(scope="module")
def tokens(cubes: Sky) -> dict[str, str]:
    """Tokens of layers, by name of the cube and the layer."""
    files = {name: open_cube(cubes.folder / name, name=name) for name in ("sky.fits", "layers.fits")}
    return {f"{name}/{layer.name}": layer.reader.token for name, cube in files.items() for layer in cube.layers}


async def heard(socket: WebSocketClientConnection) -> dict[str, Any]:
    text = await asyncio.wait_for(socket.read_message(), 10)
    assert isinstance(text, str), (text, socket.close_code, socket.close_reason)
    found: dict[str, Any] = json.loads(text)
    return found


async def refused(socket: WebSocketClientConnection) -> tuple[str, int | None]:
    """What an error says, and the code that the socket is closed with."""
    error = await heard(socket)
    assert set(error) == {"type", "msg"}
    assert error["type"] == "error"
    assert await asyncio.wait_for(socket.read_message(), 10) is None
    assert socket.close_reason is not None
    assert error["msg"].startswith(socket.close_reason)
    assert socket.close_reason
    return error["msg"], socket.close_code


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def test_hears_of_the_layer_that_it_watches(server: Announcing, tokens: dict[str, str]) -> None:
    fingerprint = server.service.ok("/cubes/layers.fits").json["fingerprint"]

    async def main() -> None:
        async with server.listen(f"cube=layers.fits&layer=SCI&v={fingerprint}") as socket:
            hello = await heard(socket)
            names = {"cube": "layers.fits", "layer": "SCI", "v": fingerprint}
            assert hello == {"id": hello["id"], "type": "hello", "boot": server.hub.boot, "builds": True, **names}
            server.exact(tokens["layers.fits/DQ"], 1)
            server.exact(tokens["layers.fits/SCI"], 2)
            place = {"level": 2, "planes": [0, 1], "box": [0, 0, 256, 256]}
            assert await heard(socket) == {"id": hello["id"] + 2, "type": "exact", **place, **names}
            await socket.write_message(json.dumps({"watch": {"cube": "layers.fits", "layer": "DQ", "v": fingerprint}}))
            assert (await heard(socket))["layer"] == "DQ"
            server.exact(tokens["layers.fits/SCI"], 3)
            server.exact(tokens["layers.fits/DQ"], 4)
            assert (await heard(socket))["level"] == 4
            await socket.write_message(json.dumps({"watch": {"cube": "sky.fits"}}))
            assert (await heard(socket))["cube"] == "sky.fits"
            server.exact(tokens["sky.fits/PRIMARY"], 5)
            assert (await heard(socket))["level"] == 5
        while server.hub.watched:
            await asyncio.sleep(0.01)

    run(main())


def test_nothing_is_left_of_who_has_gone_without_a_word(server: Announcing) -> None:
    async def main() -> None:
        async with server.listen("cube=sky.fits") as socket:
            await heard(socket)
            assert server.hub.watched
            assert socket.protocol is not None
            socket.protocol._abort()  # as a browser that crashes
            while server.hub.watched:
                await asyncio.sleep(0.01)

    run(main())


def test_resumes_or_is_told_to_look_anew(server: Announcing, tokens: dict[str, str]) -> None:
    async def main() -> None:
        token = tokens["sky.fits/PRIMARY"]
        async with server.listen("cube=sky.fits") as socket:
            boot = (await heard(socket))["boot"]
            server.exact(token, 1)
            last = (await heard(socket))["id"]
        for level in (2, 3):
            server.exact(token, level)
        async with server.listen(f"cube=sky.fits&since={boot}.{last}") as socket:
            messages = [await heard(socket) for _ in range(3)]
            assert [(one["type"], one.get("level"), one["id"]) for one in messages] == [
                ("hello", None, last), ("exact", 2, last + 1), ("exact", 3, last + 2),
            ]  # fmt: skip
        for since in (f"0123456789abcdef.{last}", f"{boot}.{last + 1000}", "x", quote("💥")):
            async with server.listen(f"cube=sky.fits&since={since}") as socket:
                assert [(await heard(socket))["type"] for _ in range(2)] == ["hello", "reset"]
                server.exact(token, 4)
                assert (await heard(socket))["level"] == 4

    run(main())


@pytest.mark.parametrize(
    ("query", "code", "says"),
    [
        ("", 4400, "cube is missing"),
        ("cube=sky.fits&colour=red", 4400, "colour is not a key of this request"),
        ("cube=none.fits", 4404, "none.fits"),
        ("cube=notes.txt", 4404, "notes.txt"),
        ("cube=../../etc/passwd", 4404, "allowed"),
        ("cube=layers.fits&layer=NONE", 4400, "NONE"),
        ("cube=sky.fits&v=0123", 4409, "its file has changed"),
    ],
)
def test_what_cannot_be_watched_is_said(server: Announcing, query: str, code: int, says: str) -> None:
    async def main() -> None:
        async with server.listen(query) as socket:
            message, found = await refused(socket)
        assert found == code
        assert says in message

    run(main())


GOOD = {"watch": {"cube": "sky.fits"}}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("", 4400), ("nonsense", 4400), ("null", 4400), ("[]", 4400), ("{}", 4400), ('{"watch": "sky.fits"}', 4400),
        ('{"watch": {"cube": 5}}', 4400), ('{"watch": {"cube": null}}', 4400), ('{"watch": {}}', 4400),
        ('{"watch": {"cube": "none.fits"}}', 4404), ('{"watch": {"cube": "sky.fits", "v": "0"}}', 4409),
        ('{"watch": {"cube": "sky.fits", "since": "0"}}', 4400), (json.dumps({**GOOD, "more": 1}), 4400),
        ("[" * 10_000, 4400), (b"\xff\xfe\x00", 4400), ('{"watch": {"cube": "\\u0000"}}', 4404),
    ],
)  # fmt: skip
def test_messages_that_mean_nothing_close_the_socket_with_a_reason(
    server: Announcing, sent: str | bytes, code: int
) -> None:
    async def main() -> None:
        async with server.listen("cube=sky.fits") as socket:
            assert (await heard(socket))["type"] == "hello"
            await socket.write_message(sent, binary=isinstance(sent, bytes))
            message, found = await refused(socket)
            assert message
            assert found == code

    run(main())


@given(
    st.one_of(
        st.text(max_size=60), st.dictionaries(st.sampled_from(["watch", "x"]), st.text(max_size=5)).map(json.dumps)
    )
)
@settings(max_examples=30)
def test_whatever_is_sent_the_server_goes_on(server: Announcing, sent: str) -> None:
    async def main() -> None:
        async with server.listen("cube=sky.fits") as socket:
            assert (await heard(socket))["type"] == "hello"
            await socket.write_message(sent)
            assert (await refused(socket))[1] in (4400, 4404)

    run(main())


def test_what_is_too_long_is_not_read(server: Announcing) -> None:
    async def main() -> None:
        async with server.listen("cube=sky.fits") as socket:
            await heard(socket)
            await socket.write_message("x" * 20_000)
            assert await asyncio.wait_for(socket.read_message(), 10) is None
            assert socket.close_code == 1009

    run(main())


def test_only_pages_of_this_server_and_of_the_list_may_listen(server: Announcing) -> None:
    own = f"http://{server.service.host}:{server.service.port}"

    async def main() -> None:
        for origin in (own, "https://a.example"):
            async with server.listen("cube=sky.fits", {"Origin": origin}) as socket:
                assert (await heard(socket))["type"] == "hello"
        for origin in ("https://b.example", "null", own + "1", f"{own}.example", "https://a.example.org", "x" * 500):
            for more in ({}, {"Sec-Fetch-Site": "cross-site"}):
                with pytest.raises(HTTPClientError) as caught:
                    async with server.listen("cube=sky.fits", {"Origin": origin, **more}):
                        pass
                assert caught.value.code == 403

    run(main())
    refusal = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": "https://b.example"}  # fmt: skip
    answer = server.service.get("/events?cube=sky.fits", refusal)
    assert answer.status == 403
    assert "https://b.example" in answer.message


def test_plain_requests_are_told_what_is_meant(server: Announcing) -> None:
    answer = server.service.get("/events?cube=sky.fits")
    assert answer.status == 426
    assert "WebSocket" in answer.message
    assert server.service.get("/events", method="POST").status == 405


def test_tells_who_listens_that_it_ends(cubes: Sky) -> None:
    async def main() -> None:
        generator = announcing(cubes.folder / "small.fits", tile_threads=1, pyramid="memory")
        server = await asyncio.to_thread(next, generator)
        async with server.listen("cube=small.fits") as socket:
            assert (await heard(socket))["builds"] is True  # drafts need no store
            ended = asyncio.create_task(asyncio.to_thread(next, generator, None))
            assert await asyncio.wait_for(socket.read_message(), 10) is None
            assert socket.close_code == 1001
            await ended

    run(main())
