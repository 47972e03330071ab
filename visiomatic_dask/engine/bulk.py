"""Big answers: fetched from the worker that has them, in parts, over comms that tiles do not use.

On one comm a message of 64 MB holds up the tiles behind it for half a second; and through the scheduler, which is how
`distributed.Future.result` fetches, it would hold up everyone.
"""

from __future__ import annotations

from distributed import Client, Worker
from distributed.comm import Comm
from distributed.core import Status

HANDLER = "visiomatic_bulk"
PART = 256 * 1024
"""Bytes in a message."""


class NotThere(Exception):
    """The worker does not hold the key."""


async def send_in_parts(worker: Worker, comm: Comm, key: str, start: int = 0, stop: int | None = None) -> Status:
    """Send what a worker holds under a key: its size (-1 if there is nothing), then the parts of a range of it."""
    data = worker.data.get(key)
    if not isinstance(data, bytes):
        await comm.write(-1)
        return Status.dont_reply
    await comm.write(len(data))
    asked = memoryview(data)[start:stop]
    for begin in range(0, len(asked), PART):
        await comm.write(bytes(asked[begin : begin + PART]))
    return Status.dont_reply


async def fetch_in_parts(client: Client, worker: str, key: str) -> bytes:
    """Fetch all that a worker holds under a key; see `fetch_range`."""
    return (await fetch_range(client, worker, key, 0, None))[1]


async def fetch_range(client: Client, worker: str, key: str, start: int, stop: int | None) -> tuple[int, bytes]:
    """Fetch a range of what a worker holds under a key, on a comm from the client's pool.

    Parameters
    ----------
    client, worker, key
        What, and of whom.
    start, stop : int, int or None
        First byte, and one past the last; None for the end.

    Returns
    -------
    (size, data)
        Bytes of the whole, and those of the range that there are.

    Raises
    ------
    NotThere
        If it does not hold it.
    OSError
        If it cannot be reached, or is lost on the way.
    """
    comm = await client.rpc.connect(worker)
    try:
        await comm.write({"op": HANDLER, "key": key, "start": start, "stop": stop, "reply": False})
        size = await comm.read()
        data = bytearray()
        end = size if stop is None else min(stop, size)
        while len(data) < end - start:
            data += await comm.read()
    except BaseException:  # also when nobody waits for it any more: what is still on its way is nobody else's answer
        comm.abort()
        client.rpc.reuse(worker, comm)
        raise
    client.rpc.reuse(worker, comm)
    if size < 0:
        raise NotThere(key)
    return size, bytes(data)
