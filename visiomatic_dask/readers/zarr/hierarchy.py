"""The nodes of a Zarr hierarchy, version 2 or 3: from consolidated metadata where there are any, else folder by folder.

Read here and not by zarr itself, for which one array that it cannot make sense of spoils the whole group, and which
does not say what files it has looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers.zarr.ngff import child_paths, is_below, plate_size
from visiomatic_dask.readers.zarr.store import MetadataStore

MOST_NODES = 1000
"""Arrays and groups that are looked at."""
MARKERS = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
"""Files of which a folder that is Zarr holds at least one."""
_FILES_2 = (".zgroup", ".zarray", ".zmetadata", ".zattrs")


@dataclass(frozen=True)
class Node:
    """An array or a group.

    Attributes
    ----------
    path : str
        Where it is below the root, which is an empty string itself.
    document : dict
        Its metadata (``zarr.json``; ``.zarray`` or ``.zgroup`` with ``.zattrs`` as ``attributes``).
    files : tuple of str
        The files that say so.
    """

    path: str
    document: dict[str, Any]
    files: tuple[str, ...]

    @property
    def is_array(self) -> bool:
        """Whether it is an array, else a group."""
        return self.document.get("node_type") == "array" or "chunks" in self.document

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes, as they stand in the file."""
        found = self.document.get("attributes")
        return found if isinstance(found, dict) else {}

    @property
    def parent(self) -> str:
        """Path of the group that it is in."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Hierarchy:
    """The nodes by path, and what is to be said of them."""

    nodes: dict[str, Node]
    notes: list[str] = field(default_factory=list)

    @cached_property
    def children(self) -> dict[str, list[Node]]:
        """Nodes of every group, by its path; of a hierarchy that is complete."""
        found: dict[str, list[Node]] = {path: [] for path in self.nodes}
        for path, node in self.nodes.items():
            if path:
                found.setdefault(node.parent, []).append(node)
        return found


def read_hierarchy(store: MetadataStore) -> Hierarchy:
    """Read the metadata of all nodes, level by level.

    Raises
    ------
    UnreadableCube
        If a file of metadata holds something else; or there are none.
    """
    found = Hierarchy({})
    level = [""]
    names: tuple[str, ...] = ("zarr.json", *_FILES_2)
    while level:
        below: list[str] = []
        files = store.get([joined(path, name) for path in level for name in names])
        if level == [""]:  # all nodes are of the version that the root is of
            names = ("zarr.json",) if "zarr.json" in files else _FILES_2
        for path in level:
            nodes = _nodes_at(store.name, path, files)
            found.nodes.update(nodes)
            here = nodes.get(path)
            if here is None or here.is_array or len(nodes) > 1 or plate_size(here.attributes):
                continue
            listed = store.folders(path)
            children = dict.fromkeys([*(listed or ()), *child_paths(here.attributes)])
            below.extend(where for child in children if (where := joined(path, child)) not in found.nodes)
            if listed is None and not children:
                found.notes.append(f"what lies in its group {path or '/'} cannot be listed")
        if len(found.nodes) + len(below) > MOST_NODES:
            found.notes.append(f"it holds more than {MOST_NODES} arrays and groups, of which the first are looked at")
            below = below[: max(0, MOST_NODES - len(found.nodes))]
        level = list(dict.fromkeys(below))
    if not found.nodes:
        raise UnreadableCube(f"{store.name} holds no Zarr metadata that can be read")
    return found


def _nodes_at(name: str, path: str, files: Mapping[str, bytes]) -> dict[str, Node]:
    """Nodes that the files at a path describe: that at the path, and those below where metadata are consolidated."""

    def load(file: str) -> dict[str, Any] | None:
        where = joined(path, file)
        return _parse(name, where, files[where]) if where in files else None

    document = load("zarr.json")
    if document is not None:
        files_3 = (joined(path, "zarr.json"),)
        nodes = {path: Node(path, document, files_3)}
        consolidated = document.pop("consolidated_metadata", None)
        members = consolidated.get("metadata") if isinstance(consolidated, dict) else None
        for below, one in members.items() if isinstance(members, dict) else ():
            if isinstance(one, dict) and is_below(below):
                where = joined(path, below)
                nodes[where] = Node(where, one, (joined(where, "zarr.json"), *files_3))
        return nodes
    consolidated = load(".zmetadata")
    if consolidated is not None and isinstance(consolidated.get("metadata"), dict):
        return _consolidated_2(path, consolidated["metadata"])
    document = load(".zarray")
    kind = ".zarray" if document is not None else ".zgroup"
    document = document if document is not None else load(".zgroup")
    if document is None:
        return {}
    attributes = load(".zattrs")
    names = [joined(path, kind)] + ([joined(path, ".zattrs")] if attributes is not None else [])
    return {path: Node(path, document | {"attributes": attributes or {}}, tuple(names))}


def _consolidated_2(path: str, members: Mapping[str, Any]) -> dict[str, Node]:
    nodes = {}
    witness = joined(path, ".zmetadata")
    for file, document in members.items():
        folder, _, kind = file.rpartition("/")
        if kind in (".zarray", ".zgroup") and isinstance(document, dict) and is_below(folder):
            attributes = members.get(joined(folder, ".zattrs"))
            where = joined(path, folder)
            names = [joined(where, kind)] + ([joined(where, ".zattrs")] if attributes is not None else [])
            nodes[where] = Node(where, document | {"attributes": attributes or {}}, (*names, witness))
    nodes.setdefault(path, Node(path, {"attributes": {}}, (witness,)))
    return nodes


def _parse(name: str, where: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise UnreadableCube(f"{name} is damaged: {where} is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise UnreadableCube(f"{name} is damaged: {where} holds no JSON object")
    return found


def joined(*parts: str) -> str:
    """Path of parts, of which some may be empty."""
    return "/".join(part for part in parts if part)
