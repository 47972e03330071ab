"""Events: what becomes of previews, told to those who look at them, in order and resumably.

Everything here belongs to the event loop: what other threads have to say is handed over by `call_soon_threadsafe`.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

from visiomatic_dask.engine.build_news import BuildProgress
from visiomatic_dask.pyramid.tiles import Box

_STORED = 4096
"""Events that are kept for those who come back."""
_QUEUED = 512
"""Events that wait for one slow subscriber before it is told to look at everything anew instead."""
_PACE = 0.25
"""Seconds between two words on the progress of one layer."""
_MOST_BUILT = 256
"""Layers whose progress is known at a time."""

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Watch:
    """What a subscriber watches.

    Attributes
    ----------
    cube, layer, version : str
        As the subscriber calls them; in every message.
    token : str
        Of the layer's reader: what events are published by.
    """

    cube: str
    layer: str
    version: str
    token: str


@dataclass(frozen=True, slots=True)
class _Event:
    number: int
    token: str
    body: Message

    def message(self, watch: Watch) -> Message:
        return _message(self.number, self.body, watch)


def _message(number: int, body: Message, watch: Watch) -> Message:
    return {"id": number, **body, "cube": watch.cube, "layer": watch.layer, "v": watch.version}


class _Building:
    """What is being said of the progress of one layer."""

    def __init__(self, progress: BuildProgress) -> None:
        self.progress = progress
        self.timer: asyncio.TimerHandle | None = None
        self.is_said = False

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


class EventHub:
    """Where events are published, kept for a while, and handed to subscribers.

    Events are numbered from 1. A subscriber gets those of the layer that it watches, in order, each once; one that
    comes back to the same hub gets what it has missed, or is told to ask for everything anew (``reset``).

    Parameters
    ----------
    stored : int
        How many events are kept for those who come back.
    queued : int
        How many wait for one subscriber.

    Attributes
    ----------
    boot : str
        Tells this hub from that of another process, or of another start of the server.
    """

    def __init__(self, stored: int = _STORED, queued: int = _QUEUED) -> None:
        self.boot = secrets.token_hex(8)
        self._last = 0
        self._stored: deque[_Event] = deque()
        self._most_stored = stored
        self._queued = queued
        self._forgotten = 0
        self._building: OrderedDict[str, _Building] = OrderedDict()
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._is_closed = False

    @property
    def watched(self) -> frozenset[str]:
        """Tokens of the layers that somebody watches."""
        return frozenset(self._subscriptions)

    def exact(self, layer_token: str, level: int, planes: tuple[int, int], box: Box) -> None:
        """Tell that pixels are exact from now on.

        Parameters
        ----------
        layer_token : str
            Of the layer's reader.
        level : int
            Of the pixels.
        planes : tuple of int
            First plane and one past the last.
        box : Box
            Which pixels, at that level.
        """
        rectangle = [box.top, box.left, box.bottom, box.right]
        self._store(layer_token, {"type": "exact", "level": level, "planes": list(planes), "box": rectangle})

    def building(self, layer_token: str, progress: BuildProgress) -> None:
        """Tell how far a layer is: at most four times a second, the latest then. It is not kept."""
        if self._is_closed:
            return
        state = self._building.get(layer_token)
        if state is None:
            state = self._building[layer_token] = _Building(progress)
            while len(self._building) > _MOST_BUILT:
                self._building.popitem(last=False)[1].stop()
        state.progress, state.is_said = progress, False
        if state.timer is None:
            self._say(layer_token, state)

    def built(self, layer_token: str) -> None:
        """Tell that nothing is being built of a layer any more."""
        self._end(layer_token)
        self._store(layer_token, {"type": "built"})

    def failed(self, layer_token: str, message: str) -> None:
        """Tell why a layer cannot be built, in a sentence for people."""
        self._end(layer_token)
        self._store(layer_token, {"type": "failed", "msg": message})

    def subscribe(self, watch: Watch, since: str | None = None) -> Subscription:
        """Begin to watch.

        Parameters
        ----------
        watch : Watch
            What.
        since : str, optional
            ``<boot>.<id>`` of the last event seen. The subscription begins with ``hello``, whose ``id`` is that of the
            last event before what follows; and goes on with what has been missed, or with ``reset``. Who is cut off
            between the two comes back with the ``since`` it had.
        """
        subscription = Subscription(self, self._queued)
        self._begin(subscription, watch, since)
        return subscription

    def close(self) -> None:
        """End all subscriptions; nothing is published any more."""
        self._is_closed = True
        for token in list(self._building):
            self._end(token)
        for subscription in frozenset[Subscription]().union(*self._subscriptions.values()):
            subscription.close()

    def _begin(self, subscription: Subscription, watch: Watch, since: str | None) -> None:
        self._subscriptions.setdefault(watch.token, set()).add(subscription)
        seen = None if since is None else self._seen(since)
        body = {"type": "hello", "boot": self.boot, "builds": True}
        subscription.begin(watch, _message(self._last if seen is None else seen, body, watch))
        # Those of other layers are passed over: numbers rise, but not by one.
        missed = [one for one in self._stored if seen is not None and one.number > seen and one.token == watch.token]
        if len(missed) >= self._queued or (seen is None and since is not None):
            subscription.push(self.reset(watch))
        else:
            for event in missed:
                subscription.push(event.message(watch))
        state = self._building.get(watch.token)
        if state is not None:
            subscription.push(_message(self._next(), _progress(state.progress), watch))

    def leave(self, subscription: Subscription) -> None:
        """Let go of a subscription."""
        others = self._subscriptions.get(subscription.watch.token, set())
        others.discard(subscription)
        if not others:
            self._subscriptions.pop(subscription.watch.token, None)

    def rewatch(self, subscription: Subscription, watch: Watch) -> None:
        """Have a subscription watch something else: it begins anew."""
        self.leave(subscription)
        if not self._is_closed:
            self._begin(subscription, watch, None)

    def reset(self, watch: Watch) -> Message:
        """Make the message that all previews are to be asked for again."""
        return _message(self._next(), {"type": "reset"}, watch)

    def _seen(self, since: str) -> int | None:
        """Return the number of the last event that was seen, or None if what has been missed is not known."""
        boot, _, number = since.partition(".")
        if boot != self.boot or len(number) > 18 or not number.isascii() or not number.isdigit():
            return None
        return int(number) if self._forgotten <= int(number) <= self._last else None

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _store(self, token: str, body: Message) -> None:
        if self._is_closed:
            return
        event = _Event(self._next(), token, body)
        self._stored.append(event)
        if len(self._stored) > self._most_stored:
            self._forgotten = self._stored.popleft().number
        self._publish(event)

    def _publish(self, event: _Event) -> None:
        for subscription in self._subscriptions.get(event.token, ()):
            subscription.push(event.message(subscription.watch))

    def _say(self, token: str, state: _Building) -> None:
        state.is_said = True
        state.timer = asyncio.get_running_loop().call_later(_PACE, self._say_again, token, state)
        self._publish(_Event(self._next(), token, _progress(state.progress)))

    def _say_again(self, token: str, state: _Building) -> None:
        state.timer = None
        if not state.is_said:
            self._say(token, state)

    def _end(self, token: str) -> None:
        state = self._building.pop(token, None)
        if state is not None:
            state.stop()


class Subscription:
    """Events on their way to one subscriber, made by `EventHub.subscribe`.

    Attributes
    ----------
    watch : Watch
        What is watched.
    """

    watch: Watch

    def __init__(self, hub: EventHub, most: int) -> None:
        self._hub = hub
        self._most = most
        self._queue: deque[Message] = deque()
        self._ready = asyncio.Event()
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        return len(self._queue)

    async def next(self) -> Message | None:
        """Wait for the next message; None once the subscription has been closed."""
        while not self._queue and not self._is_closed:
            self._ready.clear()
            await self._ready.wait()
        return None if self._is_closed else self._queue.popleft()

    def rewatch(self, watch: Watch) -> None:
        """Watch something else; what waits of the old is dropped, and ``hello`` says where the new begins."""
        self._hub.rewatch(self, watch)

    def close(self) -> None:
        """Get no more."""
        self._is_closed = True
        self._ready.set()
        self._hub.leave(self)

    def begin(self, watch: Watch, hello: Message) -> None:
        """Begin anew with what is watched from now on."""
        self.watch = watch
        self._queue.clear()
        self._queue.append(hello)
        self._ready.set()

    def push(self, message: Message) -> None:
        """Queue a message. Where too many wait, asking for everything anew takes their place."""
        if message["type"] == "building":
            # What is only about the progress is not worth to wait beside a later word on it.
            waiting = [one for one in self._queue if one["type"] != "building"]
            self._queue = deque(waiting)
        if len(self._queue) >= self._most:
            waiting = [one for one in self._queue if one["type"] == "hello"]
            self._queue = deque(waiting)
            message = self._hub.reset(self.watch)
        self._queue.append(message)
        self._ready.set()


def _progress(progress: BuildProgress) -> Message:
    left = progress.seconds_left
    return {
        "type": "building",
        "done": progress.done_bytes,
        "total": progress.total_bytes,
        "rate": progress.rate if math.isfinite(progress.rate) else None,
        "left": left if left is not None and math.isfinite(left) else None,
    }
