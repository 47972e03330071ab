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


async def send_in_parts(worker: Worker, comm: Comm, key: str) -> Status:
    """Send what a worker holds under a key: its size (-1 if there is nothing), then its parts."""
    data = worker.data.get(key)
    if not isinstance(data, bytes):
        await comm.write(-1)
        return Status.dont_reply
    await comm.write(len(data))
    whole = memoryview(data)
    for start in range(0, len(data), PART):
        await comm.write(bytes(whole[start : start + PART]))
    return Status.dont_reply


async def fetch_in_parts(client: Client, worker: str, key: str) -> bytes:
    """Fetch what a worker holds under a key, on a comm from the client's pool.

    Raises
    ------
    NotThere
        If it does not hold it.
    OSError
        If it cannot be reached, or is lost on the way.
    """
    comm = await client.rpc.connect(worker)
    try:
        await comm.write({"op": HANDLER, "key": key, "reply": False})
        size = await comm.read()
        data = bytearray()
        while len(data) < size:
            data += await comm.read()
    except BaseException:  # also when nobody waits for it any more: what is still on its way is nobody else's answer
        comm.abort()
        client.rpc.reuse(worker, comm)
        raise
    client.rpc.reuse(worker, comm)
    if size < 0:
        raise NotThere(key)
    return bytes(data)
