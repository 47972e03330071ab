"""Asking file systems at URLs, through fsspec: what it and the libraries below it raise becomes our errors.

Credentials, endpoints and proxies are fsspec's business: its configuration files, or variables as
``FSSPEC_S3_ENDPOINT_URL``, for every process that reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from visiomatic_dask.errors import UnreadableCube

_VERSION_KEYS = ("ETag", "Last-Modified", "LastModified", "VersionId", "mtime", "modified", "created")
_LIBRARIES = ("aiohttp", "botocore", "fsspec")
"""Packages below fsspec whose errors need not be an `OSError`."""

T = TypeVar("T")


def ask(url: str, question: Callable[[Any, str], T]) -> T:
    """Ask the file system of a URL something.

    Parameters
    ----------
    url : str
        Where the dataset lies.
    question : callable
        Gets the fsspec file system and the path that the URL has there.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    UnreadableCube
        If there is no answer, or it is an error; whatever the library below raises.
    """
    try:
        from fsspec.core import url_to_fs  # for those who have URLs

        fs, path = url_to_fs(url, **options_of(url))
        return question(fs, path.rstrip("/"))
    except FileNotFoundError as error:
        # fsspec says so of whatever goes wrong with a web server.
        if error.__cause__ is None or getattr(error.__cause__, "status", None) in (404, 410):
            raise
        raise UnreadableCube(f"{short(url)} cannot be read: {_reason(error.__cause__)}") from error
    except ImportError as error:
        raise UnreadableCube(f"{short(url)} cannot be read: {error}; pip install 'visiomatic-dask[remote]'") from error
    except Exception as error:
        if not isinstance(error, OSError | ValueError) and type(error).__module__.split(".")[0] not in _LIBRARIES:
            raise
        raise UnreadableCube(f"{short(url)} cannot be read: {_reason(error)}") from error


class RedirectRefused(OSError):
    """A server sends a request on to another host."""


def options_of(url: str) -> dict[str, Any]:
    """Return the options of a URL's file system: web servers may not send us to other hosts.

    A server that is allowed could else have any request sent to any address of the network that this process is in.
    """
    return {"get_client": _client_of_one_host} if url.lower().startswith(("http://", "https://")) else {}


async def _client_of_one_host(**kwargs: Any) -> Any:
    import aiohttp

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_others)
    return aiohttp.ClientSession(**kwargs, trace_configs=[trace])


async def _refuse_others(_session: Any, _context: Any, redirect: Any) -> None:
    here = redirect.url
    target = here.join(type(here)(redirect.response.headers.get("Location", "")))
    if target.origin() != here.origin():
        raise RedirectRefused("the server redirects to another host: open it there")


def fresh(fs: Any) -> dict[str, Any]:
    """Return the options that have S3 answer from the store, not from what was listed before."""
    return {"refresh": True} if "s3" in fs.protocol else {}


def _reason(error: BaseException) -> str:
    """Say what went wrong, without the address, which may be of an inner network."""
    if isinstance(error, RedirectRefused):
        return str(error)
    status = getattr(error, "status", None)
    if status:
        return f"the server answers {status}"
    if isinstance(error, PermissionError):
        return "the server refuses it"
    if isinstance(error, ValueError):
        return "the server does not send parts of files, only whole ones"
    return f"the server does not answer as it should ({type(error).__name__})"


def version_of(info: Mapping[str, Any]) -> str:
    """Return what versions of a file are told apart by: its ETag, or the time of its last change, or both."""
    return "|".join(str(info[key]) for key in _VERSION_KEYS if info.get(key))


def short(url: str) -> str:
    """Last part of a URL, which is all that messages say of it."""
    return url.rstrip("/").rpartition("/")[2]
