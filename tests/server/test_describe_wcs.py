"""What browsers make of the description of a WCS, in their own code, beside astropy."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from visiomatic_dask.analysis.sky_patches import unit_vectors
from visiomatic_dask.readers import open_cube
from visiomatic_dask.server.describe_wcs import describe_wcs

CLIENT = Path(__file__).parents[2] / "client"
POINTS = 400

Array = NDArray[np.float64]


def cards(code: str, width: int, height: int, scale: float, frame: str = "RA", **more: Any) -> dict[str, Any]:
    """A header with its reference in the middle."""
    lon, lat = {"RA": ("RA---", "DEC--"), "G": ("GLON-", "GLAT-"), "HP": ("HPLN-", "HPLT-")}[frame]
    base: dict[str, Any] = {
        "CTYPE1": lon + code, "CTYPE2": lat + code, "CRVAL1": 40.0, "CRVAL2": 0.0, "CRPIX1": width / 2 + 0.5,
        "CRPIX2": height / 2 + 0.5, "CDELT1": -scale, "CDELT2": scale, "NAXIS1": width, "NAXIS2": height,
    }  # fmt: skip
    return base | more


SIP: dict[str, Any] = {
    "A_ORDER": 3, "A_2_0": 1.1e-6, "A_0_2": -5e-7, "A_1_1": 4e-7, "A_3_0": 2e-11,
    "B_ORDER": 3, "B_1_1": 8e-7, "B_0_2": -3e-7, "B_0_3": 2e-11,
}  # fmt: skip
TPV: dict[str, Any] = {
    "PV1_0": 1e-4, "PV1_1": 1.002, "PV1_4": 3e-3, "PV1_7": -0.02, "PV2_0": -1e-4, "PV2_1": 0.999,
    "PV2_5": 2e-3, "PV2_7": 0.03,
    "CD1_1": -5e-5, "CD1_2": 1e-6, "CD2_1": -2e-6, "CD2_2": 5e-5,
}  # fmt: skip
ROTATED: dict[str, Any] = {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8}
CONIC: dict[str, Any] = {"CRVAL2": 45.0, "PV2_1": 45.0, "PV2_2": 20.0}

ZENITHAL = ("AZP", "SZP", "TAN", "STG", "SIN", "ARC", "ZPN", "ZEA", "AIR")
CYLINDRICAL = ("CYP", "CEA", "CAR", "MER")
PSEUDO = ("SFL", "PAR", "MOL", "AIT", "BON", "PCO")
CONICS = ("COP", "COE", "COD", "COO")
OTHERS = ("TSC", "CSC", "QSC", "HPX", "XPH")
PARAMETERS: dict[str, dict[str, Any]] = dict.fromkeys(CONICS, CONIC) | {
    "ZPN": {"PV2_1": 1.0, "PV2_3": -0.02},
    "BON": {"PV2_1": 45.0},
    "AZP": {"PV2_1": 2.0, "PV2_2": 20.0},
    "SZP": {"PV2_1": 2.0, "PV2_2": 180.0, "PV2_3": 60.0},
}
ALL = (*ZENITHAL, *CYLINDRICAL, *PSEUDO, *CONICS, *OTHERS)

CASES: dict[str, dict[str, Any]] = {}
for _code in ALL:
    _more: dict[str, Any] = PARAMETERS.get(_code, {})
    CASES[f"{_code} small"] = cards(_code, 2000, 1500, 1e-3, **_more, **ROTATED)
    CASES[f"{_code} all sky"] = cards(_code, 720, 400, 0.5, "G", **_more)
for _code in ("TAN", "SIN", "ZEA", "ARC", "STG", "SFL", "CAR", "AIT"):
    _sip = cards(_code, 20000, 20000, 5e-5, **SIP)
    CASES[f"{_code} SIP"] = _sip | {key: f"{_sip[key]}-SIP" for key in ("CTYPE1", "CTYPE2")}
CASES["TPV"] = {k: v for k, v in (cards("TPV", 20000, 10000, 5e-5) | TPV).items() if not k.startswith("CDELT")}
for _code in ("TAN", "CAR", "AIT", "SIN", "HPX"):
    CASES[f"{_code} LONPOLE"] = cards(_code, 3000, 2000, 0.01, CRVAL2=35.0, LONPOLE=33.0)
CASES["CAR oblique all sky"] = cards("CAR", 800, 500, 0.5, CRVAL2=50.0, LONPOLE=30.0)
CASES["TAN at the pole"] = cards("TAN", 3000, 3000, 1e-3, CRVAL2=90.0)
CASES["TAN latitude first"] = cards("TAN", 900, 700, 1e-3) | {
    "CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": -40.0, "CRVAL2": 200.0
}  # fmt: skip
CASES["TAN one pixel"] = cards("TAN", 1, 1, 1e-3)
CASES["TAN slit"] = cards("TAN", 40000, 3, 1e-5)
CASES["HPLN TAN"] = cards("TAN", 4096, 4096, 1.7e-4, "HP", CRVAL1=0.0)
for _code in ("TAN", "SIN", "ZEA"):
    CASES[f"{_code} lookup"] = cards(_code, 2048, 1024, 1e-4, CPDIS1="LOOKUP", CPDIS2="LOOKUP")


def lookup_tables() -> list[fits.ImageHDU]:
    """Two smooth tables of half a pixel, as the HST's cameras have them."""
    y, x = np.mgrid[:17, :33]
    found = []
    for version, values in enumerate((0.4 * np.sin(x / 9) * np.cos(y / 7), 0.3 * np.cos(x / 11 + y / 13)), 1):
        hdu = fits.ImageHDU(values.astype(np.float32), name="WCSDVARR", ver=version)
        for axis in (1, 2):
            hdu.header[f"CRPIX{axis}"], hdu.header[f"CRVAL{axis}"], hdu.header[f"CDELT{axis}"] = 1.0, 1.0, 64.0
        found.append(hdu)
    return found


