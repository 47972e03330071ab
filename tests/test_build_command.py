"""The command ``build``, as a user meets it."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.build_command import parse_channels
from visiomatic_dask.build_meter import BuildMeter, text_of, text_of_size, text_of_time
from visiomatic_dask.engine.build_news import BuildProgress, Pace
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.pyramid.store.ledger import Ledger

from .engine.stored import assert_same, new_pyramid, write_cube
from .processes import dask_cluster, started, visiomatic


def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | variables
    command = visiomatic("build", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("build") / "sky.fits"
    write_cube(path, (3, 700, 901))
    return path


@pytest.mark.cluster
@pytest.mark.timeout(180)
def test_builds_and_says_so(tmp_path: Path, cube: Path) -> None:
    store = tmp_path / "store"
    first = run(cube, "--store", store)
    assert first.returncode == 0, first.stderr
    found = re.fullmatch(
        r"sky.fits: built: levels 1 to 2 of 3 planes, (.*B) in (\d+) files?; 7.57 MB read in .* s, .*B/s\n",
        first.stdout,
    )
    assert found, first.stdout
    again = run(cube, "--store", store)
    assert again.returncode == 0
    assert again.stderr == ""
    assert again.stdout == f"sky.fits: already built: levels 1 to 2 of 3 planes, {found[1]} in {found[2]} files\n"
    # All tiles alike: larger ones have no pyramid of their own.
    assert run(cube, "--store", store, DASK_VISIOMATIC__TILE_SIZE="512").stdout == again.stdout


@pytest.mark.cluster
@pytest.mark.timeout(180)
def test_channel_by_channel_gives_the_same_bits(tmp_path: Path, cube: Path) -> None:
    for channels in ("1", "0:2", ""):
        finished = run(cube, "--store", tmp_path / "parts", *(["--channels", channels] if channels else []))
        assert finished.returncode == 0, finished.stderr
        assert "built" in finished.stdout
    assert "2.52 MB read" in finished.stdout  # the last channel alone
    run(cube, "--store", tmp_path / "whole")
    pyramids = [new_pyramid(tmp_path / name, cube, 24 * 2**20)[0] for name in ("parts", "whole")]
    assert_same(*pyramids)


@pytest.mark.cluster
@pytest.mark.timeout(180)
def test_several_cubes_some_of_which_cannot_be_built(tmp_path: Path, cube: Path) -> None:
    small, broken = tmp_path / "small.fits", tmp_path / "broken.fits"
    fits.writeto(small, np.zeros((2, 100, 256), np.float32))
    write_cube(broken, (2, 400, 400))
    text = broken.read_bytes()
    pyramid, _ = new_pyramid(tmp_path / "store", broken)
    (Path(pyramid.address) / "ledger.json").write_text('{"visiomatic-ledger": 99}')
    assert broken.read_bytes() == text
    finished = run(small, broken, "--store", tmp_path / "store")
    assert "small.fits: nothing to build, as a tile holds a plane\n" in finished.stdout
    assert finished.returncode == 1
    assert finished.stderr.startswith("Error: ")
    assert "another version" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.cluster
@pytest.mark.timeout(180)
def test_a_store_that_cannot_be_written_to(tmp_path: Path, cube: Path) -> None:
    (tmp_path / "store").write_text("a file")
    finished = run(cube, "--store", tmp_path / "store")
    assert finished.returncode == 2
    assert "store" in finished.stderr
    finished = run(cube, "--store", tmp_path / "nowhere" / "store")
    assert finished.returncode == 2
    assert "cannot be made" in finished.stderr
    finished = run(cube, DASK_VISIOMATIC__STORE="/proc/store")
    assert finished.returncode == 1
    assert finished.stderr.startswith("Error: ")
    assert re.search("cannot be (made|written to)", finished.stderr)


@pytest.mark.cluster
@pytest.mark.timeout(180)
def test_where_the_store_is(tmp_path: Path, cube: Path) -> None:
    finished = run(cube, "--scheduler", "tcp://127.0.0.1:9")
    assert finished.returncode == 2
    assert "Give --store" in finished.stderr
    finished = run(cube, DASK_VISIOMATIC__CACHE_FOLDER=str(tmp_path))
    assert finished.returncode == 0, finished.stderr
    assert list((tmp_path / "store").glob("sky.fits-*.zarr"))


@pytest.mark.cluster
@pytest.mark.timeout(180)
def test_on_a_cluster_that_is_there(tmp_path: Path, cube: Path) -> None:
    with dask_cluster(tmp_path, 2) as (address, _):
        finished = run(cube, "--store", tmp_path / "store", "--scheduler", address)
        assert finished.returncode == 0, finished.stderr
        assert "7.57 MB read" in finished.stdout


@pytest.mark.cluster
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ends_on_a_signal_and_goes_on(tmp_path: Path, number: signal.Signals, status: int) -> None:
    path = tmp_path / "large.fits"
    write_cube(path, (6, 1500, 2000))
    pyramid, _ = new_pyramid(tmp_path / "store", path, 2**17)
    with started(visiomatic("build", path, "--store", tmp_path / "store"), tmp_path / "log") as one:
        ledger = Ledger.of(pyramid)
        while len(ledger.look().shards) < 5:
            assert one.process.poll() is None, one.text
            time.sleep(0.005)
        one.process.send_signal(number)
        assert one.process.wait(20) == status
        assert "goes on from here" in one.text
        assert "Traceback" not in one.text
    finished = run(path, "--store", tmp_path / "store")
    assert finished.returncode == 0
    read = re.search(r"; ([0-9.]+) MB read", finished.stdout)
    assert read
    assert float(read[1]) < 72  # not all of it again


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("3", [(3, 4)]),
        ("0:8,12", [(0, 8), (12, 13)]),
        (" 12, 0:8 ", [(0, 8), (12, 13)]),
        (":", [(0, 20)]),
        ("5:", [(5, 20)]),
        (":5,3:7,7", [(0, 8)]),
        ("19", [(19, 20)]),
    ],
)
def test_channels(text: str, ranges: list[tuple[int, int]]) -> None:
    assert parse_channels(text, 20) == ranges


@pytest.mark.parametrize("text", ["", "20", "-1", "3:3", "5:2", "0:21", "a", "1;2", "1:2:3", "1,", "0x1"])
def test_channels_that_are_not(text: str) -> None:
    with pytest.raises(InvalidRequest, match="0 to 19"):
        parse_channels(text, 20)


def test_texts() -> None:
    assert [text_of_size(size) for size in (0, 999, 1000, 8_589_934_592, 999_600_000, 5e15)] == [
        "0 B",
        "999 B",
        "1 kB",
        "8.59 GB",
        "1 GB",
        "5000 TB",
    ]
    assert [text_of_time(time_) for time_ in (0.04, 9.9, 59.4, 59.6, 200, 7500)] == [
        "0.0 s",
        "9.9 s",
        "59 s",
        "1 min 00 s",
        "3 min 20 s",
        "2 h 05 min",
    ]
    assert (
        text_of(BuildProgress(3_200_000_000, 8_600_000_000, 8e8, 6.75))
        == "37 %, 3.2 GB of 8.6 GB, 800 MB/s, 6.8 s left"
    )
    assert text_of(BuildProgress(0, 0)) == "100 %, 0 B of 0 B"


def test_a_bar_on_a_terminal() -> None:
    """There one line moves, and is gone in the end."""
    script = (
        "from visiomatic_dask.build_meter import BuildMeter\n"
        "from visiomatic_dask.engine.build_news import BuildProgress\n"
        "with BuildMeter('sky.fits') as meter: meter.show(BuildProgress(25, 100))"
    )
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", script], stderr=theirs, timeout=60, check=True)
    os.close(theirs)
    shown = os.read(ours, 4096)
    os.close(ours)
    assert b"sky.fits [######------------------] 25 %, 25 B of 100 B" in shown
    assert shown.endswith(b"\r\x1b[K")


def test_lines_elsewhere(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("visiomatic_dask.build_meter.time.monotonic", lambda: now[0])
    with BuildMeter("sky.fits") as meter:
        for second in range(12):
            now[0] = 100.0 + second
            meter.show(BuildProgress(second, 100))
    assert capsys.readouterr().err == "sky.fits: 5 %, 5 B of 100 B\nsky.fits: 10 %, 10 B of 100 B\n"


def test_pace() -> None:
    pace = Pace()
    assert pace.progress(0.0, 0, 50, 150) == BuildProgress(50, 150, 0.0, None)
    assert pace.progress(2.0, 20, 50, 150) == BuildProgress(70, 150, 10.0, 8.0)
    assert pace.progress(4.0, 20, 50, 150).rate == 5.0  # nothing for a while
    assert pace.progress(5.0, 100, 50, 150) == BuildProgress(150, 150, 20.0, 0.0)
    assert pace.progress(9.0, 0, 0, 10) == BuildProgress(0, 10, 0.0, None)
    long = Pace()
    for second in range(100):
        progress = long.progress(float(second), second * (1 if second < 60 else 2), 0, 1000)
    assert 1.9 < progress.rate < 4.2
