"""The Dask tasks that make bricks: their functions, what these are given, and how they are submitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from distributed import Client, Future
from numpy.typing import NDArray

from visiomatic_dask.engine.bricks import Brick, BrickRecipe, part_key
from visiomatic_dask.engine.channel_sums import Combination, Part
from visiomatic_dask.engine.draft_recipe import DraftRecipe
from visiomatic_dask.engine.residency import Submit

_PRIORITY_DRAFT, _PRIORITY, _PRIORITY_AHEAD = 12, 10, 5
"""Drafts, for which nothing is there yet, and which take little; what is on screen; then what is read ahead, or follows
drafts. All before what others run on a shared cluster. Builds will have less.
"""


@dataclass(frozen=True, slots=True)
class BrickTask:
    """What a task is to make. Dask hashes what it maps over: here the key, which says it all.

    Attributes
    ----------
    key : str
        Of the task.
    recipe : BrickRecipe or Part
        Of a brick or a part of one.
    """

    key: str
    recipe: BrickRecipe | Part

    def __dask_tokenize__(self) -> str:
        return self.key


def make_brick(task: BrickTask) -> NDArray[Any]:
    """Make a brick, or a part of one: the task behind ``load-brick-…`` and ``mix-partial-…``."""
    return task.recipe.load()


def combine_parts(combination: Combination, partials: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Put a brick together of its parts: the task behind ``mix-combine-…``."""
    return combination.of(partials)


def tasks_of(brick: Brick) -> Iterator[BrickTask]:
    """List the tasks that read what a brick is made of."""
    if brick.assembly is None:
        yield BrickTask(brick.key, brick.recipe)
    else:
        yield from (BrickTask(part_key(part), part) for part in brick.assembly.parts)


def priority_of(one: Submit) -> int:
    """Dask's priority of what makes a brick: the higher, the sooner."""
    if isinstance(one.brick.recipe, DraftRecipe):
        return _PRIORITY_DRAFT
    return _PRIORITY_AHEAD if one.ahead else _PRIORITY


def submit_tasks(client: Client, groups: Mapping[tuple[str | None, int], Mapping[str, BrickTask]]) -> dict[str, Future]:
    """Submit tasks with one `client.map` a worker: with single submits each would wait for the comm's timers in turn.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous.
    groups : mapping
        Tasks by key, by the worker that had better run them (None for any) and their priority. What comes first is made
        first.
    """
    made: dict[str, Future] = {}
    for (worker, priority), group in groups.items():
        futures = client.map(
            make_brick, list(group.values()), key=list(group), **_preference(worker), priority=priority
        )
        made.update(zip(group, futures, strict=True))
    return made


def submit_combination(
    client: Client, key: str, combination: Combination, parts: Sequence[Future], worker: str | None, priority: int
) -> Future:
    """Submit the task that puts a brick together of its parts, before others of the same priority.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous.
    key : str
        Of the brick.
    combination : Combination
        How it is put together.
    parts : sequence of Future
        Of its parts, in their order. What is released before the scheduler has seen this task would be lost to it.
    worker : str or None
        Which had better run it.
    priority : int
        Of the parts.
    """
    return client.submit(combine_parts, combination, list(parts), key=key, **_preference(worker), priority=priority + 1)


def _preference(worker: str | None) -> dict[str, Any]:
    """Arguments that make a task run on a worker, or on another if that is gone."""
    return {"workers": None if worker is None else [worker], "allow_other_workers": worker is not None}
