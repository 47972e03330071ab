"""Viewers: whom a request is from, as far as taking turns goes.

A browser shows a random number that it was given with the page; without one, each connection is a viewer of its own.
It is no log-in, and nothing is kept about it.
"""

from __future__ import annotations

import re
import secrets

_NAME = "visiomatic_viewer"
_COOKIE = re.compile(rf"(?:^|;\s*){_NAME}=([0-9a-f]{{16}})(?:;|$)")


def viewer_of(cookies: str | None, connection: object) -> str:
    """Tell viewers apart.

    Parameters
    ----------
    cookies : str or None
        The request's ``Cookie`` header.
    connection : object
        The connection that it came over, the same for all of its requests.
    """
    match = None if cookies is None else _COOKIE.search(cookies)
    return f"connection-{id(connection)}" if match is None else match[1]


def new_viewer(cookies: str | None) -> str | None:
    """``Set-Cookie`` for a browser that has no number yet, or None."""
    if cookies is not None and _COOKIE.search(cookies) is not None:
        return None
    return f"{_NAME}={secrets.token_hex(8)}; Path=/; HttpOnly; SameSite=Lax"
