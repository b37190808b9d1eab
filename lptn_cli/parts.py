"""The lines of a manifest in a bucket, where nothing can be appended: objects of one writer each.

    OUT/.lptn-manifest.d/<writer>-000000.jsonl   rewritten with every line until it has LINES, then the next
    OUT/.lptn-manifest.d/<writer>.jsonl          all of them in one, when the writer has ended

No two writers share an object, so that nothing is locked and nothing is lost; readers take all of them.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time

from lptn_cli import storage
from lptn_cli.errors import WriteError
from lptn_cli.photos import PARTS
from lptn_cli.storage import Remote

LINES = 256  # some 80 KB: little beside the photo that goes with each line


class Parts:
    """What one writer notes. Threads may share it: lines that wait go with the next request together."""

    def __init__(self, folder: Remote) -> None:
        """Raises WriteError when nothing can be written there."""
        self._folder = folder / PARTS
        self._writer = f"{time.time_ns():019}-{os.urandom(4).hex()}"
        self._full: list[Remote] = []
        self._lines: list[bytes] = []
        self._added = self._put = 0  # lines ever
        self._adding, self._putting = threading.Lock(), threading.Lock()
        storage.write(self._object(), b"", overwrite=True)

    def append(self, line: bytes) -> None:
        """Returns when the line is in the bucket. Raises WriteError."""
        with self._adding:
            self._lines.append(line)
            self._added += 1
            mine = self._added
        with self._putting:
            if self._put >= mine:
                return
            with self._adding:
                lines, added = list(self._lines), self._added
            storage.write(self._object(), b"".join(lines), overwrite=True)
            self._put = added
            if len(lines) >= LINES:
                self._full.append(self._object())
                with self._adding:
                    del self._lines[: len(lines)]

    def close(self) -> None:
        """Put the lines of all objects into one. Where that fails they stay as they are."""
        small = [*self._full, *([self._object()] if self._lines or not self._full else [])]
        with contextlib.suppress(OSError, WriteError):
            lines = b"".join(data or b"" for data in storage.read_many(small))
            if lines:
                storage.write(self._folder / f"{self._writer}.jsonl", lines, overwrite=True)
            storage.remove(small)

    def _object(self) -> Remote:
        return self._folder / f"{self._writer}-{len(self._full):06}.jsonl"


def read_parts(folder: Remote) -> list[bytes]:
    """The lines of every writer. Raises OSError."""
    for _ in range(3):
        try:
            names = sorted(entry.name for entry in storage.entries(folder / PARTS))
        except FileNotFoundError:
            return []
        found = list(storage.read_many([folder / PARTS / name for name in names if name.endswith(".jsonl")]))
        if None not in found:  # else a writer has just ended: its lines are in another object now
            break
    return b"".join(data or b"" for data in found).splitlines()
