"""The tile lane answers exactly what the handlers answer: only quicker."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import HTTPResponse

import pytest

from ..service import Response, Service, serving
from .conftest import Sky

STYLES = ["CHAN=1", "CHAN=2&GAM=1.1&INV", "MIX=1:1,0,0&MIX=3:0,0.5,1", "CNT=1.5"]


@pytest.fixture
def fresh(cubes: Sky) -> Iterator[Service]:
    """Give a server that knows no picture yet."""
    with serving(cubes.folder, tile_threads=1, cors_origins=["https://a.example"]) as running:
        yield running


def test_what_the_handler_answers_first_the_lane_answers_again(fresh: Service) -> None:
    fingerprint = fresh.ok("/cubes/sky.fits").json["fingerprint"]
    paths = [f"/api?FIF=sky.fits&{style}&JTL=1,0" for style in STYLES]
    paths += [f"/api?FIF=sky.fits&{style}&QLT=80&JTL=0,0&BRT=3" for style in STYLES]
    for suffix in ("jpg", "png", "jpeg"):
        path = f"/cubes/sky.fits/tiles/2/0/1.{suffix}"
        paths += [path, f"{path}?channel=1", f"{path}?mix=0:1,0,0&mix=1:0,1,0", f"{path}?v={fingerprint}"]
    paths += ["/cubes/sub/four.fits/tiles/0/0/0.png?channel=7", "/cubes/sub%2Ffour.fits/tiles/0/0/0.png?channel=7"]
    for path in paths:
        for headers in ({}, {"Origin": "https://a.example"}, {"Origin": "https://b.example"}):
            assert fresh.ok(path, headers).compared == fresh.ok(path, headers).compared, path
        etag = {"If-None-Match": fresh.ok(path).headers["ETag"]}
        assert fresh.get(path, etag).status == 304


def test_304_is_the_same_either_way(fresh: Service) -> None:
    path = "/cubes/sky.fits/tiles/2/0/0.jpg?channel=1"
    etag = {"If-None-Match": fresh.ok(path).headers["ETag"]}
    # A query the lane does not know of leads to the handler, though the picture is the same
    first = fresh.get(f"{path}&gamma=2.2", etag)
    second = fresh.get(f"{path}&gamma=2.2", etag)
    assert first.status == 304
    assert first.compared == second.compared


@pytest.mark.parametrize(
    "path",
    [
        "/api?FIF=sky.fits&CHAN=1&JTL={}",
        "/api?FIF=sky.fits&JTL={}&%4ATL=2,1",
        "/api?FIF=sky.fits&JTL={}&J%54L=x",
        "/api?FIF=sky.fits&JTL={}&JTL=2,2",
        "/api?FIF=sky.fits&JTL={}&FIF=sub/four.fits",
        "/api?FIF=sky.fits&CHAN=1&JTL={}&INFO",
        "/api?FIF=sky.fits&CHAN=1&%49NFO&JTL={}",
        "/api?FIF=sky.fits&CHAN=1&JTL={}&VAL=1,1",
    ],
)
def test_the_second_answer_is_the_first_however_it_is_asked(fresh: Service, path: str) -> None:
    for place in ("2,0", "2,1", "0,0", "9,9"):
        first, *others = (fresh.get(path.format(place)).compared for _ in range(3))
        assert others == [first, first]


def test_errors_after_a_picture_is_known(fresh: Service) -> None:
    ok = "/cubes/sky.fits/tiles/2/0/0.jpg?channel=1"
    assert fresh.ok(ok).compared == fresh.ok(ok).compared
    for path in (ok.replace("/2/0/0", "/2/0/9"), ok.replace("/2/", "/9/"), ok.replace(".jpg", ".gif")):
        first, second = fresh.get(path), fresh.get(path)
        assert first.status == 400
        assert first.compared == second.compared
    assert fresh.get(ok, method="POST").status == 405


def exchange(service: Service, sent: bytes) -> list[Response]:
    """Send bytes on one connection; read answers until it is closed."""
    answers: list[Response] = []
    with socket.create_connection((service.host, service.port), timeout=30) as connection:
        connection.sendall(sent)
        with connection.makefile("rb") as file:
            while True:
                answer = HTTPResponse(_Pretended(file))  # type: ignore[arg-type] # it asks for makefile alone
                try:
                    answer.begin()
                except ConnectionError:
                    return answers
                answers.append(Response(answer.status, answer.headers, answer.read()))


class _Pretended:
    """Lets `HTTPResponse` read on and on from one file."""

    def __init__(self, file: object) -> None:
        self._file = file

    def makefile(self, _mode: str) -> object:
        return _Kept(self._file)


class _Kept:
    def __init__(self, file: object) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def close(self) -> None:
        """Leave the file open for the next answer."""


def request(path: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/{version}", "Host: x", *headers, "", ""]).encode()


def test_pipelined_requests_are_answered_in_order(fresh: Service) -> None:
    paths = [f"/api?FIF=sky.fits&CHAN={channel}&JTL={place}" for channel in (1, 2) for place in ("3,0", "3,6", "1,0")]
    paths.insert(3, "/health")
    paths.insert(5, "/api?FIF=sky.fits&CHAN=1&JTL=9,9")
    expected = [fresh.get(path).compared for path in paths]
    sent = b"".join(map(request, paths[:-1])) + request(paths[-1], "Connection: close")
    for _ in range(2):
        answers = exchange(fresh, sent)
        assert [answer.status for answer in answers] == [one[0] for one in expected]
        assert [answer.body for answer in answers] == [one[2] for one in expected]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_connection_is_closed_when_asked(fresh: Service, version: str) -> None:
    path = "/api?FIF=sky.fits&CHAN=1&JTL=0,0"
    first, second = (exchange(fresh, request(path, "Connection: close", version=version)) for _ in range(2))
    assert [one.compared for one in first] == [one.compared for one in second]
    assert len(first) == 1
    kept = exchange(fresh, request(path) + request(path, "Connection: close"))
    assert len(kept) == 2


def test_closed_connections_do_no_harm(fresh: Service) -> None:
    path = "/api?FIF=sky.fits&CHAN=1&GAM={}&JTL={}"
    for number in range(30):
        fresh.ok(path.format(1, "0,0"))
        with socket.create_connection((fresh.host, fresh.port)) as connection:
            connection.sendall(request(path.format(1, f"3,{number % 20}")))
            connection.sendall(request(path.format(1 + number / 100, "3,0")))
    assert fresh.ok(path.format(1, "3,3")).body
