"""Presets: saved by the command line, listed and used by a server, changed while it runs."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dask.config
import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from visiomatic_dask.errors import InvalidRequest, InvalidSetting
from visiomatic_dask.preset_command import preset
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.preset_query import missing_keys, parse_keys
from visiomatic_dask.server.presets import PresetFolder

from ..processes import visiomatic
from ..service import Response, Service, serving

TILE = "/cubes/sky.fits/tiles/0/0/0.png"


@dataclass(frozen=True)
class Place:
    """A server, its cube, and the folder of its presets."""

    service: Service
    cube: Path
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command on the cube."""
        command, *rest = arguments
        return subprocess.run(
            visiomatic("preset", command, self.cube, *rest),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=dict(os.environ) | {"DASK_VISIOMATIC__PRESETS": str(self.folder)},
        )

    def save(self, *arguments: str) -> None:
        """Save a preset, which must succeed."""
        done = self.run("save", *arguments)
        assert done.returncode == 0, done.stderr

    def settled(self, path: str, other_than: str) -> Response:
        """Ask until the answer is another one, as it is within a second or so."""
        for _ in range(60):
            response = self.service.ok(path)
            if response.headers["ETag"] != other_than:
                return response
            time.sleep(0.1)
        raise AssertionError("the outdated preset is still served")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("presets")
    data = np.random.default_rng(1).standard_normal((6, 40, 50)).astype(np.float32)
    cards = {"CTYPE3": "WAVE", "CUNIT3": "nm", "CRVAL3": 500.0, "CDELT3": 10.0, "CRPIX3": 1.0}
    fits.writeto(folder / "sky.fits", data, fits.Header(cards))
    with serving(folder / "sky.fits", tile_threads=1, presets=str(folder / "kept")) as service:
        yield Place(service, folder / "sky.fits", folder / "kept")


def test_from_the_command_line_to_a_tile(place: Place) -> None:
    assert place.service.ok("/cubes/sky.fits/presets").json == {"presets": []}
    place.save("warm", "mix=range:500-520nm:red", "mix=range:530-550nm:blue", "cuts=-1,1", "gamma=1")
    place.save("plain", "channel=2", "colormap=hot")
    assert place.run("list").stdout == "plain\nwarm\n"
    assert place.run("show", "plain").stdout == "channel=2\ncolormap=hot\n"
    assert place.service.ok("/cubes/sky.fits/presets").json == {
        "presets": [
            {"name": "plain", "keys": {"channel": "2", "colormap": "hot"}},
            {
                "name": "warm",
                "keys": {"mix": ["range:500-520nm:red", "range:530-550nm:blue"], "cuts": ["-1,1"], "gamma": "1"},
            },
        ]
    }
    spelt = "mix=range:500-520nm:red&mix=range:530-550nm:blue&cuts=-1,1&gamma=1"
    first, second = place.service.ok(f"{TILE}?preset=warm"), place.service.ok(f"{TILE}?{spelt}")
    assert (first.body, first.headers["ETag"]) == (second.body, second.headers["ETag"])
    for more, spelt in (
        ("gamma=2", "mix=range:500-520nm:red&mix=range:530-550nm:blue&cuts=-1,1&gamma=2"),
        ("cuts=0,3", "mix=range:500-520nm:red&mix=range:530-550nm:blue&cuts=0,3&gamma=1"),
        ("mix=cie", "mix=cie&gamma=1"),
        ("channel=1", "channel=1&gamma=1"),
    ):
        assert place.service.ok(f"{TILE}?preset=warm&{more}").body == place.service.ok(f"{TILE}?{spelt}").body
    missing = place.service.get(f"{TILE}?preset=cold")
    assert (missing.status, missing.parameter) == (400, "preset")
    assert "plain, warm" in missing.message


def test_a_changed_preset_changes_tiles(place: Place) -> None:
    place.save("mine", "channel=0", "cuts=-1,1")
    path = f"{TILE}?preset=mine"
    before = place.service.ok(path)
    again = place.service.get(path, {"If-None-Match": before.headers["ETag"]})
    assert again.status == 304
    place.save("mine", "channel=0", "cuts=-2,2")
    after = place.settled(path, before.headers["ETag"])
    assert after.body == place.service.ok(f"{TILE}?channel=0&cuts=-2,2").body != before.body
    fingerprint = place.service.ok("/cubes/sky.fits").json["fingerprint"]
    for query, kept in (("channel=0", "immutable"), ("preset=mine", "no-cache")):
        for _ in range(2):  # the second time by the tile lane
            response = place.service.ok(f"{TILE}?{query}&v={fingerprint}")
            assert kept in response.headers["Cache-Control"]
    assert place.run("remove", "mine").returncode == 0
    for _ in range(60):
        if place.service.get(path).status == 400:
            break
        time.sleep(0.1)
    assert place.service.get(path).parameter == "preset"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["save", "x", "mix=range:900-999nm:red"], "500 to 550 nm"),
        (["save", "x", "channel=6"], "0 to 5"),
        (["save", "x", "gamma=9"], "0.2 to 5"),
        (["save", "x", "mix=pca", "cuts=1,2"], "exclude"),
        (["save", "x", "mix=cie", "colormap=hot"], "grey"),
        (["save", "x", "hue"], "KEY=VALUE"),
        (["save", "x", "gamma=1", "gamma=2"], "one value"),
        (["save", "x", "level=2"], "gamma"),
        (["save", "", "gamma=2"], "printable"),
        (["save", "a\nb", "gamma=2"], "printable"),
        (["save", "x" * 65, "gamma=2"], "printable"),
        (["show", "nowhere"], "allowed"),
        (["remove", "nowhere"], "allowed"),
    ],
)
def test_what_the_command_refuses(place: Place, arguments: list[str], says: str) -> None:
    command, *rest = arguments
    with dask.config.set({"visiomatic.presets": str(place.folder)}):
        done = CliRunner().invoke(preset, [command, str(place.cube), *rest])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert "x" not in PresetFolder(str(place.folder)).read(str(place.cube.resolve()))


