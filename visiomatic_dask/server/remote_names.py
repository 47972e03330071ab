"""Names that are URLs: what of the web and of object stores the operator lets be opened. By default, nothing."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from visiomatic_dask.errors import InvalidSetting
from visiomatic_dask.readers.place import is_url


class RemotePrefixes:
    """URLs that may be opened.

    A server that opened whatever URL it is given could be sent anywhere in its own network, so only what lies below a
    prefix is opened, and only under a name that cannot be read in two ways.

    Parameters
    ----------
    prefixes : sequence of str
        ``https://archive.example.org/cubes/`` or ``s3://bucket/``: everything below. One that does not end in a slash
        is one cube.

    Raises
    ------
    InvalidSetting
        If a prefix is no URL, or one that no name could start with.
    """

    def __init__(self, prefixes: Sequence[str]) -> None:
        for prefix in prefixes:
            if not is_url(prefix) or not _is_plain(prefix) or not urlsplit(prefix).netloc:
                raise InvalidSetting(
                    f"{prefix} is no prefix of URLs; allowed: as https://example.org/cubes/ or s3://bucket/, without "
                    "user, query and .."
                )
        self._folders = tuple(_normal(prefix) for prefix in prefixes if prefix.endswith("/"))
        self._cubes = frozenset(_normal(prefix) for prefix in prefixes if not prefix.endswith("/"))

    @property
    def cubes(self) -> tuple[str, ...]:
        """The single cubes among the prefixes, sorted."""
        return tuple(sorted(self._cubes))

    def address(self, name: str) -> str | None:
        """Return the URL that a name means, or None where it may not be opened."""
        if not is_url(name) or not _is_plain(name):
            return None
        url = _normal(name)
        return url if url in self._cubes or url.startswith(self._folders) else None


def _normal(url: str) -> str:
    """Scheme and host in lower case, as they are compared."""
    scheme, rest = url.split("://", 1)
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"


def _is_plain(url: str) -> bool:
    """Whether a URL means the same to everybody: no user, no query, no fragment, no way up, nothing hidden."""
    # "::" would chain file systems, a local one among them.
    if not url.isprintable() or "::" in url or any(sign in url for sign in "?#\\@ "):
        return False
    try:
        path = urlsplit(url).path
    except ValueError:
        return False
    if unquote(path).count("/") != path.count("/") or unquote(unquote(path)) != unquote(path):
        return False
    return not any(part in (".", "..") or "\\" in part or not part.isprintable() for part in unquote(path).split("/"))
