"""A spectral copy: a layer at full resolution and in full precision, chunked for spectra; and how it is built.

Its root group has one array, `data`, of the shape and the dtype of the layer, and its coordinates. A shard is one file,
written at once, also where there is nothing in it: what is there is complete.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Cube, Layer, Reader
from visiomatic_dask.cube.source import digest
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.pyramid.store.blosc import zarr_codec
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece, nothing
from visiomatic_dask.pyramid.store.shards import Shard
from visiomatic_dask.pyramid.store.spectral_plan import DEFAULT_LIMITS, SpectralLimits, SpectralPlan
from visiomatic_dask.pyramid.store.spectral_shard import encode_shard, join_shard
from visiomatic_dask.pyramid.store.tree import address_in, read_root, readable_name, write_tree
from visiomatic_dask.pyramid.store.zarr_documents import add_coordinate, documents, header_text, new_root

VERSION = 1
"""Of the layout: copies of another are neither read nor written to."""


@dataclass(frozen=True)
class SpectralCopy:
    """One spectral copy, of one layer of one version of a cube. Frozen and picklable: it travels to workers.

    Attributes
    ----------
    address : str
        Absolute path, or URL, of its root group: the same on every worker.
    token, fingerprint : str
        The reader's that it was made from.
    plan : SpectralPlan
        How it is cut.
    dtype : str
        Of its pixels, in native byte order: the reader's.
    """

    address: str
    token: str
    fingerprint: str
    plan: SpectralPlan
    dtype: str

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.address.rpartition("/")[2]

    @property
    def fill(self) -> float:
        """What pixels are that are not stored."""
        return math.nan if np.dtype(self.dtype).kind == "f" else 0

    def path(self, shard: Shard) -> str:
        """Path of a shard's file below the root."""
        return "data/" + ".".join(["c", *map(str, self.plan.index(shard))])

    def pieces(self) -> list[Piece]:
        """All there is to build: every shard, whole."""
        return [Piece(shard, *self.plan.planes(shard)) for shard in self.plan.shards()]

    def build(self, reader: Reader, piece: Piece, before_writing: Callable[[], None] = nothing) -> BuiltPiece:
        """Build a shard; see `build_spectral`."""
        return build_spectral(self, reader, piece, before_writing)


def build_spectral(
    copy: SpectralCopy, reader: Reader, piece: Piece, before_writing: Callable[[], None] = nothing
) -> BuiltPiece:
    """Read the band of a shard, once, and write the shard.

    It holds the pixels of the shard (96 MiB at most) and what is read at a time (16 MiB, or a storage chunk), then the
    pixels and what they are compressed to, and at last that and the file: 200 MB where nothing can be compressed.

    Parameters
    ----------
    copy : SpectralCopy
        What it belongs to.
    reader : Reader
        The layer.
    piece : Piece
        Which shard; always all of it.
    before_writing : callable
        Called when the shard is made; what it raises keeps it from being written.

    Raises
    ------
    VisiomaticError
        Whatever kept it from being read or written.
    """
    plan = copy.plan
    chunks = list(encode_shard(_band(copy, reader, piece.shard), plan.chunk, plan.chunks_within, copy.fill))
    content = join_shard(chunks)
    before_writing()
    StoreFolder.of(copy.address).write(copy.path(piece.shard), content)
    return BuiltPiece(piece, plan.window(piece.shard).size * reader.source_itemsize, len(content), ())


def _band(copy: SpectralCopy, reader: Reader, shard: Shard) -> NDArray[Any]:
    """Read the pixels of a shard, in the order in which they are stored."""
    plan = copy.plan
    whole = plan.window(shard)
    pixels = np.empty(whole.shape, copy.dtype)
    in_order = pixels if plan.upwards else pixels[..., ::-1, :]
    for window in plan.reads(reader, shard):
        place = tuple(
            slice(a - first, b - first) for a, b, first in zip(window.start, window.stop, whole.start, strict=True)
        )
        in_order[place] = reader.read(window)
    return pixels


def _ending(token: str) -> str:
    """Say what the name of the copy of a layer ends with: as those of pyramids do, but for a word."""
    return f"-spectral-{digest(f'spectral:{VERSION}:{token}')}.zarr"


