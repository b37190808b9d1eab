"""Photos and results in buckets and on the web, by the URLs of fsspec that need nothing but credentials.

fsspec is imported when a URL is used; credentials and endpoints are its own business (AWS_PROFILE,
AWS_ENDPOINT_URL, ~/.config/fsspec/, ...).
An object appears whole by the nature of a PUT, and its readers get one version of it from end to end.
Not universal_pathlib: measured, a million of its paths take 44 s and 560 MB, and its listings drop sizes
and times, which would then be a million requests more.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PosixPath
from typing import Any

from lptn_cli.errors import ReadError, StartError, UsageError, WriteError

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.DOTALL)
_ACCOUNT = {"account_name", "account_host"}  # abfss://photos@account.dfs.core.windows.net/2024
_SCHEMES = {"s3": "s3 s3a", "gcs": "gs gcs", "azure": "az abfs abfss", "web": "http https"}  # by extra
_EXTRAS = {scheme: extra for extra, schemes in _SCHEMES.items() for scheme in schemes.split()}
_WEB = ("http:", "https:")
# What the clients of fsspec raise beside OSError; looked up once they are loaded.
_FAILURES = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("azure.core.exceptions", "AzureError"),
)


class Remote(PosixPath):
    """A URL as a path: `name`, `suffix`, `parent` and `/` as of every path, and its text is the URL.

    It is a Path, so that Photo and Job are one type. Of the file system, as `stat`, nothing is to be asked.
    """

    def __str__(self) -> str:
        scheme, *parts = self.parts or ("",)
        return f"{scheme}//{'/'.join(parts)}" if scheme else "."  # the last of `parents`

    def __fspath__(self) -> str:
        return str(self)

    def absolute(self) -> Remote:
        return self


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder of a bucket, with what os.DirEntry has. Times are whole seconds: a listing may
    say milliseconds where asking for the object itself says seconds."""

    name: str
    folder: bool
    st_size: int
    st_mtime_ns: int

    def is_dir(self) -> bool:
        return self.folder

    def is_symlink(self) -> bool:
        return False

    def stat(self) -> Entry:
        return self


def located(text: str) -> Path:
    """The path or URL that a user wrote. Raises UsageError for a URL that is no path: a//b."""
    match = _URL.fullmatch(text)
    if match is None:
        return Path(text)
    if match[1] in ("file", "local"):
        return Path(match[2])
    remote = Remote(text)
    if str(remote) != text.rstrip("/"):
        raise UsageError(f"{text}: a URL with an empty or a dotted folder name cannot be used")
    return remote


def is_web(path: Path) -> bool:
    return isinstance(path, Remote) and path.parts[0] in _WEB


def is_folder(remote: Remote) -> bool:
    """Whether there are objects below it. Raises OSError."""
    if is_web(remote):
        return False
    with _as_os_errors():
        return bool(_filesystem(remote).isdir(_key(remote)))


def status(remote: Remote) -> Entry | None:
    """Size and time of an object; None where there is none. Raises OSError when that cannot be known."""
    try:
        with _as_os_errors():
            info = _filesystem(remote).info(_key(remote))
    except FileNotFoundError:
        return None
    entry = _entry(info)
    return None if entry.folder else entry


def file_status(path: Path, *, listed: bool = False) -> os.stat_result | Entry | None:
    """Of a regular file or an object; None where there is none. Raises WriteError for a bucket.

    listed: a bucket may be asked for the whole folder, once for all paths that are asked for in turn.
    """
    if isinstance(path, Remote):
        try:
            return _listed(path.parent).get(path.name) if listed else status(path)
        except OSError as error:
            raise WriteError(explained(error)) from error
    try:
        found = path.stat()
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def exists(path: Path, *, listed: bool = False) -> bool:
    """Whether anything is there, as `file_status`."""
    if isinstance(path, Remote):
        return file_status(path, listed=listed) is not None
    return os.path.lexists(path)


def entries(folder: Remote) -> list[Entry]:
    """What is in the folder, asked anew. Raises OSError."""
    with _as_os_errors():
        found = _filesystem(folder).ls(_key(folder), detail=True, refresh=True)
    own = _key(folder).rstrip("/")
    return [_entry(info) for info in found if info["name"].rstrip("/") != own]


@functools.lru_cache(maxsize=4)
def _listed(folder: Remote) -> dict[str, Entry]:
    try:
        return {entry.name: entry for entry in entries(folder) if not entry.folder}
    except FileNotFoundError:
        return {}


def forget_listings() -> None:
    """Before a run looks at a bucket that others may have written to."""
    _listed.cache_clear()


def read(remote: Remote, size: int) -> bytes:
    """The object's bytes. Raises ReadError, a phrase without its name: gone, refused, of another size."""
    try:
        with _as_os_errors():
            data: bytes = _filesystem(remote).cat_file(_key(remote))
    except FileNotFoundError as error:
        raise ReadError("no longer there") from error
    except OSError as error:
        raise ReadError(explained(error)) from error
    if size and len(data) != size:
        raise ReadError("changed while the run was going; run again")
    return data


