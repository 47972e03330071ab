"""Coordinates over HTTP: positions both ways, in batches and one at a time, descriptions of the sky, axes."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import threading
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from visiomatic_dask.cube import LayerWCS
from visiomatic_dask.cube.wcs_parts import WCSParts

from ..service import Response, Service, serving
from .conftest import Sky


def post(service: Service, path: str, body: bytes | Mapping[str, Any]) -> Response:
    connection = HTTPConnection(service.host, service.port, timeout=60)
    try:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def wcs(cubes: Sky) -> WCS:
    return WCS(fits.getheader(cubes.folder / "sky.fits")).celestial


def test_batches_both_ways(service: Service, wcs: WCS) -> None:
    pixels = [[1.0, 1.0], [512.25, 800.5], [-30.0, 2000.0]]
    answer = post(service, "/cubes/sky.fits/world", {"pixels": pixels})
    assert answer.status == 200
    assert answer.json["frame"] == "icrs"
    np.testing.assert_allclose(answer.json["world"], wcs.wcs_pix2world(pixels, 1), rtol=0, atol=1e-11)
    back = post(service, "/cubes/sky.fits/pixels", {"world": answer.json["world"]}).json
    np.testing.assert_allclose(back["pixels"], pixels, atol=1e-6)


def test_other_frames(service: Service, wcs: WCS) -> None:
    pixels = [[1.0, 1.0], [512.25, 800.5]]
    galactic = post(service, "/cubes/sky.fits/world", {"pixels": pixels, "frame": "galactic"}).json
    expected = SkyCoord(*wcs.wcs_pix2world(pixels, 1).T, unit="deg").galactic
    np.testing.assert_allclose(galactic["world"], np.column_stack([expected.l.deg, expected.b.deg]), atol=1e-10)
    assert galactic["frame"] == "galactic"
    back = post(service, "/cubes/sky.fits/pixels", {"world": galactic["world"], "frame": "galactic"}).json
    np.testing.assert_allclose(back["pixels"], pixels, atol=1e-6)


def test_one_at_a_time(service: Service, wcs: WCS) -> None:
    (lon, lat) = service.ok("/cubes/sky.fits/world?x=10.5&y=20").json["world"][0]
    assert [lon, lat] == pytest.approx(wcs.wcs_pix2world([[10.5, 20]], 1)[0].tolist(), abs=1e-11)
    found = service.ok(f"/cubes/sky.fits/pixels?lon={lon}&lat={lat}&frame=icrs").json["pixels"][0]
    assert found == pytest.approx([10.5, 20], abs=1e-6)
    assert service.ok("/cubes/sky.fits/pixels?lon=263.8&lat=5.4").json["pixels"] == [None]  # the other side


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("world", b"{", "the body is not JSON"),
        ("world", b"\xff", "the body is not JSON"),
        ("world", b"[" * 100_000, "the body is not JSON"),
        ("world", b"[]", "pixels is missing"),
        ("world", {"world": [[1, 2]]}, "pixels is missing"),
        ("world", {"pixels": [[1, 2]], "fram": "icrs"}, "fram is not a key"),
        ("world", {"pixels": [[1, 2], [1]]}, "pixels[1] is '[1]'; allowed: two finite numbers"),
        ("world", {"pixels": [[1, "2"]]}, "pixels[0] is"),
        ("world", b'{"pixels": [[1, NaN]]}', "pixels[0] is"),
        ("world", b'{"pixels": [[1, 1e400]]}', "pixels[0] is"),
        ("world", {"pixels": [[1, True]]}, "pixels[0] is"),
        ("world", {"pixels": [[1, 2]], "frame": 3}, "frame is '3'"),
        ("world", {"pixels": [[1, 2]], "frame": "heliocentric"}, "allowed: native, icrs, fk5"),
        ("pixels", {"world": [[1, 91]]}, "lat is 91.0; allowed: -90 to 90"),
    ],
)
def test_what_is_wrong_is_named(service: Service, path: str, body: Any, message: str) -> None:
    answer = post(service, f"/cubes/sky.fits/{path}", body)
    assert answer.status == 400
    assert message in answer.message


def test_limits(cubes: Sky) -> None:
    with serving(cubes.folder, measure_limit=10, tile_threads=1) as service:
        assert post(service, "/cubes/sky.fits/world", {"pixels": [[1, 2]] * 10}).status == 200
        assert post(service, "/cubes/sky.fits/world", {"pixels": [[1, 2]] * 11}).status == 413
        assert post(service, "/cubes/sky.fits/world", b" " * 10_000).status == 413


def sent_in_part(service: Service, headers: list[str]) -> bytes:
    """Announce a body, send none of it, and return the status line that comes back nevertheless."""
    with socket.create_connection((service.host, service.port), timeout=60) as connection:
        lines = ["POST /cubes/sky.fits/world HTTP/1.1", "Host: here", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        return connection.recv(4096).partition(b"\r\n")[0]


@pytest.mark.parametrize("length", ["6402000", "9" * 5000])
def test_a_body_is_refused_before_it_is_sent(service: Service, length: str) -> None:
    assert sent_in_part(service, [f"Content-Length: {length}"]).startswith(b"HTTP/1.1 413")


def test_a_body_of_unknown_length_is_refused(service: Service) -> None:
    connection = HTTPConnection(service.host, service.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", "/cubes/sky.fits/world", iter([b" " * 2**16] * 100), encode_chunked=True)
        answer = connection.getresponse()
        assert answer.status == 413
        assert "allowed: 6,401,024, for 100,000 points" in json.loads(answer.read())["detail"][0]["msg"]


def test_who_hangs_up_in_the_middle_of_a_body_leaves_nothing_behind(service: Service) -> None:
    with socket.create_connection((service.host, service.port), timeout=60) as connection:
        connection.sendall(b"POST /cubes/sky.fits/world HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n{")
    assert post(service, "/cubes/sky.fits/world", {"pixels": [[1, 2]]}).status == 200


def test_no_more_than_a_hundred_thousand_points(service: Service, wcs: WCS) -> None:
    pixels = np.random.default_rng(1).uniform(1, 1000, (100_000, 2)).round(3)
    answer = post(service, "/cubes/sky.fits/world", {"pixels": pixels.tolist()})
    np.testing.assert_allclose(answer.json["world"], wcs.wcs_pix2world(pixels, 1), rtol=0, atol=1e-11)
    answer = post(service, "/cubes/sky.fits/world", {"pixels": [*pixels.tolist(), [1, 2]]})
    assert (answer.status, answer.parameter) == (413, "pixels")
    assert "allowed: 100,000" in answer.message


def test_lists_of_nothing_are_not_parsed(service: Service) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = post(service, "/cubes/sky.fits/world", b'{"pixels": [' + b"[]," * 2_000_000 + b"[]]}")
    assert answer.status == 413
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 64 * 1024  # kB; parsed, they take 130 MB


def test_the_event_loop_never_waits_for_a_wcs(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    parts = LayerWCS.__dict__["parts"].fget

    def noted(self: LayerWCS) -> WCSParts:
        threads.append(threading.current_thread().name)
        found: WCSParts = parts(self)
        return found

    monkeypatch.setattr(LayerWCS, "parts", property(noted))
    for path in ("", "/values?x=1&y=1", "/wcs", "/axes", "/world?x=1&y=1", "/pixels?lon=83.8&lat=-5.4"):
        service.ok(f"/cubes/sky.fits{path}")
    assert post(service, "/cubes/sky.fits/world", {"pixels": [[1, 2]]}).status == 200
    for what in ("INFO", "obj", "VAL=1,1"):
        service.ok(f"/api?FIF=sky.fits&{what}")
    assert len(threads) > 5
    assert "test server" not in threads  # the thread of the event loop


def test_empty_batches_and_layers_without_sky(service: Service) -> None:
    assert post(service, "/cubes/sky.fits/world", {"pixels": []}).json["world"] == []
    answer = post(service, "/cubes/layers.fits/world", {"pixels": [[1, 1]]})
    assert (answer.status, answer.message) == (400, "SCI has no celestial coordinates; allowed: a layer that has")
    assert service.ok("/cubes/layers.fits/wcs").json == {"wcs": None}
    assert post(service, "/cubes/no.fits/world", {"pixels": []}).status == 404
    assert service.get("/cubes/sky.fits/world?x=1").parameter == "y"
    assert service.get("/cubes/sky.fits/world?x=1&y=1&z=1").parameter == "z"


def test_the_sky_is_described(service: Service) -> None:
    cube = service.ok("/cubes/sky.fits").json
    answer = service.ok("/cubes/sky.fits/wcs")
    found = answer.json["wcs"]
    assert (found["frame"], found["names"], found["ctype"]) == ("icrs", ["RA", "Dec"], ["RA---TAN", "DEC--TAN"])
    assert (found["width"], found["height"], found["usable"]) == (1025, 1030, True)
    assert found["max_err_px"] < 2e-3
    assert len(found["patches"]) == 1
    assert answer.headers["Cache-Control"] == "no-cache"
    fresh = service.ok(f"/cubes/sky.fits/wcs?v={cube['fingerprint']}")
    assert "immutable" in fresh.headers["Cache-Control"]
    assert service.get("/cubes/sky.fits/wcs?v=old").status == 409


def test_levels_have_a_wcs_of_their_own(service: Service, wcs: WCS, cubes: Sky) -> None:
    """The header of a level says of its pixels what that of the file says of the middle of what they are made of."""
    with fits.open(cubes.folder / "sky.fits") as hdus:
        height = hdus[0].shape[-2]
    for level in (0, 1, 2):
        answer = service.ok(f"/cubes/sky.fits/wcs?level={level}").json
        header = fits.Header(answer["header"])
        rows = -(-height // 2**level)
        assert (answer["level"], header["NAXIS2"]) == (level, rows)
        side = 2**level
        # Columns from the left, rows from the top, where blocks begin.
        column, row = 3, 5
        x, y = column * side + (side + 1) / 2, height - row * side - (side - 1) / 2
        expected = wcs.celestial.wcs_pix2world([[x, y]], 1)
        found = WCS(header).wcs_pix2world([[column + 1, rows - row]], 1)
        np.testing.assert_allclose(found, expected, atol=1e-9)
    assert service.get("/cubes/sky.fits/wcs?level=9").message.startswith("level is '9'; allowed: 0 (full resolution)")
    assert service.ok("/cubes/layers.fits/wcs?level=0").json["header"]["NAXIS1"] == 100


def test_axes(service: Service) -> None:
    answer = service.ok("/cubes/sky.fits/axes").json
    (axis,) = answer["axes"]
    assert (axis["name"], axis["quantity"], axis["size"]) == ("velocity", "velocity-radio", 3)
    assert axis["coordinates"] == pytest.approx([1000.0, 1500.0, 2000.0])
    assert axis["conversions"] == ["velocity-radio"]
    same = service.ok("/cubes/sky.fits/axes?to=velocity-radio&unit=km/s").json["axes"][0]["converted"]
    assert same["coordinates"] == pytest.approx([1.0, 1.5, 2.0])
    found = service.ok("/cubes/sky.fits/axes?to=frequency&rest=100GHz").json["axes"][0]["converted"]
    assert found["unit"] == "GHz"
    assert found["coordinates"] == pytest.approx([100 * (1 - v / 299792458) for v in (1000, 1500, 2000)], rel=1e-14)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("to=frequency", "rest"),
        ("to=speed", "to"),
        ("unit=m", "to"),
        ("to=frequency&rest=1", "rest"),
        ("from=x", "from"),
    ],
)
def test_axes_that_cannot_be_converted(service: Service, query: str, parameter: str) -> None:
    answer = service.get(f"/cubes/sky.fits/axes?{query}")
    assert (answer.status, answer.parameter) == (400, parameter)
    assert "allowed" in answer.message


def test_axes_without_coordinates(service: Service) -> None:
    axes = service.ok("/cubes/sub/four.fits/axes").json["axes"]
    assert [axis["size"] for axis in axes] == [2, 4]
    assert service.get("/cubes/sub/four.fits/axes?to=frequency").parameter == "to"
