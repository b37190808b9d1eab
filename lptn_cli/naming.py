"""What results are called: `--name` and its fields.

dir: the photo's folders below the folder that was given. stem: its name without the suffix. ext: the
suffix of the result, spelled as the photo's own unless a format is asked or the photo's is not written (HEIC,
RAW). suffix: the photo's own. parent: the name of the folder it lies in, given or not. preset: the look.
n: the photo's number. A template must end in {ext} or in a photo's suffix, which then gives the format.
"""

from __future__ import annotations

import os
import re
import string
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath

from lptn_cli.codecs.formats import EXTENSIONS, OUTPUT_SUFFIXES, SUFFIXES, WRITTEN_AS, Format
from lptn_cli.errors import UsageError
from lptn_cli.photos import Photo, shown
from lptn_cli.storage import Remote

TEMPLATE = "{dir}/{stem}{ext}"
NUMBERED = "{dir}/{stem}-{n}{ext}"
FIELDS = ("dir", "stem", "ext", "suffix", "parent", "preset", "n")


def agreed(format: Format | None, suffix: str, where: str) -> Format:
    """The format that a literal suffix asks for, once it is known not to contradict `--format`."""
    meant = OUTPUT_SUFFIXES.get(suffix.lower())
    if meant is None:
        raise UsageError(
            f"{where}: {shown(suffix)} is no format lptn writes; use {' '.join(OUTPUT_SUFFIXES)}"
        )
    if format is not None and format != meant:
        raise UsageError(f"{where} asks for {meant}, but --format for {format}; leave one of them out")
    return meant


def checked(template: str, format: Format | None) -> Format | None:
    """The format that all results get, or None. Raises UsageError for a template that cannot be filled in."""
    where = f"--name {shown(template)}"
    known = "the fields are " + " ".join(f"{{{name}}}" for name in FIELDS)
    last, tail = "", ""
    try:
        chunks = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"{where}: its braces do not match; {known}") from error
    for literal, name, spec, conversion in chunks:
        tail += literal
        if name is None:
            continue
        if name not in FIELDS or conversion or "{" in (spec or ""):
            raise UsageError(f"{where}: {{{shown(name)}}} cannot be filled in; {known}")
        if re.search(r"[0-9]{4}", spec or ""):
            raise UsageError(f"{where}: {{{name}:{spec}}} is wider than a file's name may be; try {{n:04d}}")
        if name == "ext" and tail.endswith("."):
            raise UsageError(f"{where}: {{ext}} has its own dot; write {{stem}}{{ext}}")
        last, tail = name, ""
    if last == "ext" and not tail:
        return format
    dot = tail.rfind(".")
    if dot < 0 or "/" in tail[dot:]:
        raise UsageError(f"{where} must end in {{ext}} or in a suffix such as .jpg; {known}")
    return agreed(format, tail[dot:], where)


def named(template: str, preset: str, extension: str | None, photo: Photo, number: int) -> PurePath:
    """Where the result goes, below the output folder. extension: {ext}, or None for what the photo's own
    becomes. Raises UsageError for a name outside of that folder and for none."""
    path = photo.relative
    fields: dict[str, str | int] = {
        "dir": "" if path.parent == PurePath() else path.parent.as_posix(),
        "stem": path.stem,
        "ext": _extension(path) if extension is None else extension,
        "suffix": path.suffix,
        "parent": _parent(photo.path) if "{parent" in template else "",
        "preset": preset,
        "n": number,
    }
    where = f"--name {shown(template)}"
    try:
        text = template.format(**fields)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{where}: a field cannot be formatted so ({error}); try {{n:04d}}") from error
    if any(template.startswith("{" + name) and not fields[name] for name in ("dir", "parent")):
        text = text.lstrip("/")  # at the top both are empty, and their slash goes with them
    name = PurePosixPath(text)
    if name.is_absolute() or ".." in name.parts:
        raise UsageError(f"{where}: {shown(text)} lies outside the output folder; use a name below it")
    if "\0" in text or text.endswith("/") or not name.name:
        raise UsageError(f"{where}: {shown(text)} is no file name; end it in {{stem}}{{ext}}")
    return PurePath(name)


def _extension(path: PurePath) -> str:
    """The suffix as it is spelled, or that of what a photo of a format that is not written becomes."""
    source = SUFFIXES.get(path.suffix.lower())
    if source is None or WRITTEN_AS[source] == source:
        return path.suffix
    return EXTENSIONS[WRITTEN_AS[source]]


def _parent(path: Path) -> str:
    place = path if isinstance(path, Remote) else Path(os.path.abspath(path))  # noqa: PTH100  without ".."
    return place.parent.name


def telling_apart(photos: Sequence[Photo], extension: str | None) -> str:
    """A template that gives each of these photos a name of its own, which other photos do not change
    if possible."""
    for template in (TEMPLATE, "{dir}/{stem}{suffix}{ext}", "{parent}/{stem}{ext}"):
        names = {str(named(template, "", extension, photo, 0)).casefold() for photo in photos}
        if len(names) == len(photos):
            return template
    return NUMBERED
