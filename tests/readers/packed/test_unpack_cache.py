"""The folder of unpacked files: once for all, within limits, and nothing half done in it."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.processes import wait_until
from tests.readers.packed.packed_files import PACKINGS, bomb, noise, plain
from visiomatic_dask.cube import Cube, SourceFile, Window
from visiomatic_dask.errors import CubeChanged, TooLarge, Unavailable, UnreadableCube
from visiomatic_dask.readers import UnpackCache, open_cube, to_be_unpacked
from visiomatic_dask.readers.packed.progress_lock import ProgressLock

SHAPE = (300, 400)
SIZE = len(plain(*SHAPE))


@pytest.fixture
def cache(tmp_path: Path) -> UnpackCache:
    return UnpackCache(tmp_path / "cache" / "unpacked", 10**8, 10**9)


def packed(folder: Path, name: str, packing: str = "gzip") -> Path:
    path = folder / name
    path.write_bytes(PACKINGS[packing](plain(*SHAPE)))
    return path


def names(cache: UnpackCache) -> set[str]:
    return {path.name for path in cache.folder.iterdir()}


def key(path: Path) -> str:
    return SourceFile.of(path).fingerprint


def pixels(cube: Cube) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return cube.layers[0].reader.read(Window.whole(SHAPE))


@pytest.mark.parametrize("packing", PACKINGS)
def test_unpacked_once_and_progress_is_told(tmp_path: Path, cache: UnpackCache, packing: str) -> None:
    path = packed(tmp_path, "a.fits.gz", packing)
    told: list[tuple[int, int]] = []
    assert to_be_unpacked(path, cache) == SourceFile.of(path)
    first = open_cube(path, cache=cache, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert {total for _, total in told} == {path.stat().st_size}
    assert 0 < told[-1][0] <= told[-1][1]
    assert names(cache) == {key(path)}
    assert (cache.folder / key(path)).read_bytes() == plain(*SHAPE)
    told.clear()
    assert to_be_unpacked(path, cache) is None
    second = open_cube(path, cache=cache, progress=lambda done, total: told.append((done, total)))
    assert told == []
    assert second.source == first.source
    np.testing.assert_array_equal(pixels(second), noise(*SHAPE))


def test_opened_again_without_a_look_at_the_compressed_data(tmp_path: Path, cache: UnpackCache) -> None:
    path = packed(tmp_path, "a.fits.gz")
    open_cube(path, cache=cache)
    times = path.stat()
    with path.open("r+b") as file:  # whoever unpacked this would see that it is damaged
        file.seek(512)
        file.write(bytes(times.st_size - 512))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    np.testing.assert_array_equal(pixels(open_cube(path, cache=cache)), noise(*SHAPE))


def test_folder_is_private_and_files_are_as_readable_as_theirs(tmp_path: Path, cache: UnpackCache) -> None:
    for mode in (0o600, 0o640, 0o644):
        path = packed(tmp_path, f"{mode}.fits.gz")
        path.chmod(mode)
        open_cube(path, cache=cache)
        assert (cache.folder / key(path)).stat().st_mode & 0o777 == mode
    assert cache.folder.stat().st_mode & 0o077 == 0


def test_what_cannot_be_opened_is_not_unpacked(tmp_path: Path, cache: UnpackCache) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"hello" * 10**6))
    assert to_be_unpacked(path, cache) is None
    with pytest.raises(UnreadableCube, match="no known format"):
        open_cube(path, cache=cache)
    assert not cache.folder.exists()


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path, cache: UnpackCache) -> None:
    """0.3 MB that hold 264 MB: ended soon after the limit, with a few pieces in memory, and nothing left behind."""
    path = tmp_path / "bomb.fits.gz"
    path.write_bytes(bomb(264 * 10**6))
    assert path.stat().st_size < 300_000
    written: list[int] = []

    def look(_done: int, _total: int) -> None:
        written.append(sum(one.stat().st_size for one in cache.folder.iterdir()))

    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match=r"bomb\.fits\.gz holds more than .* \(visiomatic\.unpack-limit\)"):
            open_cube(path, cache=replace(cache, unpack_limit=20 * 10**6), progress=look)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 10 * 10**6 < max(written) <= 20 * 10**6 + 100  # and what the lock says
    assert peak < 16 * 2**20
    assert names(cache) == set()
    with pytest.raises(TooLarge, match=r"\(visiomatic\.cache-limit\)"):
        open_cube(path, cache=replace(cache, limit=10**6))
    assert names(cache) == set()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[: len(data) // 2], "is truncated: its gzip data end too early"),
        (lambda data: data[:-4], "is truncated: its gzip data end too early"),
        (lambda data: data[:200_000] + b"\xff" * 1000 + data[201_000:], "is damaged: gzip finds an error in its data"),
        (lambda data: data[:-8] + b"\0\0\0\0" + data[-4:], "is damaged: gzip finds an error in its data"),
        (lambda data: data + b"and more", "is damaged: what follows its gzip data is something else"),
    ],
)
def test_damaged(tmp_path: Path, cache: UnpackCache, damage: Callable[[bytes], bytes], words: str) -> None:
    path = packed(tmp_path, "a.fits.gz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UnreadableCube, match=f"^folder/a {words}") as caught:
        open_cube(path, name="folder/a", cache=cache)
    assert str(tmp_path) not in str(caught.value)
    assert names(cache) == set()


def test_least_recently_used_goes_first(tmp_path: Path, cache: UnpackCache) -> None:
    cache = replace(cache, limit=3 * SIZE)
    paths = [packed(tmp_path, f"{index}.fits.gz") for index in range(4)]
    cubes = [open_cube(path, cache=cache) for path in paths[:3]]
    assert names(cache) == {key(path) for path in paths[:3]}
    open_cube(paths[0], cache=cache)
    open_cube(paths[3], cache=cache)
    assert names(cache) == {key(paths[index]) for index in (0, 2, 3)}
    cubes[2].source.check()  # as the server does with what it has open
    open_cube(packed(tmp_path, "4.fits.gz"), cache=cache)
    assert names(cache) == {key(tmp_path / f"{index}.fits.gz") for index in (2, 3, 4)}
    with pytest.raises(CubeChanged, match="no longer unpacked"):
        pixels(cubes[1])
    np.testing.assert_array_equal(pixels(cubes[2]), noise(*SHAPE))


def test_what_is_being_unpacked_is_not_evicted(tmp_path: Path, cache: UnpackCache) -> None:
    """While one is half done, another takes all the room; there is none for both, and the first is not touched."""
    cache = replace(cache, limit=int(1.5 * SIZE))
    one, other = packed(tmp_path, "one.fits.gz"), packed(tmp_path, "other.fits.gz")
    (cache.folder).mkdir(parents=True)
    lock = ProgressLock.take(cache.folder / f"{key(one)}.lock")
    assert lock is not None
    part = cache.folder / f"{key(one)}.part"
    part.write_bytes(bytes(SIZE))
    with pytest.raises(Unavailable, match=r"other\.fits\.gz must wait: other files are being unpacked"):
        open_cube(other, cache=cache)
    assert names(cache) == {part.name, f"{key(one)}.lock"}
    lock.release()  # as if its process had died
    open_cube(other, cache=cache)
    assert names(cache) == {key(other)}


def test_full_disk(tmp_path: Path, cache: UnpackCache) -> None:
    path = packed(tmp_path, "a.fits.gz")
    with pytest.raises(UnreadableCube, match=r"^a\.fits\.gz cannot be unpacked: .* are free on the disk of the cache"):
        open_cube(path, cache=replace(cache, spare=2**60))
    assert names(cache) == set()


def test_disk_that_takes_no_more(tmp_path: Path, cache: UnpackCache) -> None:
    """The system's own refusal, by a limit on the size of files."""
    path = packed(tmp_path, "a.fits.gz")
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
    )
    finished = opening(path, cache, code)
    _, errors = finished.communicate(timeout=60)
    assert finished.returncode == 1
    assert "a.fits.gz cannot be unpacked into the folder of visiomatic.cache-folder: File too large" in errors
    assert names(cache) == set()


