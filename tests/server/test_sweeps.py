"""Sweeps through channels: the files, progress, cancelling, limits, and who may start one."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from astropy.io import fits
from distributed import Client, LocalCluster
from PIL import Image

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine import sweep_file, sweep_job, sweeps
from visiomatic_dask.engine.bulk import fetch_range
from visiomatic_dask.engine.cluster import ClusterAddress
from visiomatic_dask.engine.sweep_job import make_frame
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Style

from ..engine.clusters import WEB
from ..processes import wait_until
from ..service import Response, Service, serving
from .conftest import Sky

_MADE: list[str] = []


def _slow(style: Style, reader: Reader, level: int, box: Box, *, lossless: bool) -> bytes:
    time.sleep(0.1)
    _MADE.append(style.text)
    return make_frame(style, reader, level, box, lossless=lossless)


def post(service: Service, name: str, body: Any, **headers: str) -> Response:
    connection = HTTPConnection(service.host, service.port, timeout=60)
    with contextlib.closing(connection):
        text = body if isinstance(body, str) else json.dumps(body)
        connection.request("POST", f"/cubes/{name}/sweeps", text, headers)
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())


def made(service: Service, name: str, body: Any) -> bytes:
    """Have a sweep made."""
    response = post(service, name, body)
    assert response.status == 202, response.body
    location = response.headers["Location"]
    assert location == f"/jobs/{response.json['id']}"
    for _ in range(300):
        job = service.ok(location).json
        if job["state"] != "running":
            break
        time.sleep(0.05)
    assert (job["state"], job["message"]) == ("done", "")
    assert job["done"] == job["frames"]
    data = service.ok(f"{location}/result").body
    assert job["bytes"] >= len(data)
    assert service.get(location, method="DELETE").status == 204
    assert service.get(location).status == 404
    assert service.get(f"{location}/result").status == 404
    return data


def test_mp4_has_every_channel_in_turn(service: Service) -> None:
    body = {"channels": [2, 0, -1], "box": [301, 201, 601, 411], "rate": 5, "style": {"cuts": "-12,20", "gamma": 1}}
    data = made(service, "sky.fits", body)
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(io.BytesIO(data), "r") as container:
        (stream,) = container.streams.video
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.codec_context.name, str(stream.average_rate), stream.pix_fmt) == ("h264", "5", "yuv420p")
    assert len(frames) == 3
    for channel, frame in zip((2, 1, 0), frames, strict=True):
        assert frame.shape == (212, 302, 3)
        query = f"channel={channel}&cuts=-12,20&gamma=1&bad=lo&box=301,201,601,411"
        expected = np.asarray(Image.open(io.BytesIO(service.ok(f"/cubes/sky.fits/region.png?{query}").body)))
        assert np.abs(frame[:211, :301, 1].astype(int) - expected).mean() < 4


def test_webp_plays_at_the_rate_with_one_pair_of_cuts(service: Service) -> None:
    body = {"level": 2, "rate": 20, "format": "webp", "style": {"colormap": "viridis", "quality": 100}}
    with Image.open(io.BytesIO(made(service, "sky.fits", body))) as image:
        assert (getattr(image, "n_frames", 1), image.size) == (3, (257, 258))
        image.load()
        assert image.info["duration"] == 50


def test_a_cancelled_sweep_makes_no_more_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_job, "make_frame", _slow)
    _MADE.clear()
    fits.writeto(tmp_path / "deep.fits", np.zeros((200, 20, 20), np.float32))
    with serving(tmp_path) as deep:
        location = post(deep, "deep.fits", {"style": {"cuts": "0,1"}}).headers["Location"]
        assert deep.get(f"{location}/result").status == 503
        time.sleep(0.5)
        done = deep.ok(location).json["done"]
        assert 0 < done < 200
        assert deep.get(location, method="DELETE").status == 204
        time.sleep(0.3)
        before = len(_MADE)
        time.sleep(0.5)
        assert len(_MADE) == before < 100


@pytest.mark.parametrize(
    ("body", "status", "parameter"),
    [
        ({"channels": [0, 3, 1]}, 400, "channels"),
        ({"channels": [0, 2, 0]}, 400, "channels"),
        ({"channels": [2, 0, 1]}, 400, "channels"),
        ({"channels": "0-2"}, 400, "channels"),
        ({"box": [1, 2, 3]}, 400, "box"),
        ({"rate": 1000}, 400, "rate"),
        ({"format": "gif"}, 400, "format"),
        ({"style": {"channel": 1}}, 400, "channel"),
        ({"style": {"hue": True}}, 400, "hue"),
        ({"style": {"nan": "lo"}}, 400, "nan"),
        ({"style": {"cuts": "1:0,1"}}, 400, "cuts"),
        ({"style": []}, 400, "style"),
        ({"level": [1]}, 400, "level"),
        ({"speed": 1}, 400, "speed"),
    ],
)
def test_what_cannot_be_used_is_named(service: Service, body: Any, status: int, parameter: str) -> None:
    response = post(service, "sky.fits", body)
    assert (response.status, response.parameter) == (status, parameter)


def test_bodies_and_frames_are_bounded(service: Service, tmp_path: Path) -> None:
    assert post(service, "sky.fits", "{").status == 400
    assert post(service, "sky.fits", "[1]").status == 400
    assert post(service, "sky.fits", " " * 100_000).status == 413
    fits.writeto(tmp_path / "wide.fits", np.zeros((2, 2100, 2100), np.uint8))
    with serving(tmp_path) as wide:
        assert post(wide, "wide.fits", {"style": {"cuts": "0,1"}}).status == 413


def test_pages_of_other_origins_start_nothing(service: Service) -> None:
    body = {"level": 2, "style": {"cuts": "0,1"}}
    assert post(service, "sky.fits", body, Origin="https://elsewhere.example").status == 403
    response = post(service, "sky.fits", body, Origin=f"http://{service.host}:{service.port}")
    assert response.status == 202
    job = response.headers["Location"]
    assert service.get(job, {"Origin": "https://elsewhere.example"}, "DELETE").status == 403
    assert service.get(job, method="DELETE").status == 204


def test_pages_that_the_operator_allows_may_start_and_cancel(cubes: Sky) -> None:
    origin = {"Origin": "https://friend.example"}
    with serving(cubes.folder, cors_origins=["https://friend.example"]) as open_to:
        for path, method in (("/cubes/sky.fits/sweeps", "POST"), ("/jobs/abc", "DELETE")):
            asked = origin | {"Access-Control-Request-Method": method}
            response = open_to.get(path, asked, "OPTIONS")
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == "https://friend.example"
            assert method in response.headers["Access-Control-Allow-Methods"]
            assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]
            refused = open_to.get(path, asked | {"Origin": "https://elsewhere.example"}, "OPTIONS")
            assert refused.status == 403
            assert "Access-Control-Allow-Origin" not in refused.headers
        started = post(open_to, "sky.fits", {"level": 2, "style": {"cuts": "0,1"}}, **origin)
        assert "Location" in started.headers["Access-Control-Expose-Headers"]
        assert open_to.get(started.headers["Location"], origin, "DELETE").status == 204


def ended(service: Service, body: Any) -> str:
    """Start a sweep of a cube called deep.fits, and wait for its end; return where it is."""
    location: str = post(service, "deep.fits", body).headers["Location"]
    wait_until(lambda: service.ok(location).json["state"] != "running")
    return location


def test_not_every_job_that_has_ended_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "_MOST_ENDED", 3)
    fits.writeto(tmp_path / "deep.fits", np.zeros((2, 20, 20), np.float32))
    with serving(tmp_path) as deep:
        body = {"format": "webp", "style": {"cuts": "0,1"}}
        places = [ended(deep, body) for _ in range(5)]
        assert [deep.get(one).status for one in places] == [404, 404, 200, 200, 200]


def test_files_are_fetched_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    fits.writeto(tmp_path / "deep.fits", rng.standard_normal((4, 60, 60)).astype(np.float32))
    asked: list[tuple[int, int | None]] = []

    async def fetch(client: Client, worker: str, key: str, start: int, stop: int | None) -> tuple[int, bytes]:
        asked.append((start, stop))
        return await fetch_range(client, worker, key, start, stop)

    monkeypatch.setattr(sweep_file, "fetch_range", fetch)
    with serving(tmp_path) as deep:
        location = ended(deep, {"format": "webp", "style": {"cuts": "-2,2"}})
        whole = deep.ok(f"{location}/result").body
        assert len(asked) == 1
        monkeypatch.setattr(sweep_file, "_PIECE", 1000)
        response = deep.ok(f"{location}/result")
        assert response.body == whole
        assert int(response.headers["Content-Length"]) == len(whole)
        assert asked[1:] == [(start, start + 1000) for start in range(0, len(whole), 1000)]


def test_a_file_that_is_too_large_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "_MOST_KEPT", 100)
    fits.writeto(tmp_path / "deep.fits", np.zeros((2, 20, 20), np.float32))
    with serving(tmp_path) as deep:
        location = ended(deep, {"style": {"cuts": "0,1"}})
        job = deep.ok(location).json
        assert job["state"] == "failed"
        assert "MB are allowed" in job["message"]
        assert deep.get(f"{location}/result").status == 409


def test_there_is_no_job_that_nobody_started(service: Service) -> None:
    for path in ("/jobs/abc", "/jobs/abc/result"):
        assert service.get(path).status == 404


def test_any_front_end_knows_the_jobs_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits.writeto(tmp_path / "deep.fits", np.zeros((400, 20, 20), np.float32))
    with shared_cluster() as address:
        monkeypatch.setattr(sweep_job, "make_frame", _slow)
        joined = ClusterAddress(address)
        with serving(tmp_path, cluster=joined) as one, serving(tmp_path, cluster=joined) as other:
            short = {"channels": [0, 9, 1], "style": {"cuts": "0,1"}, "format": "webp"}
            location = post(one, "deep.fits", short).headers["Location"]
            wait_until(lambda: one.ok(location).json["state"] == "done")
            assert other.ok(f"{location}/result").body == one.ok(f"{location}/result").body
            location = post(one, "deep.fits", {"style": {"cuts": "0,2"}}).headers["Location"]
            assert other.ok(location).json["state"] == "running"  # at once
            assert other.get(location, method="DELETE").status == 204
            wait_until(lambda: one.get(location).status == 404)
            before = len(_MADE)
            time.sleep(0.5)
            assert len(_MADE) <= before + 2


def test_a_sweep_whose_cluster_is_lost_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits.writeto(tmp_path / "deep.fits", np.zeros((400, 20, 20), np.float32))
    monkeypatch.setattr(sweep_job, "make_frame", _slow)
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(shared_cluster())
        with serving(tmp_path, cluster=ClusterAddress(address)) as one:
            location = post(one, "deep.fits", {"style": {"cuts": "0,1"}}).headers["Location"]
            stack.close()
            wait_until(lambda: one.ok(location).json["state"] == "failed")
            assert one.ok(location).json["message"] == "the cluster was lost while it worked on this"
            assert one.get(f"{location}/result").status == 409
            assert one.get(location, method="DELETE").status == 204


@contextlib.contextmanager
def shared_cluster() -> Iterator[str]:
    """Run a cluster in a thread of this process."""
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", host="127.0.0.1",
        dashboard_address=WEB, worker_dashboard_address=WEB, scheduler_kwargs={"dashboard": False},
    ) as cluster:  # fmt: skip
        yield cluster.scheduler_address


def test_a_viewer_has_two_sweeps_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cubes: Sky) -> None:
    monkeypatch.setattr(sweep_job, "make_frame", _slow)
    fits.writeto(tmp_path / "deep.fits", np.zeros((100, 20, 20), np.float32))
    with serving(tmp_path) as deep:
        cookie = deep.ok("/cubes/deep.fits").headers["Set-Cookie"].split(";")[0]
        answers = [post(deep, "deep.fits", {"style": {"cuts": f"0,{i + 1}"}}, Cookie=cookie) for i in range(3)]
        assert [one.status for one in answers] == [202, 202, 503]
