"""What is in a store: its pyramids, how large they are, how complete, and when they were used last."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visiomatic_dask.errors import PyramidGone, StoreError
from visiomatic_dask.pyramid.store.folder import HIDDEN, StoreFolder
from visiomatic_dask.pyramid.store.ledger import LEDGER, LIFE, ROOT
from visiomatic_dask.pyramid.store.ledger_file import decode
from visiomatic_dask.pyramid.store.ledger_state import LedgerState
from visiomatic_dask.pyramid.store.shards import PyramidPlan
from visiomatic_dask.pyramid.store.tree import address_in

logger = logging.getLogger(__name__)

USED = "used"
"""A file in the root of a pyramid whose time says when it was used last."""
_FEW = 64
"""Files up to which they are counted; above, the ledger says how large they are."""
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class StoredPyramid:
    """A pyramid as it is found in a store.

    Attributes
    ----------
    address : str
        Of its root group.
    cube, layer : str
        Names of what it was made from.
    fingerprint : str
        Of the version that it was made from.
    size : int
        Bytes.
    used : float
        When it was used last, within an hour, or created; seconds since 1970.
    share : float
        How much of the source is in it, 0 to 1; exactly 1 when nothing is missing at any level.
    is_claimed : bool
        Whether it is being built.
    """

    address: str
    cube: str
    layer: str
    fingerprint: str
    size: int
    used: float
    share: float
    is_claimed: bool


def pyramids(store: str) -> list[StoredPyramid]:
    """List the pyramids of a store; whatever else is in the folder, and what cannot be read, is passed over.

    Parameters
    ----------
    store : str
        Path or URL of the store; it need not be there.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    folder = StoreFolder.of(store)
    names = [name for name in folder.names() if name.endswith(".zarr") and not name.startswith(HIDDEN)]
    found = []
    for name in names:
        try:
            found.append(_pyramid(address_in(store, name)))
        except StoreError as error:  # somebody else's, who lets nobody read it
            logger.warning("%s, in the store, is passed over: %s", name, error)
    return [one for one in found if one is not None]


def touch(address: str) -> None:
    """Note that a pyramid is being used; written down at most once an hour, so that it can be called often.

    Parameters
    ----------
    address : str
        Of its root group.

    Raises
    ------
    PyramidGone
        If it is not there.
    UnwritableStore
        If it cannot be noted.
    """
    folder = StoreFolder.of(address)
    used = folder.modified(USED)
    if used is not None and abs(time.time() - used) < _HOUR:
        return
    if folder.modified(ROOT) is None:
        raise PyramidGone(f"{folder.name} is no longer in the store")
    folder.write(USED, b"")


def last_use(folder: StoreFolder) -> float:
    """Return when a pyramid was used last, or created; seconds since 1970."""
    return max(folder.modified(USED) or 0.0, folder.modified(ROOT) or 0.0)


def claims_in(folder: StoreFolder, plan: PyramidPlan | None) -> tuple[LedgerState | None, bool]:
    """Return what the ledger of a pyramid says, if that is known, and whether anybody builds it.

    Of a ledger that cannot be understood, the time of its last change tells.
    """
    data = folder.read(LEDGER)
    if data is None:
        return None, False
    if plan is not None:
        try:
            state = decode(data, plan)
        except (ValueError, StoreError):
            pass
        else:
            return state, state.is_claimed(time.time())
    return None, abs(time.time() - (folder.modified(LEDGER) or 0.0)) < 2 * LIFE


def described(folder: StoreFolder) -> Mapping[str, Any] | None:
    """Return what the root of a pyramid says of it, or None if it is none of ours."""
    data = folder.read(ROOT)
    try:
        found = json.loads(data or b"null")["attributes"]["visiomatic"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, Mapping) else None


def plan_of(description: Mapping[str, Any]) -> PyramidPlan | None:
    """Return how a pyramid is cut, or None if another version has laid it out."""
    try:
        return PyramidPlan(**description["plan"])
    except (KeyError, TypeError):
        return None


def _pyramid(address: str) -> StoredPyramid | None:
    folder = StoreFolder.of(address)
    description = described(folder)
    if description is None:
        return None
    plan = plan_of(description)
    state, is_claimed = claims_in(folder, plan)
    return StoredPyramid(
        address,
        str(description.get("cube", "")),
        str(description.get("layer", "")),
        str(description.get("fingerprint", "")),
        state.bytes if state is not None and state.files > _FEW else folder.usage().size,
        last_use(folder),
        _share(state),
        is_claimed,
    )


def _share(state: LedgerState | None) -> float:
    if state is None:
        return 0.0
    pixels = state.plan.width * state.plan.height * state.plan.count
    return 1.0 if state.is_whole else min(state.source_pixels / pixels, 0.999)
