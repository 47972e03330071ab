"""Keeping a store within its limit: the pyramids that nobody has used for long go, whole, and what was left half done.

Any number of processes may do so at the same time, while others read and build. A pyramid is renamed before it is
deleted, under the lock of its ledger: so nobody can claim anything of it in between, and who reads it later finds
nothing rather than a part of it, which is `PyramidGone`.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Container, Sequence

from visiomatic_dask.errors import PyramidGone, StoreError, UnwritableStore
from visiomatic_dask.pyramid.store.folder import HIDDEN, StoreFolder
from visiomatic_dask.pyramid.store.inventory import (
    StoredPyramid,
    claims_in,
    described,
    last_use,
    plan_of,
    pyramids,
    touch,
)
from visiomatic_dask.pyramid.store.ledger import LOCK, ROOT
from visiomatic_dask.pyramid.store.lock import LockLost, StoreLock
from visiomatic_dask.pyramid.store.tree import address_in

__all__ = ["make_room", "remove_leftovers", "touch"]

_OLD = 3600.0
"""Seconds after which nobody is still at what was begun."""
_PATIENCE = 2.0
"""Seconds to wait for the lock of a pyramid: one that is that busy is in use."""
_NAME = r".+-[0-9a-f]{16}\.zarr"
_PYRAMID = re.compile(_NAME)
_GONE = re.compile(rf"\.gone-[0-9a-f]{{8}}-{_NAME}")
_DRAFT = re.compile(rf"\.{_NAME}\.[0-9a-f]{{8,}}")
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}")

logger = logging.getLogger(__name__)


def make_room(store: str, limit: int, keep: Container[str] = ()) -> list[str]:
    """Remove pyramids until what is left of a store takes no more than so many bytes; and leftovers.

    Those of versions that are no longer current go first, then those that were used longest ago. What somebody is
    building stays, even if the store is then too large.

    Parameters
    ----------
    store : str
        Path or URL of the store; it need not be there.
    limit : int
        Bytes.
    keep : container of str
        Addresses of pyramids that stay.

    Returns
    -------
    list of str
        Addresses of those that were removed.

    Raises
    ------
    StoreError
        If the store cannot be read, or is too large still, since something cannot be removed.
    """
    remove_leftovers(store)
    found = pyramids(store)
    size = sum(one.size for one in found)
    removed: list[str] = []
    failure: UnwritableStore | None = None
    for one in _least_wanted_first(found):
        if size <= limit:
            break
        if one.address in keep or one.is_claimed:
            continue
        try:
            is_removed = _remove(store, one)
        except PyramidGone:  # somebody else has removed it
            size -= one.size
            continue
        except UnwritableStore as error:
            failure = error
            continue
        if is_removed:
            size -= one.size
            removed.append(one.address)
            logger.info("%s of %s, layer %s, removed from the store", one.address, one.cube, one.layer)
    if failure is not None and size > limit:
        raise failure
    return removed


def remove_leftovers(store: str) -> list[str]:
    """Remove what processes that were killed have left: half created, half deleted, temporary files.

    Only what is named as we name it, and what nobody has changed for an hour, unless it was being deleted.

    Returns
    -------
    list of str
        Addresses of what was removed.
    """
    folder = StoreFolder.of(store)
    removed: list[str] = []
    for name in folder.names():
        try:
            if _is_left(folder, name):
                if folder.remove_tree(name):
                    removed.append(address_in(store, name))
            elif _PYRAMID.fullmatch(name) and not name.startswith(HIDDEN):
                _remove_temporary(StoreFolder.of(address_in(store, name)))
        except StoreError as error:
            logger.warning("%s, in the store, is left over and cannot be removed: %s", name, error)
    return removed


def _least_wanted_first(found: Sequence[StoredPyramid]) -> list[StoredPyramid]:
    current: dict[tuple[str, str], StoredPyramid] = {}
    for one in sorted(found, key=lambda one: one.used):
        current[one.cube, one.layer] = one
    return sorted(found, key=lambda one: (one.fingerprint == current[one.cube, one.layer].fingerprint, one.used))


def _remove(store: str, one: StoredPyramid) -> bool:
    folder = StoreFolder.of(one.address)
    try:
        with StoreLock(folder, LOCK, patience=_PATIENCE).held() as hold:
            if _is_in_use(folder, one.used):
                return False
            hold.check()
            return StoreFolder.of(store).remove_tree(folder.name)
    except LockLost:
        return False
    except (PyramidGone, UnwritableStore):
        raise
    except StoreError as error:
        logger.info("%s is in use, and stays in the store: %s", folder.name, error)
        return False


def _is_in_use(folder: StoreFolder, used: float) -> bool:
    """Whether somebody builds a pyramid, or has used it since it was listed."""
    description = described(folder)
    if description is None:
        raise PyramidGone(f"{folder.name} is no longer in the store")
    _, is_claimed = claims_in(folder, plan_of(description))
    return is_claimed or last_use(folder) > used


def _is_left(folder: StoreFolder, name: str) -> bool:
    if _GONE.fullmatch(name):
        return True
    is_draft = _DRAFT.fullmatch(name) is not None
    if not is_draft and not (_PYRAMID.fullmatch(name) and folder.modified(f"{name}/{ROOT}") is None):
        return False
    return _is_old(folder, name)


def _remove_temporary(folder: StoreFolder) -> None:
    for name in folder.names():
        if _TEMPORARY.fullmatch(name) and _is_old(folder, name):
            folder.delete(name)


def _is_old(folder: StoreFolder, name: str) -> bool:
    changed = folder.modified(name)
    return changed is not None and time.time() - changed > _OLD
