"""What OME-NGFF says of images: axes, scales, levels (https://ngff.openmicroscopy.org, versions 0.1 to 0.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TCZYX = ("t", "c", "z", "y", "x")
_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


@dataclass(frozen=True)
class ImageAxis:
    """An axis: its name, its type (space, time, channel, or nothing) and its unit."""

    name: str
    kind: str
    unit: str


@dataclass(frozen=True)
class Dataset:
    """One level.

    Attributes
    ----------
    path : str
        Of the array, below the group.
    scale, translation : tuple of float
        World coordinate along an axis = scale × index + translation; empty where nothing is said.
    """

    path: str
    scale: tuple[float, ...] = ()
    translation: tuple[float, ...] = ()


@dataclass(frozen=True)
class Multiscale:
    """One image at several resolutions, finest first.

    Attributes
    ----------
    name : str
        Its name, or an empty string.
    axes : tuple of ImageAxis
        In array order; empty where nothing is said.
    datasets : tuple of Dataset
        The levels; one at least.
    """

    name: str
    axes: tuple[ImageAxis, ...]
    datasets: tuple[Dataset, ...]


def multiscales(attributes: Mapping[str, Any]) -> list[Multiscale]:
    """Read the ``multiscales`` of a group: in ``ome`` since version 0.5. What is malformed is left out."""
    found = _ome(attributes).get("multiscales")
    images = (_multiscale(one) for one in found if isinstance(one, dict)) if isinstance(found, list) else ()
    return [one for one in images if one.datasets]


def child_paths(attributes: Mapping[str, Any]) -> list[str]:
    """Return what a group's own metadata say lies in it, every folder on the way: for stores that cannot be listed.

    Paths that would lead out of the group are left out.
    """
    ome = _ome(attributes)
    paths = [dataset.path for image in multiscales(attributes) for dataset in image.datasets]
    labels = ome.get("labels")
    paths += [one for one in labels if isinstance(one, str)] if isinstance(labels, list) else []
    paths += ["labels"] if multiscales(attributes) else []
    parts = [[part for part in path.split("/") if part] for path in paths if is_below(path)]
    return list(dict.fromkeys("/".join(part[:depth]) for part in parts for depth in range(1, len(part) + 1)))


def is_below(path: str) -> bool:
    """Whether a path that somebody wrote into metadata stays where it is relative to."""
    return not {".", ".."}.intersection(path.split("/")) and "\0" not in path


def channel_names(attributes: Mapping[str, Any]) -> list[str]:
    """Labels of the channels (``omero``), in order; empty where there are none."""
    omero = _ome(attributes).get("omero") or attributes.get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(channels, list):
        return []
    return [str(one.get("label", "")) if isinstance(one, dict) else "" for one in channels]


def plate_size(attributes: Mapping[str, Any]) -> tuple[int, str] | None:
    """Count the wells of a plate (high-content screening), and return the path of the first; None for anything else."""
    plate = _ome(attributes).get("plate")
    if not isinstance(plate, dict):
        return None
    wells = plate.get("wells")
    paths = [str(one.get("path")) for one in wells if isinstance(one, dict)] if isinstance(wells, list) else []
    return len(paths), paths[0] if paths else "A/1"


def _ome(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    ome = attributes.get("ome")
    return ome if isinstance(ome, dict) else attributes


def _multiscale(found: Mapping[str, Any]) -> Multiscale:
    datasets = found.get("datasets")
    whole = _transform(found.get("coordinateTransformations"))
    levels = tuple(
        _dataset(one, whole)
        for one in (datasets if isinstance(datasets, list) else ())
        if isinstance(one, dict) and isinstance(one.get("path"), str)
    )
    name = found.get("name")
    return Multiscale(name if isinstance(name, str) else "", _axes(found.get("axes")), levels)


def _dataset(found: Mapping[str, Any], whole: tuple[tuple[float, ...], tuple[float, ...]]) -> Dataset:
    """Put a level's own transformation and that of the whole image, which comes after it, together."""
    scale, shift = _transform(found.get("coordinateTransformations"))
    factor, offset = whole
    if factor and len(factor) == len(scale):
        scale = tuple(a * b for a, b in zip(scale, factor, strict=True))
        shift = tuple(a * b for a, b in zip(shift, factor, strict=True)) if shift else ()
    if offset and len(offset) == len(scale):
        shift = tuple(a + b for a, b in zip(shift or (0.0,) * len(scale), offset, strict=True))
    return Dataset(found["path"].strip("/"), scale, shift)


def _transform(found: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and translation of a list of transformations."""
    steps = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    by_type = {step.get("type"): step for step in steps}
    return _numbers(by_type.get("scale", {}).get("scale")), _numbers(by_type.get("translation", {}).get("translation"))


def _numbers(found: Any) -> tuple[float, ...]:
    good = isinstance(found, list) and all(isinstance(one, int | float) for one in found)
    return tuple(float(one) for one in found) if good else ()


def _axes(found: Any) -> tuple[ImageAxis, ...]:
    """Axes: objects since 0.4, names in 0.3, nothing before, when all images were t, c, z, y, x."""
    if found is None:
        return tuple(ImageAxis(name, _TYPES[name], "") for name in _TCZYX)
    return tuple(_axis(one) for one in found) if isinstance(found, Sequence) else ()


def _axis(found: Any) -> ImageAxis:
    if isinstance(found, dict):
        name = str(found.get("name", ""))
        return ImageAxis(name, str(found.get("type", _TYPES.get(name, ""))), str(found.get("unit") or ""))
    return ImageAxis(str(found), _TYPES.get(str(found), ""), "")