def test_a_preset_that_fits_no_more_is_said_to_be_at_fault(place: Place) -> None:
    address = str(place.cube.resolve())
    PresetFolder(str(place.folder)).save(address, "old", {"channel": ("77",)})
    response = place.service.get(f"{TILE}?preset=old")
    assert (response.status, response.parameter) == (400, "preset")
    assert "preset 'old' cannot be used here: channel is '77'" in response.message
    place.service.ok(f"{TILE}?preset=old&channel=1")
    PresetFolder(str(place.folder)).remove(address, "old")


def test_files_are_one_a_cube_and_replaced_whole(tmp_path: Path) -> None:
    presets = PresetFolder(str(tmp_path / "below" / "presets"))
    assert presets.read("/data/a.fits") == {}
    assert presets.stamp("/data/a.fits") is None
    presets.save("/data/a.fits", "one", {"mix": ("cie",), "gamma": ("1.5",)})
    presets.save("/data/a.fits", "Zwei ü", {"channel": ("1",)})
    presets.save("https://example.org/b.fits", "one", {"channel": ("2",)})
    assert presets.get("/data/a.fits", "one") == {"mix": ("cie",), "gamma": ("1.5",)}
    assert presets.get("https://example.org/b.fits", "one") == {"channel": ("2",)}
    files = sorted(tmp_path.rglob("*.json"))
    assert len(files) == 2
    assert {json.loads(file.read_text())["cube"] for file in files} == {"/data/a.fits", "https://example.org/b.fits"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o644}
    assert {file.suffix for file in files[0].parent.iterdir() if file.name != ".lock"} == {".json"}
    presets.remove("/data/a.fits", "one")
    assert list(presets.read("/data/a.fits")) == ["Zwei ü"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"presets": {"a": 5}}', '{"presets": {"a": {"mix": "cie"}}}'])
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    presets = PresetFolder(str(tmp_path))
    presets.save("/a", "one", {"channel": ("1",)})
    (file,) = tmp_path.glob("*.json")
    file.write_text(text)
    with pytest.raises(InvalidSetting, match="damaged") as caught:
        presets.read("/a")
    assert str(tmp_path) not in caught.value.message
    with pytest.raises(InvalidSetting, match="damaged"):  # and nothing is lost by writing over it
        presets.save("/a", "two", {"channel": ("1",)})
    assert file.read_text() == text


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSetting, match="cannot be kept"):
        PresetFolder(str(tmp_path / "file")).save("/a", "one", {"channel": ("1",)})


def test_a_cube_has_so_many_presets_and_no_more(tmp_path: Path) -> None:
    presets = PresetFolder(str(tmp_path))
    for number in range(256):
        presets.save("/a", f"{number}", {"channel": ("1",)})
    with pytest.raises(InvalidRequest, match="256"):
        presets.save("/a", "another", {"channel": ("1",)})
    presets.save("/a", "7", {"channel": ("2",)})


def test_which_keys_win() -> None:
    kept = {"mix": ("cie",), "cuts": ("0,1",), "nan": ("lo",), "gamma": ("1",)}
    for given, added in (
        ({}, {"mix", "cuts", "nan", "gamma"}),
        ({"gamma": ["2"]}, {"mix", "cuts", "nan"}),
        ({"cuts": ["2,3"]}, {"mix", "nan", "gamma"}),
        ({"channel": ["2"]}, {"gamma"}),
        ({"mix": ["pca"], "gamma": ["2"]}, set()),
    ):
        assert set(missing_keys(Arguments(given), kept)) == added


def test_keys_as_they_are_typed() -> None:
    assert parse_keys(("mix=table:1nm=0,2nm=1:red", "mix=cie", "gamma=1")) == {
        "mix": ("table:1nm=0,2nm=1:red", "cie"),
        "gamma": ("1",),
    }
