"""Globs of --include and --exclude, on paths below the folder that was given; see `discover`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePath


def matches(path: PurePath, glob: str) -> bool:
    """Whether the glob matches the path or a folder above it."""
    parts = path.parts
    if "/" not in glob.rstrip("/"):
        return any(fnmatchcase(part, glob.rstrip("/")) for part in parts)
    globs = tuple(part for part in glob.split("/") if part not in ("", "."))
    return any(_parts_match(parts[:end], globs) for end in range(1, len(parts) + 1))


def _parts_match(parts: tuple[str, ...], globs: tuple[str, ...]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return _parts_match(parts, globs[1:]) or (bool(parts) and _parts_match(parts[1:], globs))
    return bool(parts) and fnmatchcase(parts[0], globs[0]) and _parts_match(parts[1:], globs[1:])