def find_spectral(store: str, token: str) -> SpectralCopy | None:
    """Find the spectral copy of a layer in the store, or None.

    Parameters
    ----------
    store : str
        Path or URL.
    token : str
        Of the layer's reader.

    Raises
    ------
    UnreadableCube
        If it is there and damaged.
    StoreError
        If the store cannot be read, or the copy went at this moment.
    """
    ending = _ending(token)
    found = [name for name in StoreFolder.of(store).names() if name.endswith(ending) and not name.startswith(".")]
    return open_spectral(address_in(store, found[0])) if found else None


def create_spectral(store: str, cube: Cube, layer: Layer, limits: SpectralLimits = DEFAULT_LIMITS) -> SpectralCopy:
    """Create the spectral copy of a layer, empty; or open it, if it is there.

    Several processes may do so at the same time: all get the one that was there first.

    Parameters
    ----------
    store : str
        Path or URL.
    cube, layer : Cube, Layer
        What to copy.
    limits : SpectralLimits, optional
        What it is cut by; one that is there stays as it is.

    Raises
    ------
    UnreadableCube
        If it is there and damaged.
    StoreError
        If the store cannot be read or written to.
    """
    reader = layer.reader
    there = find_spectral(store, reader.token)
    if there is not None:
        return there
    address = address_in(store, f"{readable_name(layer.name, cube.name)}{_ending(reader.token)}")
    copy = SpectralCopy(address, reader.token, reader.fingerprint, SpectralPlan.of(reader, limits), reader.dtype.name)
    write_tree(address, _documents(copy, cube, layer))
    return open_spectral(address)


def open_spectral(address: str) -> SpectralCopy:
    """Open a spectral copy.

    Raises
    ------
    PyramidGone
        If there is none.
    UnreadableCube
        If it is damaged, or of another version of the layout.
    """
    name = address.rpartition("/")[2]
    try:
        described = json.loads(read_root(address))["attributes"]["visiomatic"]
        if described["version"] != VERSION or described["kind"] != "spectral":
            raise UnreadableCube(f"{name} is laid out by version {described['version']}; allowed: {VERSION}")
        plan: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in described["plan"].items()
        }
        return SpectralCopy(
            address, described["token"], described["fingerprint"], SpectralPlan(**plan), described["dtype"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableCube(f"{name} is no spectral copy of this program, or damaged ({error!r})") from error


def _documents(copy: SpectralCopy, cube: Cube, layer: Layer) -> dict[str, bytes]:
    """Make all files of an empty copy, by their paths; the root with the metadata of all others comes last."""
    from zarr.codecs import BytesCodec, ShardingCodec

    plan = copy.plan
    files: dict[str, Any] = {}
    root = new_root(files)
    names = [axis.name for axis in layer.axes]
    root.create_array(
        "data",
        shape=plan.shape,
        dtype=copy.dtype,
        chunks=plan.shard,
        serializer=ShardingCodec(
            chunk_shape=plan.chunk,
            codecs=[BytesCodec(), zarr_codec(plan.itemsize)],
            index_codecs=[BytesCodec()],
            index_location="start",
        ),
        compressors=None,
        filters=None,
        fill_value=copy.fill,
        chunk_key_encoding={"name": "default", "separator": "."},
        dimension_names=names,
        attributes={"units": layer.unit} if layer.unit else {},
    )
    for axis in layer.axes:
        about: dict[str, Any]
        if axis.kind in ("x", "y"):
            values = np.arange(axis.size, dtype=np.float64)
            values = values[::-1] if axis.kind == "y" and not plan.upwards else values
            about = {"long_name": f"FITS pixel along {axis.kind}, from 0", "units": "pixel"}
        elif axis.coordinates is not None:
            values = np.asarray(axis.coordinates, np.float64)
            about = {"units": axis.unit} if axis.unit else {}
        else:
            continue
        add_coordinate(root, axis.name, values, about)
    described = {
        "version": VERSION,
        "kind": "spectral",
        "cube": cube.name,
        "layer": layer.name,
        "format": cube.format,
        "token": copy.token,
        "fingerprint": copy.fingerprint,
        "plan": asdict(plan),
        "dtype": copy.dtype,
        "unit": layer.unit,
        "header": layer.header_text,
    }
    return documents(files, {"visiomatic": described, "wcs": header_text(layer.wcs)})
