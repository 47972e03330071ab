"""The event hub: what subscribers get, whenever they come, go, and come back."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.engine.build_news import BuildProgress
from visiomatic_dask.pyramid.tiles import Box
from visiomatic_dask.server.events import EventHub, Message, Subscription, Watch

BOX = Box(0, 1, 256, 300)
A = Watch("a.fits", "SCI", "f00d", "token a")
B = Watch("b.fits", "SCI", "beef", "token b")
NAMES = {"cube": "a.fits", "layer": "SCI", "v": "f00d"}


def far(done_bytes: int, rate: float = 12.5, seconds_left: float | None = 3.0) -> BuildProgress:
    """Progress, as a builder tells it."""
    return BuildProgress(done_bytes, 1000, rate, seconds_left)


async def take(subscription: Subscription) -> Message:
    """The next message, which must be JSON."""
    message = await asyncio.wait_for(subscription.next(), 5)
    assert message is not None
    json.dumps(message, allow_nan=False)
    return message


async def take_all(subscription: Subscription, hub: EventHub) -> list[Message]:
    """Everything that waits: up to an event that is published now."""
    hub.failed(subscription.watch.token, "end of test")
    found = [await take(subscription)]
    while found[-1].get("msg") != "end of test":
        found.append(await take(subscription))
    return found[:-1]


def kinds(messages: list[Message]) -> list[str]:
    return [message["type"] for message in messages]


def test_what_a_subscriber_is_told() -> None:
    async def main() -> None:
        hub = EventHub()
        hub.exact("token a", 3, (0, 1), BOX)
        listener = hub.subscribe(A)
        assert hub.watched == {"token a"}
        hub.exact("token a", 4, (2, 5), BOX)
        hub.exact("token b", 4, (2, 5), BOX)
        hub.building("token a", far(7))
        hub.failed("token a", "the store is full")
        hub.built("token a")
        assert [await take(listener) for _ in range(5)] == [
            {"id": 1, "type": "hello", "boot": hub.boot, "builds": True, **NAMES},
            {"id": 2, "type": "exact", "level": 4, "planes": [2, 5], "box": [0, 1, 256, 300], **NAMES},
            {"id": 4, "type": "building", "done": 7, "total": 1000, "rate": 12.5, "left": 3.0, **NAMES},
            {"id": 5, "type": "failed", "msg": "the store is full", **NAMES},
            {"id": 6, "type": "built", **NAMES},
        ]
        listener.close()
        assert hub.watched == frozenset()
        assert await listener.next() is None

    asyncio.run(main())


def test_rates_that_are_no_numbers_are_null() -> None:
    async def main() -> None:
        hub = EventHub()
        listener = hub.subscribe(A)
        hub.building("token a", far(0, rate=float("inf"), seconds_left=float("nan")))
        assert kinds([await take(listener)]) == ["hello"]
        message = await take(listener)
        assert (message["rate"], message["left"]) == (None, None)

    asyncio.run(main())


def test_progress_is_told_four_times_a_second_and_the_latest_counts() -> None:
    async def main() -> None:
        hub = EventHub()
        listener = hub.subscribe(A)
        loop = asyncio.get_running_loop()
        began = loop.time()
        done = 0
        seen: list[int] = []

        async def listen() -> None:
            while True:
                message = await take(listener)
                if message["type"] == "building":
                    seen.append(message["done"])

        task = asyncio.create_task(listen())
        while loop.time() - began < 0.9:
            done += 1
            hub.building("token a", far(done))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.3)
        assert 3 <= len(seen) <= 6
        assert seen == sorted(set(seen))
        assert seen[0] == 1
        assert seen[-1] == done
        # Nothing is said again of what has ended.
        hub.building("token a", far(done + 1))
        hub.building("token a", far(done + 2))
        hub.built("token a")
        await asyncio.sleep(0.3)
        assert seen[-1] <= done + 1
        task.cancel()

    asyncio.run(main())


def test_who_comes_while_something_is_being_built_is_told_at_once() -> None:
    async def main() -> None:
        hub = EventHub()
        hub.building("token a", far(1))
        hub.building("token a", far(2))
        messages = await take_all(hub.subscribe(A), hub)
        assert kinds(messages) == ["hello", "building"]
        assert messages[1]["done"] == 2
        assert kinds(await take_all(hub.subscribe(A), hub)) == ["hello"]  # it has ended

    asyncio.run(main())


def test_another_layer_on_the_same_subscription() -> None:
    async def main() -> None:
        hub = EventHub()
        listener = hub.subscribe(A)
        hub.exact("token a", 1, (0, 1), BOX)
        listener.rewatch(B)
        assert hub.watched == {"token b"}
        hub.exact("token a", 2, (0, 1), BOX)
        hub.exact("token b", 3, (0, 1), BOX)
        messages = await take_all(listener, hub)
        assert [(one["type"], one["cube"], one.get("level")) for one in messages] == [
            ("hello", "b.fits", None),
            ("exact", "b.fits", 3),
        ]

    asyncio.run(main())


def test_a_slow_subscriber_is_bounded_and_told_to_look_anew() -> None:
    async def main() -> None:
        hub = EventHub(queued=10)
        slow, quick = hub.subscribe(A), hub.subscribe(A)
        for level in range(500):
            hub.exact("token a", level, (0, 1), BOX)
            hub.building("token a", far(level))
            while quick.waiting:
                await take(quick)
            assert slow.waiting <= 10
        messages = await take_all(slow, hub)
        # Whatever it gets after the reset has followed the reset without a gap.
        assert kinds(messages)[:2] == ["hello", "reset"]
        assert [one["level"] for one in messages if one["type"] == "exact"] == list(range(500))[
            500 - kinds(messages).count("exact") :
        ]

    asyncio.run(main())


def test_what_cannot_be_resumed_is_asked_for_anew() -> None:
    async def main() -> None:
        hub, other = EventHub(stored=3), EventHub(stored=3)
        for level in range(5):
            hub.exact("token a", level, (0, 1), BOX)
            other.exact("token a", level, (0, 1), BOX)
        numbers = ("", "1", "6", "-1", "٣", "9" * 5000, "5.5", "0x5", " 5")
        for since in ("", ".", "5", "\0", f"{other.boot}.5", *(f"{hub.boot}.{number}" for number in numbers)):
            last = await take(hub.subscribe(B))
            hello, reset = (await take_all(hub.subscribe(A, since), hub))[:2]
            assert (hello["type"], reset["type"]) == ("hello", "reset"), since
            assert last["id"] <= hello["id"] < reset["id"]
            hub.exact("token a", 9, (0, 1), BOX)

    asyncio.run(main())


@dataclass
class Coming:
    """A browser that is cut off, and comes back to the same server or another, as docs/web-api.md says it has to."""

    stored: int
    queued: int
    since: str | None = None
    resets: int = 0
    seen: list[int] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    known: set[int] = field(default_factory=set)
    """Of what was published: what it has been told, and what was exact when it asked for everything anew."""

    def restart(self) -> None:
        self.hub = EventHub(stored=self.stored, queued=self.queued)
        self.published, self.known = [], set()
        self.come()

    def come(self) -> None:
        self.listener = self.hub.subscribe(A, self.since)
        self.is_fresh = self.since is None

    def publish(self, action: str, count: int) -> None:
        match action:
            case "exact":
                self.published.append(count)
                self.hub.exact("token a", count, (0, 1), BOX)
            case "other":
                self.hub.exact("token b", count, (0, 1), BOX)
            case "built":
                self.hub.built("token a")
            case "building":
                self.hub.building("token a", far(1))

    async def take(self) -> None:
        message = await take(self.listener)
        kind, number = message["type"], message["id"]
        boot, _, last = (self.since or f"{self.hub.boot}.-1").partition(".")
        assert boot != self.hub.boot or number >= int(last) + (kind != "hello")
        self.resets += kind == "reset"
        if kind == "reset" or (kind == "hello" and self.is_fresh):
            self.known.update(self.published)
        elif kind == "exact":
            assert message["level"] not in self.seen
            self.seen.append(message["level"])
            self.known.add(message["level"])
        if kind != "hello" or self.is_fresh:
            self.since = f"{self.hub.boot}.{number}"
        self.is_fresh = False


ACTIONS = ["exact", "exact", "other", "built", "building", "take", "take", "take", "drop", "restart"]


@given(
    stored=st.sampled_from([1, 2, 5, 100]),
    queued=st.sampled_from([2, 3, 100]),
    actions=st.lists(st.sampled_from(ACTIONS), max_size=60),
)
def test_every_stored_event_is_seen_once_or_there_is_a_reset(stored: int, queued: int, actions: list[str]) -> None:
    """A subscriber that is cut off and comes back at any moment, between any two messages."""

    async def main() -> None:
        coming = Coming(stored, queued)
        coming.restart()
        for count, action in enumerate([*actions, "drop"]):
            if action == "take" and coming.listener.waiting:
                await coming.take()
            elif action in ("drop", "restart"):
                coming.listener.close()
                (coming.come if action == "drop" else coming.restart)()
            else:
                coming.publish(action, count)
        while coming.listener.waiting:
            await coming.take()
        assert coming.seen == sorted(coming.seen)
        assert coming.known == set(coming.published)
        if stored == queued == 100 and "restart" not in actions:
            assert coming.resets == 0

    asyncio.run(main())
