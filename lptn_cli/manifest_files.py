"""The files of a manifest: opened to append to, read and merged, compacted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from lptn_cli.atomic import write_atomic
from lptn_cli.errors import WriteError
from lptn_cli.noted import Noted, latest, line_of
from lptn_cli.parts import read_parts
from lptn_cli.photos import MANIFEST as NAME
from lptn_cli.photos import PARTS
from lptn_cli.storage import Remote, forget_listings

_SPARE_LINES = 1000  # superseded lines beyond as many as live ones that are worth a rewrite


class Tails:
    """What was added to a local folder's manifest files since it was last asked. A file only grows; one that
    was compacted is another file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[int, int] = {}  # bytes, by inode

    def added(self) -> dict[str, Noted]:
        """The entries by output. Raises OSError."""
        lines: list[bytes] = []
        for path in _paths(self._folder):
            with path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                start = file.seek(self._read.get(inode, 0))
                new = file.read()
            whole = new.rfind(b"\n") + 1  # a line may be on its way
            self._read[inode] = start + whole
            lines += new[:whole].splitlines()
        return latest(lines)[0]


def load_to_append(path: Path) -> tuple[dict[str, Noted], int]:
    """The entries by output, and a descriptor from `_hold`; compacts the file where that is worth it."""
    for worth_it in (True, False):
        descriptor = _hold(path)
        try:
            entries, lines = _load(path)
        except BaseException:
            os.close(descriptor)
            raise
        if not (worth_it and lines > 2 * len(entries) + _SPARE_LINES):
            break
        os.close(descriptor)  # its shared lock would keep us out as well
        _compact(path)
    return entries, descriptor


def load_all(folder: Path) -> dict[str, Noted]:
    """The entries by output of every writer. Raises OSError."""
    if isinstance(folder, Remote):
        forget_listings()
        return latest(read_parts(folder))[0]
    return latest(_lines(folder))[0]


def _lines(folder: Path) -> Iterator[bytes]:
    """Of all files, of which one is open at a time: array jobs have thousands of parts."""
    for path in _paths(folder):
        with path.open("rb") as file:
            yield from file


def _paths(folder: Path) -> list[Path]:
    paths = (folder / NAME, *sorted((folder / PARTS).glob("*.jsonl")))
    return [path for path in paths if path.is_file()]


def _load(path: Path) -> tuple[dict[str, Noted], int]:
    """The entries by output, and how many lines there are, good or not."""
    with path.open("rb") as file:
        return latest(file)


def _hold(path: Path) -> int:
    """A descriptor to append by, with the shared lock, after a newline. Raises OSError."""
    while True:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, f"{NAME} is not a regular file")
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_SH)  # waits only while another run compacts
            if is_at(descriptor, path):
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    os.write(descriptor, b"\n")  # the last run was cut off within a line
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # replaced while we waited


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one at path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _compact(path: Path) -> None:
    """Keep only the last line of each output, unless another run has the manifest open."""
    with contextlib.suppress(OSError, WriteError), path.open("r+b") as file:  # r+: NFS wants it for this lock
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_at(file.fileno(), path):
            entries, _ = latest(file)
            write_atomic(path, b"".join(map(line_of, entries.values())), overwrite=True)
