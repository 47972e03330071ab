"""Zarr, version 2 and 3: folders, zip files and URLs that hold an array, or a hierarchy of them."""

from __future__ import annotations

import dataclasses

from visiomatic_dask.cube import Cube, Source
from visiomatic_dask.errors import UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers.place import Place
from visiomatic_dask.readers.zarr.arrays import Coordinates, NotAnImage, StoredArray, stored_array
from visiomatic_dask.readers.zarr.hierarchy import MARKERS, Hierarchy, read_hierarchy
from visiomatic_dask.readers.zarr.layers import MOST_LAYERS, Image, find_images, make_layers
from visiomatic_dask.readers.zarr.ngff import plate_size
from visiomatic_dask.readers.zarr.store import MetadataStore, metadata_of

_ZIP = b"PK\x03\x04"


class ZarrFormat:
    """Zarr, as the registry sees it."""

    name = "Zarr"
    description = (
        "Zarr 2 and 3, in folders and zip files: arrays, groups, xarray datasets, OME-NGFF images and other pyramids"
    )

    def matches(self, place: Place) -> bool:
        """Whether a folder holds metadata of Zarr, or a zip file begins with them or says so by its name."""
        if place.is_folder:
            return any(place.has(name) for name in MARKERS)
        return place.head.startswith(_ZIP) and (
            place.name.endswith(".zarr.zip") or _first_in_zip(place.head).rpartition("/")[2] in MARKERS
        )

    def open(self, place: Place, name: str) -> Cube:
        """Open what lies at a place; see `open_zarr`."""
        return open_zarr(place.address if place.is_folder else str(place.path), name)  # a zip file must lie here


def _first_in_zip(head: bytes) -> str:
    """Name of the first file in a zip file (PKWARE's APPNOTE.TXT, section 4.3.7)."""
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].decode(errors="replace")


def open_zarr(address: str, name: str) -> Cube:
    """Open a Zarr hierarchy from its metadata and coordinates: no pixel is read, whatever its size.

    Parameters
    ----------
    address : str
        Path of the folder or zip file, or a URL that fsspec knows.
    name : str
        What the cube is called.

    Returns
    -------
    Cube
        A layer for every array of 2 to 5 dimensions that is no coordinate, called by its path; levels of a pyramid
        belong to the layer of full resolution.

    Raises
    ------
    UnsupportedFormat
        If there is nothing that could be shown.
    UnreadableCube
        If its metadata are damaged, or its codecs not installed.
    OSError
        If they cannot be read.
    """
    store = metadata_of(address)
    hierarchy = read_hierarchy(store)
    for node in hierarchy.nodes.values():
        plate = plate_size(node.attributes)
        if plate is not None:
            wells, first = plate
            raise UnsupportedFormat(f"{name} is a plate of {wells} wells; open the fields of one, as {first}, instead")
    arrays, problems = _arrays(store, hierarchy)
    images = find_images(hierarchy, arrays)
    if not images:
        raise _refusal(name, hierarchy, problems)
    notes = [*hierarchy.notes, *(str(one) for one in problems.values() if isinstance(one, UnreadableCube))]
    if len(images) > MOST_LAYERS:
        notes.append(f"it holds {len(images)} images, of which {MOST_LAYERS} are shown; open one of its groups instead")
    coordinates = Coordinates(arrays)
    first_layer, *others = make_layers(images, coordinates)
    first_layer = dataclasses.replace(first_layer, warnings=(*notes, *first_layer.warnings))
    return Cube(name, "Zarr", _source(store, hierarchy, images[:MOST_LAYERS], coordinates), (first_layer, *others))


def _arrays(
    store: MetadataStore, hierarchy: Hierarchy
) -> tuple[dict[str, StoredArray], dict[str, NotAnImage | UnreadableCube]]:
    """Arrays of numbers by path, and what is wrong with the others."""
    arrays: dict[str, StoredArray] = {}
    problems: dict[str, NotAnImage | UnreadableCube] = {}
    for path, node in hierarchy.nodes.items():
        if node.is_array:
            try:
                arrays[path] = stored_array(store, node)
            except (NotAnImage, UnreadableCube) as problem:
                problems[path] = problem
    return arrays, problems


def _source(store: MetadataStore, hierarchy: Hierarchy, images: list[Image], coordinates: Coordinates) -> Source:
    """Of all that became layers: their metadata, those of their groups, and the folders of their chunks."""
    files: dict[str, None] = dict.fromkeys(hierarchy.nodes[""].files)
    folders: dict[str, None] = {}
    for image in images:
        for array in (image.finest, *(one for one, _ in image.coarser)):
            files.update(dict.fromkeys(array.node.files))
            folders.update(dict.fromkeys((array.path, f"{array.path}/c".lstrip("/"))))
            group = hierarchy.nodes.get(array.node.parent)
            files.update(dict.fromkeys(group.files if group is not None else ()))
    for node in coordinates.nodes:
        files.update(dict.fromkeys(node.files))
        folders.update(dict.fromkeys((node.path, f"{node.path}/c")))
    return store.source(files, folders)


def _refusal(
    name: str, hierarchy: Hierarchy, problems: dict[str, NotAnImage | UnreadableCube]
) -> UnsupportedFormat | UnreadableCube:
    """Say what a hierarchy holds that cannot be shown."""
    for problem in problems.values():
        if isinstance(problem, UnreadableCube):
            return problem
    held = []
    for path, node in sorted(hierarchy.nodes.items()):
        if node.is_array:
            shape: object = problems.get(path) or " × ".join(map(str, node.document["shape"])) or "a single value"
            held.append(f"{path or 'an array'} ({shape})")
    listed = ", ".join(held[:5]) + (f" and {len(held) - 5} more" if len(held) > 5 else "")
    notes = "".join(f"; {note}" for note in hierarchy.notes)
    return UnsupportedFormat(
        f"{name} is Zarr that holds no array of 2 to 5 dimensions that could be shown: {listed or 'only groups'}{notes}"
    )