@pytest.mark.parametrize("where", ["/proc/nowhere", "{}/a.fits.gz"])
def test_folder_that_cannot_be(tmp_path: Path, cache: UnpackCache, where: str) -> None:
    path = packed(tmp_path, "a.fits.gz")
    with pytest.raises(UnreadableCube, match=r"cannot be unpacked into the folder of visiomatic\.") as caught:
        open_cube(path, cache=replace(cache, folder=Path(where.format(tmp_path)) / "unpacked"))
    assert str(tmp_path) not in str(caught.value)


def test_given_up_by_its_caller(tmp_path: Path, cache: UnpackCache) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_cube(packed(tmp_path, "a.fits.gz"), cache=cache, progress=stop)
    assert names(cache) == set()


def test_replaced_while_unpacked(tmp_path: Path, cache: UnpackCache) -> None:
    path = packed(tmp_path, "a.fits.gz")

    def replace_it(_done: int, _total: int) -> None:
        packed(tmp_path, "new").replace(path)

    with pytest.raises(CubeChanged):
        open_cube(path, cache=cache, progress=replace_it)
    assert names(cache) == set()
    np.testing.assert_array_equal(pixels(open_cube(path, cache=cache)), noise(*SHAPE))


def test_changed_file_is_unpacked_anew(tmp_path: Path, cache: UnpackCache) -> None:
    path = packed(tmp_path, "a.fits.gz")
    before = open_cube(path, cache=cache)
    path.write_bytes(gzip.compress(plain(20, 30)))
    after = open_cube(path, cache=cache)
    assert after.layers[0].shape == (20, 30)
    assert after.fingerprint != before.fingerprint


