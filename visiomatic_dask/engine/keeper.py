"""The brick keeper: carries out what the residency table says, with a Dask client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from distributed import Client, Future

from visiomatic_dask.engine.brick_tasks import BrickTask, priority_of, submit_combination, submit_tasks, tasks_of
from visiomatic_dask.engine.bricks import Brick, part_key
from visiomatic_dask.engine.channel_sums import Assembly
from visiomatic_dask.engine.placement import Placement, preferred
from visiomatic_dask.engine.residency import Deliver, Instruction, Locate, Release, Residency, State, Submit
from visiomatic_dask.errors import CubeChanged, Unavailable, VisiomaticError

logger = logging.getLogger(__name__)


class _Waiting:
    """Those who wait for a brick, and what they wait for."""

    def __init__(self) -> None:
        self.news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.count = 0


class BrickKeeper:
    """Submits bricks, holds their futures, and knows where they are.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous.
    live_workers : callable
        Gives the addresses of the workers that can be used now.

    Attributes
    ----------
    told : callable
        Is told the key of every brick that has come into memory, or could not be made, and why not.
    is_promised : callable
        Says of a key whether the brick is to be made although nobody waits for it.
    """

    def __init__(self, client: Client, live_workers: Callable[[], Sequence[str]]) -> None:
        self.residency = Residency()
        self.told: Callable[[str, BaseException | None], None] = lambda _key, _error: None
        self.is_promised: Callable[[str], bool] = lambda _key: False
        self._client = client
        self._live_workers = live_workers
        self._futures: dict[str, Future] = {}
        self._parts: dict[str, list[Future]] = {}
        self._sent_to: dict[str, set[str]] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._to_submit: list[Submit] = []
        self._to_locate: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def holders(self, brick: Brick) -> tuple[str, ...]:
        """Return the workers that are known to hold a brick, which counts as used; none if it is not wanted yet."""
        return self.residency.use(brick.key)

    def is_news(self, brick: Brick) -> bool:
        """Whether nobody has used a brick since it was read, or has wanted it at all."""
        residency = self.residency
        return residency.state(brick.key) is None or residency.is_ahead(brick.key)

    async def where(
        self, brick: Brick, patience: float, viewer: str = "", comes_later: Callable[[], bool] = lambda: False
    ) -> tuple[str, ...]:
        """Return the workers that hold a brick, having it made first where need be.

        Parameters
        ----------
        brick : Brick
            The brick.
        patience : float
            Seconds to wait for it. Where that is not enough there are no workers to return; it is still being made.
        viewer : str
            Who wants it: viewers take turns.
        comes_later : callable
            Says, where the caller is cancelled, whether that is because time is up, and somebody will ask again: then
            what is being made goes on. Else it stops, if it takes long and nobody else waits for it.

        Raises
        ------
        VisiomaticError
            Whatever kept the brick from being made.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + patience
        self.carry_out(self.residency.want(brick, viewer))
        while not (workers := self.residency.workers(brick.key)):
            if self.residency.state(brick.key) is None:
                self.carry_out(self.residency.want(brick, viewer))
            if not await self._news(brick.key, end - loop.time(), comes_later):
                return ()
        return workers

    async def _news(self, key: str, patience: float, comes_later: Callable[[], bool]) -> bool:
        """Wait until something becomes of a brick; False if nothing has in time."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting()
        waiting.count += 1
        try:
            # Unlike `wait_for`, this neither cancels what others wait for too nor takes a brick's error for its own.
            done, _ = await asyncio.wait([waiting.news], timeout=max(0.0, patience))
        except asyncio.CancelledError:
            is_made = self.residency.state(key) is not State.WANTED
            goes_on = (is_made and comes_later()) or self.is_promised(key)
            if waiting.count == 1 and not goes_on:  # the last who waited
                self.carry_out(self.residency.unwanted(key))
            raise
        finally:
            waiting.count -= 1
            if not waiting.count and self._waiting.get(key) is waiting:
                del self._waiting[key]
        if done:
            waiting.news.result()
        return bool(done)

    def ahead(self, wanted: Iterable[Brick], unwanted: Iterable[str]) -> None:
        """Have bricks made ahead of their use, as far as there is nothing better to do, and others not any more.

        What is promised to somebody is made nevertheless.
        """
        for key in unwanted:
            if not self.is_promised(key):
                self.carry_out(self.residency.unwanted_ahead(key))
        for brick in wanted:
            self.carry_out(self.residency.want_ahead(brick))

    def make_elsewhere(self, brick: Brick, usable: Container[str]) -> None:
        """Have a brick made anew if none of the workers that hold it, or were to make it, can be used.

        Dask itself takes five minutes to notice that a worker is frozen.
        """
        holders, sent_to = self.residency.workers(brick.key), self._sent_to.get(brick.key, ())
        lost = not any(worker in usable for worker in holders) if holders else any(w not in usable for w in sent_to)
        if lost:
            self.carry_out(self.residency.abandoned(brick.key))

    def forsake(self, worker: str) -> None:
        """Have everything that a worker was to make, and has not made yet, made elsewhere.

        Whether somebody waits for it or not: what never comes would take the place of what could.
        """
        for key in [key for key, sent_to in self._sent_to.items() if worker in sent_to]:
            if self.residency.state(key) is State.ARRIVING:
                self.carry_out(self.residency.abandoned(key))

    def forget(self, fingerprints: Container[str]) -> None:
        """Let go of all bricks of files that are others now, or gone; whoever waits for one is told so."""
        if self._closed:
            return
        waited_for = [key for key in self._waiting if self.residency.state(key) is not None]
        instructions = self.residency.forget(fingerprints)
        self.carry_out(instructions)
        for key in waited_for:
            if self.residency.state(key) is None:
                self._deliver(key, CubeChanged("the file has changed since it was opened; open it again"))
        if any(isinstance(one, Release) for one in instructions):  # there may be more
            asyncio.get_running_loop().call_soon(self.forget, fingerprints)

    def carry_out(self, instructions: Iterable[Instruction]) -> None:
        """Carry out what the residency table says."""
        loop = asyncio.get_running_loop()
        for one in instructions:
            match one:
                case Submit():
                    if not self._to_submit:
                        # What is wanted in this turn of the loop goes together; and not in the next one, in which Dask
                        # lets go of what is released in this: a key must be let go of before it is submitted anew.
                        loop.call_soon(loop.call_soon, self._submit)
                    self._to_submit.append(one)
                case Locate(key, delay):
                    loop.call_later(delay, self._locate_soon, key)
                case Deliver(key):
                    self._deliver(key, None)
                case Release(key):
                    self._sent_to.pop(key, None)
                    future = self._futures.pop(key, None)
                    if future is not None:
                        future.release()
                    self._release_parts(key)

    async def close(self) -> None:
        """Let go of every brick, and of everyone who waits for one."""
        self._closed = True  # timers that are still to fire find the client gone
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for key in list(self._waiting):
            self._deliver(key, Unavailable("the server is shutting down"))
        futures, self._futures = self._futures, {}
        for future in futures.values():
            future.release()
        for key in list(self._parts):
            self._release_parts(key)

    def _release_parts(self, key: str) -> None:
        """Let go of the parts of a brick: those that have not run never will, unless the brick is still wanted."""
        for future in self._parts.pop(key, ()):
            future.release()

    def _submit(self) -> None:
        submitted = {one.brick.key: one for one in self._to_submit}
        self._to_submit = []
        if self._closed:
            return
        workers = self._live_workers()
        groups: dict[tuple[str | None, int], dict[str, BrickTask]] = {}
        arriving = [one for key, one in submitted.items() if self.residency.state(key) is State.ARRIVING]
        for one in arriving:  # and none that was let go of in the same turn
            for task in tasks_of(one.brick):
                where = self._sent(one.brick.key, task.recipe.placement, workers)
                groups.setdefault((where, priority_of(one)), {})[task.key] = task
        made = submit_tasks(self._client, groups)
        for one in arriving:
            key, assembly = one.brick.key, one.brick.assembly
            self._futures[key] = made[key] if assembly is None else self._combine(one, assembly, made, workers)
            self._watch(key, self._futures[key])

    def _combine(self, one: Submit, assembly: Assembly, made: Mapping[str, Future], workers: Sequence[str]) -> Future:
        """Submit the task that puts a brick together of its parts, whose futures are held until that ends."""
        key = one.brick.key
        parts = [made[part_key(part)] for part in assembly.parts]
        # Of futures of its own for each brick: two may share a part, and one be let go of.
        self._parts[key] = [Future(part.key, self._client) for part in parts]
        worker = self._sent(key, one.brick.recipe.placement, workers)
        return submit_combination(self._client, key, assembly.combination, parts, worker, priority_of(one))

    def _sent(self, key: str, placement: Placement, workers: Sequence[str]) -> str | None:
        """Choose the worker that is to make a brick, or a part of one, and note that for the brick."""
        worker = preferred(placement, workers)
        if worker is not None:
            self._sent_to.setdefault(key, set()).add(worker)
        return worker

    def _watch(self, key: str, future: Future) -> None:
        """Be told when a brick's task is done, without fetching its result: arrays never come to the front end.

        (`distributed.wait` would do, but it asks for a current client, and `Client.as_current` changes Dask's
        configuration for everyone in the process, for good where two of them overlap.)
        """
        loop = asyncio.get_running_loop()

        def done(_: Future) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._done, key, future)

        future.add_done_callback(done)

    def _done(self, key: str, future: Any) -> None:
        if key not in self._futures or self._futures[key] is not future:
            return
        self._release_parts(key)
        if future.status == "finished":
            self.carry_out(self.residency.finished(key))
        else:
            self._spawn(self._failed(key, future))

    async def _failed(self, key: str, future: Any) -> None:
        error: BaseException = Unavailable("the cluster has dropped a brick; it is being looked after")
        if future.status == "error":
            error = await future.exception() or error
        self.carry_out(self.residency.failed(key))
        self._deliver(key, error)

    def _locate_soon(self, key: str) -> None:
        if not self._to_locate:
            asyncio.get_running_loop().call_soon(lambda: self._spawn(self._locate()))
        self._to_locate.append(key)

    async def _locate(self) -> None:
        keys, self._to_locate = self._to_locate, []
        if self._closed:
            return
        try:
            holders = await self._client.scheduler.who_has(keys=keys)
        except OSError as error:
            logger.warning("the scheduler does not say where bricks are: %s", error)
            holders = {}
        for key in keys:
            self.carry_out(self.residency.located(key, holders.get(key, ())))

    def _deliver(self, key: str, error: BaseException | None) -> None:
        self.told(key, error)
        waiting = self._waiting.pop(key, None)
        if waiting is None:
            return
        if error is None:
            waiting.news.set_result(None)
            return
        if not isinstance(error, VisiomaticError):
            logger.error("brick %s failed", key, exc_info=error)
        waiting.news.set_exception(error)
        waiting.news.exception()  # those who waited may all have gone; the error has been logged or is theirs

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("looking after a brick failed", exc_info=error)
