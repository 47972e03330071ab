"""The suite every reader passes: subclass `ReaderContract`, give it files and what another library reads of them."""

from __future__ import annotations

import os
import pickle
import shutil
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.contracts.strategies import windows
from visiomatic_dask.cube import Reader, Window
from visiomatic_dask.errors import CubeChanged, InvalidRequest, UnreadableCube


@dataclass(frozen=True)
class Source:
    """A file, the reader of one of its layers, and its pixels as another library reads them."""

    path: Path
    reader: Reader
    pixels: NDArray[Any]


class ReaderContract(ABC):
    """What `visiomatic_dask.cube.Reader` promises."""

    @pytest.fixture
    @abstractmethod
    def source(self) -> Source:
        """One file, over a table of them; it is not changed."""

    @abstractmethod
    def reopen(self, source: Source, path: Path) -> Reader:
        """Open the layer of `source` in a copy of its file."""

    @abstractmethod
    def on_truncated(self, source: Source, path: Path) -> Reader:
        """Cut a copy of the file within the pixels of the layer; return a reader that takes it for the whole file."""

    def copy_files(self, source: Source, folder: Path) -> Path:
        """Copy all that the cube consists of into a folder; return the path that opens it."""
        path = folder / source.path.name
        if source.path.is_dir():
            shutil.copytree(source.path, path)
        else:
            shutil.copy(source.path, path)
        return path

    def witness(self, copy: Source) -> Path:
        """The file whose replacement shows that the cube was replaced."""
        return copy.path

    @pytest.fixture
    def copy(self, source: Source, tmp_path: Path) -> Source:
        """A copy of the cube, to be changed."""
        folder = tmp_path / "folder"
        folder.mkdir()
        path = self.copy_files(source, folder)
        return Source(path, self.reopen(source, path), source.pixels)

    def test_describes_itself(self, source: Source) -> None:
        reader = source.reader
        assert isinstance(reader, Reader)
        assert reader.shape == source.pixels.shape
        assert reader.dtype == source.pixels.dtype.newbyteorder("=")
        assert reader.dtype.isnative
        assert 1 <= reader.source_itemsize <= 8
        assert len(reader.chunks) == len(reader.shape)
        assert all(chunk >= 1 for chunk in reader.chunks)
        assert reader.fingerprint in reader.token

    @given(data=st.data())
    def test_windows_equal_the_oracle(self, source: Source, data: st.DataObject) -> None:
        window = data.draw(windows(source.reader.shape))
        pixels = source.reader.read(window)
        assert pixels.dtype == source.reader.dtype
        np.testing.assert_array_equal(pixels, source.pixels[window.slices])

    def test_whole_and_corners(self, source: Source) -> None:
        shape = source.reader.shape
        np.testing.assert_array_equal(source.reader.read(Window.whole(shape)), source.pixels)
        for corner in np.ndindex(*(2,) * len(shape)):
            index = tuple(one * (size - 1) for one, size in zip(corner, shape, strict=True))
            pixel = source.reader.read(Window(index, tuple(i + 1 for i in index)))
            np.testing.assert_array_equal(pixel.reshape(()), source.pixels[index])

    def test_empty_windows(self, source: Source) -> None:
        shape = source.reader.shape
        for axis, size in enumerate(shape):
            for edge in (0, size):
                start = tuple(edge if i == axis else 0 for i in range(len(shape)))
                stop = tuple(edge if i == axis else n for i, n in enumerate(shape))
                pixels = source.reader.read(Window(start, stop))
                assert pixels.shape == tuple(0 if i == axis else n for i, n in enumerate(shape))
                assert pixels.dtype == source.reader.dtype

    def test_outside_is_refused(self, source: Source) -> None:
        shape = source.reader.shape
        for axis in range(len(shape)):
            stop = tuple(n + (i == axis) for i, n in enumerate(shape))
            with pytest.raises(InvalidRequest, match="does not lie within shape"):
                source.reader.read(Window((0,) * len(shape), stop))
        for other in (shape[1:], (1, *shape)):
            with pytest.raises(InvalidRequest, match="does not lie within shape"):
                source.reader.read(Window.whole(other))

    def test_array_is_the_callers(self, source: Source) -> None:
        whole = Window.whole(source.reader.shape)
        for window in (whole, Window(whole.start, whole.stop, (*whole.step[:-1], 2))):
            pixels = source.reader.read(window)
            assert pixels.dtype.isnative
            assert pixels.flags.writeable
            assert pixels.flags.c_contiguous
            pixels[...] = 1
            np.testing.assert_array_equal(source.reader.read(window), source.pixels[window.slices])

    def test_threads_read_at_a_time(self, source: Source) -> None:
        whole = Window.whole(source.reader.shape)
        rows = [
            Window((*whole.start[:-2], y, 0), (*whole.stop[:-2], y + 1, whole.stop[-1])) for y in range(whole.stop[-2])
        ]
        many = [*rows, whole] * 8
        with ThreadPoolExecutor(8) as pool:
            for window, pixels in zip(many, pool.map(source.reader.read, many), strict=True):
                np.testing.assert_array_equal(pixels, source.pixels[window.slices])

    def test_pickled_equals(self, source: Source) -> None:
        for _ in range(2):  # before and after what is computed once is there
            other = pickle.loads(pickle.dumps(source.reader))
            assert other == source.reader
            assert hash(other) == hash(source.reader)
            assert other.token == source.reader.token
        whole = Window.whole(source.reader.shape)
        np.testing.assert_array_equal(other.read(whole), source.pixels)

    def test_opened_again_equals(self, source: Source) -> None:
        other = self.reopen(source, source.path)
        assert other == source.reader
        assert hash(other) == hash(source.reader)
        assert other.token == source.reader.token

    def test_pickle_is_a_description(self, source: Source) -> None:
        assert len(pickle.dumps(source.reader)) < 2000

    def test_replaced_between_two_reads(self, copy: Source) -> None:
        whole = Window.whole(copy.reader.shape)
        np.testing.assert_array_equal(copy.reader.read(whole), copy.pixels)
        witness = self.witness(copy)
        other = witness.with_suffix(".new")
        shutil.copy(witness, other)
        os.utime(other, ns=(0, witness.stat().st_mtime_ns + 1))
        other.replace(witness)
        with pytest.raises(CubeChanged, match=copy.path.name) as caught:
            copy.reader.read(whole)
        assert str(copy.path.parent) not in str(caught.value)
        again = self.reopen(copy, copy.path)
        assert again != copy.reader
        assert again.token != copy.reader.token
        assert again.fingerprint != copy.reader.fingerprint
        np.testing.assert_array_equal(again.read(whole), copy.pixels)

    def test_grown_between_two_reads(self, copy: Source) -> None:
        witness = self.witness(copy)
        times = witness.stat()
        with witness.open("ab") as file:
            file.write(bytes(2880))
        os.utime(witness, ns=(times.st_atime_ns, times.st_mtime_ns))
        with pytest.raises(CubeChanged):
            copy.reader.read(Window.whole(copy.reader.shape))

    @pytest.mark.parametrize("folder_too", [False, True])
    def test_removed(self, copy: Source, folder_too: bool) -> None:
        witness = self.witness(copy)
        witness.unlink()
        if folder_too:  # and a file where the folder was: another errno
            shutil.rmtree(witness.parent)
            witness.parent.touch()
        with pytest.raises(CubeChanged, match="no longer there"):
            copy.reader.read(Window.whole(copy.reader.shape))

    def test_truncated(self, copy: Source) -> None:
        reader = self.on_truncated(copy, copy.path)
        with pytest.raises(UnreadableCube, match=copy.path.name):
            reader.read(Window.whole(reader.shape))

    def test_emptied(self, copy: Source) -> None:
        os.truncate(self.witness(copy), 0)
        with pytest.raises(CubeChanged):
            copy.reader.read(Window.whole(copy.reader.shape))
        with pytest.raises(UnreadableCube):
            self.reopen(copy, copy.path)

    def test_permission_denied(self, copy: Source) -> None:
        witness = self.witness(copy)
        witness.chmod(0)
        if os.access(witness, os.R_OK):
            pytest.skip("root may read everything")
        with pytest.raises(UnreadableCube, match="cannot be read"):
            copy.reader.read(Window.whole(copy.reader.shape))