def test_threads_unpack_once(tmp_path: Path, cache: UnpackCache) -> None:
    path = packed(tmp_path, "a.fits.gz")
    inodes: set[int] = set()

    def look(_: int) -> Cube:
        cube = open_cube(path, cache=cache)
        inodes.add((cache.folder / key(path)).stat().st_ino)
        return cube

    with ThreadPoolExecutor(8) as pool:
        cubes = list(pool.map(look, range(16)))
    assert len({cube.source for cube in cubes}) == len(inodes) == 1
    assert names(cache) == {key(path)}


def opening(path: Path, cache: UnpackCache, before: str = "", progress: str = "None") -> subprocess.Popen[str]:
    """Open a cube in a process of its own."""
    code = (
        f"import os, sys, time\nfrom pathlib import Path\n{before}\n"
        "from visiomatic_dask.readers import UnpackCache, open_cube\n"
        f"cache = UnpackCache(Path({str(cache.folder)!r}), {cache.unpack_limit}, {cache.limit})\n"
        f"print(open_cube({str(path)!r}, cache=cache, progress={progress}).fingerprint)"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_unpack_once_and_both_tell_how_far_it_is(tmp_path: Path, cache: UnpackCache) -> None:
    """The first stops half-way until it is told to go on; meanwhile the second hears of its progress."""
    path = packed(tmp_path, "a.fits.gz")
    go, told = tmp_path / "go", []
    wait = f"lambda *_: [time.sleep(0.02) for _ in iter(lambda: os.path.exists({str(go)!r}), True)]"
    with opening(path, cache, progress=wait) as first:
        lock = cache.folder / f"{key(path)}.lock"
        wait_until(lambda: lock.exists() and lock.stat().st_size > 0)

        def tell(done: int, total: int) -> None:
            told.append((done, total))
            go.touch()

        cube = open_cube(path, cache=cache, progress=tell)
        output, errors = first.communicate(timeout=60)
    assert (first.returncode, errors) == (0, "")
    assert output.strip() == cube.fingerprint
    size = path.stat().st_size
    assert told
    assert all(0 < done <= total == size for done, total in told)
    assert names(cache) == {key(path)}


def test_killed_half_way(tmp_path: Path, cache: UnpackCache) -> None:
    """What a process leaves that is killed goes when that file is opened again, or any other."""
    path, other = packed(tmp_path, "a.fits.gz"), packed(tmp_path, "b.fits.gz")
    for opened, expected in ((path, {key(path)}), (other, {key(other)})):
        shutil.rmtree(cache.folder, ignore_errors=True)
        with opening(path, cache, progress="lambda *_: time.sleep(60)") as child:
            wait_until(lambda: cache.folder.is_dir() and f"{key(path)}.part" in names(cache))
            child.send_signal(signal.SIGKILL)
            child.communicate(timeout=60)
        assert names(cache) == {f"{key(path)}.part", f"{key(path)}.lock"}
        np.testing.assert_array_equal(pixels(open_cube(opened, cache=cache)), noise(*SHAPE))
        assert names(cache) == expected


def test_lock_of_one_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = ProgressLock.take(path)
    assert first is not None
    assert ProgressLock.take(path) is None
    first.release()
    assert not path.exists()
    second = ProgressLock.take(path)
    assert second is not None
    second.release()


def test_no_descriptor_is_left_open(tmp_path: Path, cache: UnpackCache) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("no /proc on this system: descriptors cannot be counted")
    good, bad = packed(tmp_path, "a.fits.gz"), packed(tmp_path, "b.fits.gz")
    os.truncate(bad, 200_000)
    before = len(list(folder.iterdir()))
    for _ in range(10):
        open_cube(good, cache=cache)
        with pytest.raises(UnreadableCube):
            open_cube(bad, cache=cache)
        shutil.rmtree(cache.folder)
    assert len(list(folder.iterdir())) == before
