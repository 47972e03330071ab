"""Where pyramids are kept: what the settings say, or a folder of this machine where the workers are on it, too."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

from visiomatic_dask.config import Settings
from visiomatic_dask.engine.cluster import ClusterTarget
from visiomatic_dask.errors import InvalidSetting
from visiomatic_dask.readers.place import is_url

logger = logging.getLogger(__name__)

NO_STORE = (
    "Zoomed-out views of large planes are made each time, or stay previews: give --store, or set visiomatic.store, "
    "to a folder that all workers see under the same path, or to a URL."
)
"""What to say where pyramids would be built, but there is nowhere to keep them."""


def with_store(settings: Settings, cluster: ClusterTarget | None) -> Settings:
    """Settle where pyramids are kept, and make the folder.

    Parameters
    ----------
    settings : Settings
        What is set. What has been settled stays as it is.
    cluster : ClusterAddress, BatchJobs or None
        Where the workers are; None for this machine.

    Returns
    -------
    Settings
        The same with the `store` that is used; or with the mode ``memory``, if there is none.

    Raises
    ------
    InvalidSetting
        If the folder that is set cannot be written to.
    """
    if settings.pyramid == "memory":
        return settings
    if settings.store is not None:
        if not is_url(settings.store):
            _make(Path(settings.store), parents=False)
        return settings
    if cluster is not None:
        logger.info("there is no store. %s", NO_STORE)
        return replace(settings, pyramid="memory")
    store = Path(settings.cache_folder) / "store"
    try:
        _make(store, parents=True)
    except InvalidSetting as error:
        logger.warning("nothing that is made of zoomed-out views is kept: %s", error)
        return replace(settings, pyramid="memory")
    return replace(settings, store=str(store))


def _make(folder: Path, *, parents: bool) -> None:
    """Make a folder, if need be, and make sure that it can be written to."""
    try:
        folder.mkdir(mode=0o777 if not parents else 0o700, parents=parents, exist_ok=True)
    except OSError as error:
        raise InvalidSetting(f"the store {folder} cannot be made: {error.strerror}", "store") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidSetting(f"the store {folder} cannot be written to: its permissions do not allow it", "store")
