"""`--compare`: pictures of every photo before and after, and one page that shows them under a slider.

    OUT/compare.html             the page: no framework, nothing from the network
    OUT/compare/PATH.before.jpg  and .after.jpg, .thumb.jpg: upright, sRGB, for screens, as new as the result

The photo and its result are linked beside them for a view at 100 %, where browsers can show them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import quote

import numpy as np

from lptn_cli.atomic import require_writable, write_atomic
from lptn_cli.codecs import decode, encode, read_header
from lptn_cli.codecs.icc import profile_of, to_srgb
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.codecs.samples import on_white
from lptn_cli.cores import CORES
from lptn_cli.errors import OutputError, PhotoError, WriteError
from lptn_cli.finish import shrink
from lptn_cli.orientation import turn_upright
from lptn_cli.photos import OWN_PICTURES, read, shown
from lptn_cli.plan import Job
from lptn_cli.settings import Settings
from lptn_cli.storage import Remote

PAGE, PICTURES = "compare.html", "compare"
OURS = b'<meta name="generator" content="lptn">'
SCREEN, THUMB = 1000, 240  # short sides in pixels
QUALITY = 88
LONGEST = 240  # bytes of a name before .before.jpg
OF_FILE_MANAGERS = {"Thumbs.db", "desktop.ini", "@eaDir"}
IN_BROWSERS = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".avif")


def write_gallery(folder: Path, jobs: Sequence[Job], settings: Settings) -> Path:
    """Make the pictures of these jobs, which are done, and FOLDER/compare.html; returns the page's path.

    Raises WriteError when the page or the pictures cannot be written, OutputError for somebody else's page.
    """
    page = require_own_page(folder, settings)
    write_atomic(folder / PICTURES / OWN_PICTURES, b"", overwrite=True)
    with ThreadPoolExecutor(CORES) as pool:
        entries = [entry for entry in pool.map(partial(_entry, folder), jobs) if entry]
    said = {"settings": settings.described, "photos": entries}
    data = json.dumps(said, ensure_ascii=True).replace("<", "\\u003c")
    template = Path(__file__).with_suffix(".html").read_text("utf-8")
    write_atomic(page, template.replace("@DATA@", data).encode(), overwrite=True)
    return page


def require_own_page(folder: Path, settings: Settings) -> Path:
    """Where the page goes. Raises OutputError when somebody else's is there, or no place for its pictures."""
    page, pictures = folder / PAGE, folder / PICTURES
    if not settings.overwrite and _is_foreign(page):
        raise OutputError(f"{shown(page)} exists and lptn did not write it; --overwrite replaces it")
    if not settings.overwrite and _holds_others(pictures):
        fact = f"{shown(pictures)}, where --compare puts its pictures, holds other files"
        raise OutputError(f"{fact}; rename it, or choose another folder with -o")
    try:
        require_writable(pictures)
    except WriteError as error:
        raise OutputError(f"{shown(pictures)}, for the pictures of --compare: {error}") from None
    return page


def _is_foreign(page: Path) -> bool:
    try:
        with page.open("rb") as file:
            return OURS not in file.read(2000)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _holds_others(pictures: Path) -> bool:
    """Whether that is a folder with anything in it that is not marked as ours."""
    try:
        names = {path.name for path in pictures.iterdir()}
    except OSError:  # not there, or it says so itself when it is written to
        return False
    return OWN_PICTURES not in names and any(name[0] != "." for name in names - OF_FILE_MANAGERS)


def _entry(folder: Path, job: Job) -> dict[str, object] | None:
    """What the page says of a photo; None where one of the two has gone, or does not fit into memory."""
    relative = Path(os.path.relpath(job.output, folder))
    pictures = folder / PICTURES / relative
    before, after, thumb = (
        pictures.with_name(f"{_short(relative.name)}.{part}.jpg") for part in ("before", "after", "thumb")
    )
    try:
        size = _pictures(job, before, after, thumb)
    except WriteError as error:
        raise WriteError(f"{shown(pictures)}: {error}") from None
    except (PhotoError, OSError, MemoryError):
        return None
    urls = {
        name: _url(path, folder) for name, path in (("before", before), ("after", after), ("thumb", thumb))
    }
    both = (job.photo.path, job.output)
    if all(path.suffix.lower() in IN_BROWSERS and not isinstance(path, Remote) for path in both):
        urls |= {"full": [_url(path, folder) for path in both]}  # type: ignore[dict-item]
    return {"name": shown(relative), "size": size, **urls}


def _short(name: str) -> str:
    """The name, or of a long one its beginning and a hash, as file systems allow 255 bytes."""
    encoded = os.fsencode(name)
    if len(encoded) <= LONGEST:
        return name
    digest = hashlib.blake2b(encoded, digest_size=8).hexdigest()
    return os.fsdecode(encoded[: LONGEST - 17]) + "-" + digest


def _pictures(job: Job, before: Path, after: Path, thumb: Path) -> str:
    """Make the pictures that are missing or older than the result; the size of the result in words.

    Its change time counts, as --keep-times gives it an older time of modification.
    """
    data = job.output.read_bytes()
    changed = job.output.stat().st_ctime_ns
    if not all(path.exists() and path.stat().st_mtime_ns >= changed for path in (before, after, thumb)):
        photo = decode(read(job.photo))
        result = decode(data)
        for image, path, short_side in (
            (photo, before, SCREEN),
            (result, after, SCREEN),
            (result, thumb, THUMB),
        ):
            write_atomic(path, _for_screens(image, short_side), overwrite=True)
    stored, upright = read_header(data), read_header(after.read_bytes())
    sides = (stored.width, stored.height)
    if (stored.width > stored.height) != (upright.width > upright.height):
        sides = sides[::-1]
    return f"{sides[0]} × {sides[1]}"


def _for_screens(image: Image, short_side: int) -> bytes:
    small = turn_upright(shrink(on_white(image), short_side), image.metadata.orientation)
    rgb = to_srgb(small, profile_of(image.metadata)).clip(0, 1)
    pixels = np.ascontiguousarray(np.rint(rgb * 255).astype(np.uint8))
    return encode(Image(pixels, "jpeg", subsampling="420"), EncodeOptions("jpeg", quality=QUALITY))


def _url(path: Path, folder: Path) -> str:
    return quote(os.fsencode(os.path.relpath(path, folder)))
