"""The one wording for a file that cannot be decoded whole."""

from __future__ import annotations

from lptn_cli.errors import DecodeError


def damaged(format: str, what: object) -> DecodeError:
    """For a file of that format; `what` is a library's message or our own words, cut to one short line."""
    reason = " ".join(str(what).split()).lower().rstrip(".")[:120]
    return DecodeError(
        f"the {format} data is truncated or corrupt ({reason}); re-export it or restore it from a backup"
    )