def write(path: Path, header: dict[str, Any]) -> None:
    hdu = fits.PrimaryHDU()
    size = header["NAXIS1"], header["NAXIS2"]
    hdu.header["BITPIX"], hdu.header["NAXIS"] = 8, 2
    one = fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", size[0]), ("NAXIS2", size[1])])
    one.update({key: value for key, value in header.items() if not key.startswith("NAXIS")})
    tables = []
    if "CPDIS1" in header:
        tables = lookup_tables()
        for axis in (1, 2):
            for key, value in (("EXTVER", axis), ("NAXES", 2), ("AXIS.1", 1), ("AXIS.2", 2)):
                one.append(fits.Card.fromstring(f"DP{axis}     = '{key}: {float(value)}'"))
    # A hole: the pixels are never looked at.
    with path.open("wb") as file:
        file.write(one.tostring().encode("ascii"))
        file.truncate(-(-(file.tell() + size[0] * size[1]) // 2880) * 2880)
        file.seek(0, 2)
        for table in tables:
            file.write(table.header.tostring().encode("ascii"))
            data = np.asarray(table.data, ">f4").tobytes()
            file.write(data + bytes(-len(data) % 2880))


def oracle(path: Path) -> WCS:
    with warnings.catch_warnings(), fits.open(path) as hdus:
        warnings.simplefilter("ignore")
        return WCS(hdus[0].header, hdus)


@dataclass
class Case:
    name: str
    description: dict[str, Any]
    wcs: WCS
    pixels: Array
    """Sampled at random, corners and centre among them."""
    world: Array
    """By astropy: longitude and latitude."""


def world_of(wcs: WCS, pixels: Array) -> Array:
    return np.asarray(wcs.all_pix2world(pixels, 1)[:, [wcs.wcs.lng, wcs.wcs.lat]])


def errors_px(wcs: WCS, pixels: Array, found: Array, truth: Array) -> Array:
    """Distances, in pixels, between positions in degrees: their difference times the inverse of the local derivative.

    Pixels that are more than a hundred times longer than wide are measured by their longer side.
    """
    step = 1e-2
    columns = []
    for shift in ([step, 0.0], [0.0, step]):
        ahead, behind = (unit_vectors(world_of(wcs, pixels + sign * np.array(shift))) for sign in (1, -1))
        columns.append((ahead - behind) / (2 * step))
    jacobian = np.stack(columns, axis=-1)
    assert np.isfinite(jacobian).all()
    moved = np.linalg.pinv(jacobian, rcond=1e-2) @ (unit_vectors(found) - unit_vectors(truth))[..., np.newaxis]
    return np.asarray(np.linalg.norm(moved[..., 0], axis=1))


def apart(one: Array, other: Array) -> Array:
    """Radians between positions in degrees."""
    return np.asarray(2 * np.arcsin(np.linalg.norm(unit_vectors(one) - unit_vectors(other), axis=1) / 2))


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    folder, found = tmp_path_factory.mktemp("wcs"), []
    rng = np.random.default_rng(5)
    for name, header in CASES.items():
        path = folder / f"{name.replace(' ', '_')}.fits"
        write(path, header)
        description = describe_wcs(open_cube(path).layer())
        assert description is not None, name
        size = np.array([header["NAXIS1"], header["NAXIS2"]], float)
        pixels = 0.5 + rng.uniform(0, 1, (POINTS, 2)) * size
        pixels[:5] = [[0.5, 0.5], size + 0.5, [0.5, size[1] + 0.5], [size[0] + 0.5, 0.5], size / 2 + 0.5]
        wcs = oracle(path)
        found.append(Case(name, description, wcs, pixels, world_of(wcs, pixels)))
    return found


@pytest.fixture(scope="module")
def browser(cases: list[Case], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the client's own code makes of the descriptions, under Node.js."""
    node, bundler = shutil.which("node"), CLIENT / "node_modules" / "rolldown" / "bin" / "cli.mjs"
    if node is None or not bundler.is_file():
        pytest.skip("needs Node.js and client/node_modules: python client/build.py")
    bundle = tmp_path_factory.mktemp("bundle") / "wcs.mjs"
    command = [node, str(bundler), str(CLIENT / "src" / "core" / "wcs.ts"), "-f", "esm", "-o", str(bundle)]
    subprocess.run(command, check=True, capture_output=True, cwd=CLIENT)
    questions = [
        {
            "description": case.description,
            "pixels": case.pixels.tolist(),
            "world": [None if np.isnan(one).any() else one.tolist() for one in case.world],
        }
        for case in cases
    ]
    script = [node, str(Path(__file__).with_name("evaluate_wcs.mjs")), str(bundle)]
    done = subprocess.run(script, check=True, capture_output=True, text=True, input=json.dumps(questions))
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(answers) == len(cases)
    return answers


def _summary(wrong: list[tuple[Any, ...]]) -> dict[str, tuple[int, tuple[Any, ...]]]:
    """How many are wrong of each case, and the first."""
    names = dict.fromkeys(one[0] for one in wrong)
    return {name: (sum(o[0] == name for o in wrong), next(o[1:] for o in wrong if o[0] == name)) for name in names}


def test_every_projection_is_among_them() -> None:
    assert len(CASES) >= 25
    assert len(ALL) == 28


def test_sky_of_pixels(cases: list[Case], browser: list[dict[str, Any]]) -> None:
    wrong: list[tuple[Any, ...]] = []
    for case, answer in zip(cases, browser, strict=True):
        stated = case.description["max_err_px"]
        assert stated < 0.1, case.name
        there = np.isfinite(case.world[:, 0])
        skies = answer["sky"]
        wrong += [
            (case.name, case.pixels[i].tolist(), sky)
            for i, sky in enumerate(skies)
            if sky != "ask" and (sky is not None) != there[i]
        ]
        known = [i for i, sky in enumerate(skies) if there[i] and isinstance(sky, list)]
        found = np.array([skies[i] for i in known])
        errors = errors_px(case.wcs, case.pixels[known], found, case.world[known])
        wrong += [
            (case.name, case.pixels[i].tolist(), e, stated) for i, e in zip(known, errors, strict=True) if e > stated
        ]
    assert _summary(wrong) == {}


def test_pixels_of_sky(cases: list[Case], browser: list[dict[str, Any]]) -> None:
    """The pixel lies where the sky is, by astropy; all-sky projections have places that lie in two pixels."""
    wrong: list[tuple[Any, ...]] = []
    for case, answer in zip(cases, browser, strict=True):
        stated = case.description["max_err_px"]
        there = np.isfinite(case.world[:, 0])
        pixels = answer["pixels"]
        wrong += [
            (case.name, case.pixels[i].tolist(), None) for i, one in enumerate(pixels) if there[i] and one is None
        ]
        known = [i for i, pixel in enumerate(pixels) if there[i] and isinstance(pixel, list)]
        at = np.array([pixels[i] for i in known])
        errors = errors_px(case.wcs, at, world_of(case.wcs, at), case.world[known])
        wrong += [
            (case.name, case.pixels[i].tolist(), e, stated) for i, e in zip(known, errors, strict=True) if e > stated
        ]
    assert _summary(wrong) == {}


def test_most_of_the_sky_needs_no_request(cases: list[Case], browser: list[dict[str, Any]]) -> None:
    shares = {}
    for case, answer in zip(cases, browser, strict=True):
        there = np.isfinite(case.world[:, 0])
        asked = sum(sky == "ask" for sky, real in zip(answer["sky"], there, strict=True) if real)
        shares[case.name] = asked / there.sum()
        # QSC has folds along the diagonals of its faces, XPH four at the pole.
        folded = case.name in ("QSC small", "XPH small") or "lookup" in case.name
        if "all sky" not in case.name and not folded:
            assert asked == 0, case.name
            assert "ask" not in answer["pixels"], case.name
    assert {name: share for name, share in shares.items() if share > 0.55} == {}
    assert np.median([share for name, share in shares.items() if "all sky" in name]) < 0.1, shares


def test_other_frames(cases: list[Case], browser: list[dict[str, Any]]) -> None:
    (index,) = (i for i, case in enumerate(cases) if case.name == "TAN small")
    world, galactic = cases[index].world, np.array(browser[index]["galactic"])
    expected = SkyCoord(*world.T, unit="deg").galactic
    there = np.column_stack([expected.l.deg, expected.b.deg])
    assert np.degrees(apart(galactic, there)).max() < 0.01 * 1e-3
    assert set(cases[index].description["rotations"]) >= {"icrs", "fk5", "galactic", "supergalactic"}
    solar = next(case for case in cases if case.name == "HPLN TAN")
    assert solar.description["rotations"] == {}
    assert solar.description["frame"] == "HPLN-TAN/HPLT-TAN"


def test_descriptions_are_small(cases: list[Case]) -> None:
    sizes = {case.name: len(json.dumps(case.description)) for case in cases}
    assert sizes["TAN SIP"] < 10_000
    assert max(sizes.values()) < 800_000
