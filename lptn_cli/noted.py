"""One line of a manifest: a finished photo."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Noted:
    """One line: the output, relative to the folder and as it was left, and what it was made from."""

    output: str
    output_size: int
    output_mtime_ns: int
    input: str
    size: int
    mtime_ns: int
    settings: str
    noted: int = 0  # when, in ns; 0 in lines of older versions
    before_size: int = 0  # of the result that this one was to replace; 0 if there was none
    before_mtime_ns: int = 0

    def describes(self, size: int, mtime_ns: int, clock: int) -> bool:
        """Whether a file of that size and time, within `clock` ns, is the output or what that replaced."""
        ours = ((self.output_size, self.output_mtime_ns), (self.before_size, self.before_mtime_ns))
        return any(size == noted and abs(mtime_ns - at) <= clock for noted, at in ours)

    def came(self, size: int, mtime_ns: int) -> bool:
        """Whether a file of that size and time is the output, and not the older one that it was to replace: a
        run may have ended in between. Its time may be any later one, as copies have."""
        early = abs(mtime_ns - self.output_mtime_ns) > abs(mtime_ns - self.before_mtime_ns)
        replaced = size == self.before_size and self.before_mtime_ns < self.output_mtime_ns
        return size == self.output_size and not (replaced and early)


_TYPES = {name: int if name.endswith(("size", "_ns", "noted")) else str for name in Noted.__slots__}


def line_of(entry: Noted) -> bytes:
    # ASCII with \udcNN escapes: names that are not UTF-8 come back as they were
    return json.dumps(asdict(entry), separators=(",", ":")).encode("ascii") + b"\n"


def _parse(line: bytes) -> Noted | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    fields = {"noted": 0, "before_size": 0, "before_mtime_ns": 0, **fields}
    if any(type(fields.get(name)) is not kind for name, kind in _TYPES.items()):
        return None
    return Noted(**{name: fields[name] for name in _TYPES})


def latest(lines: Iterable[bytes]) -> tuple[dict[str, Noted], int]:
    """The entry of each output that was noted last, and how many lines there are, good or not."""
    entries: dict[str, Noted] = {}
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007
        entry = _parse(line)
        if entry and (entry.output not in entries or entries[entry.output].noted <= entry.noted):
            entries[entry.output] = entry
    return entries, count