def write(
    remote: Remote, data: bytes, *, overwrite: bool, before: Callable[[Entry], None] | None = None
) -> None:
    """Put the object, whole. Raises WriteError, a phrase without its name.

    before: called with its size and time just before it appears, as in atomic.write_atomic.
    """
    if is_web(remote):
        raise WriteError("the web is for input only; choose a folder or a bucket with -o")
    if before is not None:
        before(Entry(remote.name, False, len(data), time.time_ns()))
    try:
        with _as_os_errors():
            filesystem = _filesystem(remote)
            filesystem.pipe_file(_key(remote), data, mode="overwrite" if overwrite else "create")
    except FileExistsError as error:
        raise WriteError("a file of that name exists; replace it with --overwrite") from error
    except OSError as error:
        raise WriteError(explained(error)) from error


def remove(remotes: list[Remote]) -> None:
    """Remove the objects. Raises OSError."""
    with _as_os_errors():
        _filesystem(remotes[0]).rm([_key(remote) for remote in remotes])


def read_many(remotes: list[Remote]) -> Iterator[bytes | None]:
    """The bytes of each, fetched at once; None for one that has gone. Raises OSError."""
    if not remotes:
        return
    with _as_os_errors():
        keys = [_key(remote) for remote in remotes]
        found = _filesystem(remotes[0]).cat(keys, on_error="return")
    for key in keys:
        data = found[key]
        if isinstance(data, Exception) and not isinstance(data, FileNotFoundError):
            raise OSError(errno.EIO, str(data)) from data
        yield None if isinstance(data, Exception) else data


def _filesystem(remote: Remote) -> Any:
    """One a process for each kind. Raises UsageError, and StartError that says what to install."""
    import fsspec

    scheme = remote.parts[0].rstrip(":")
    not_served = UsageError(f"{remote}: {scheme}:// is not served; mount it, and give the folder")
    try:
        said = fsspec.get_filesystem_class(scheme)._get_kwargs_from_urls(str(remote))
    except ValueError as error:
        if scheme in _EXTRAS:  # adlfs itself makes abfss:// known
            raise _without_its_package(remote, scheme, error) from error
        raise UsageError(f"{remote}: no kind of storage is called {scheme}://") from error
    except ImportError as error:
        raise _without_its_package(remote, scheme, error) from error
    if "host" in said:  # ftp://, sftp:// and others connect to a host that only the URL knows
        raise not_served
    try:
        return fsspec.filesystem(scheme, **{key: said[key] for key in _ACCOUNT & said.keys()})
    except ImportError as error:
        raise _without_its_package(remote, scheme, error) from error
    except ValueError as error:  # of the client, which az:// wants to know an account
        fact = f"{remote}: {' '.join(str(error).split())}"
        raise StartError(f"{fact}; give the account and its credentials in the environment") from error
    except TypeError as error:  # github:// wants more than a URL says
        raise not_served from error


def _without_its_package(remote: Remote, scheme: str, error: Exception) -> StartError:
    extra = _EXTRAS.get(scheme)
    remedy = f"pip install 'lptn[{extra}]'" if extra else str(error)
    return StartError(f"{remote}: {scheme}:// needs a package that is not installed: {remedy}")


def _key(remote: Remote) -> str:
    """What fsspec calls the object: for the web all of the URL, else bucket and path."""
    return str(_filesystem(remote)._strip_protocol(str(remote)))


def _entry(info: dict[str, Any]) -> Entry:
    name = info["name"].rstrip("/").rpartition("/")[2]
    return Entry(name, info["type"] == "directory", int(info.get("size") or 0), _modified(info))


def _modified(info: dict[str, Any]) -> int:
    """Nanoseconds, cut to whole seconds; 0 where the storage says none, as the web often does."""
    names = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
    said = next((info[name] for name in names if info.get(name)), 0)
    if isinstance(said, str):
        said = datetime.fromisoformat(said)
    return int(said.timestamp() if isinstance(said, datetime) else said) * 10**9


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """What a client raises of its own kind becomes an OSError, also where fsspec takes a host that cannot be
    reached, or that refuses, for a file that is not there."""
    try:
        yield
    except FileNotFoundError as error:
        cause = error.__cause__
        web = isinstance(cause, _failures()) and type(cause).__module__.startswith("aiohttp.")
        if cause and web and getattr(cause, "status", 0) not in (404, 410):
            raise _told(cause) from error
        raise
    except _failures() as error:
        raise _told(error) from error


def _told(error: BaseException) -> OSError:
    return OSError(errno.EIO, " ".join(str(error).split()))


def _failures() -> tuple[type[Exception], ...]:
    loaded = ((sys.modules.get(module), name) for module, name in _FAILURES)
    return tuple(getattr(module, name) for module, name in loaded if module)


def explained(error: OSError) -> str:
    """The failure of a request in one phrase."""
    if isinstance(error, PermissionError):
        return "permission denied; check the credentials and the rights of this bucket"
    text = error.strerror or str(error) or type(error).__name__
    return f"the storage says: {' '.join(text.split())}; check the URL and the credentials, then run again"
