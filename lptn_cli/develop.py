"""From the bytes of a photo to those of its result: decode, look, encode; wholly on a GPU where it can.

The GPU's way is for plain JPEGs with the extra `lptn[gpu]`: only compressed bytes cross its bus. Whatever it
cannot do, the codecs do on the CPU, for that photo alone and without a word.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lptn_cli import codecs
from lptn_cli.codecs import jpeg_scans
from lptn_cli.codecs.formats import LOSSLESS
from lptn_cli.codecs.icc import profile_of
from lptn_cli.codecs.image import EncodeOptions, Image, Metadata, Source
from lptn_cli.codecs.metadata import left_out
from lptn_cli.cores import CORES
from lptn_cli.errors import NoMemoryError
from lptn_cli.plan import Job
from lptn_cli.settings import Settings

if TYPE_CHECKING:
    from lptn_cli.translate import Retoucher

# Of a machine with an H200: 4K JPEGs came to 62 a second on the GPU and by its codecs to 82 with 16 cores.
CORES_LIKE_A_GPU = 12


class Devices:
    """The looks that are ready, one a device. Workers take them in turn, as many at once as a look allows.

    Where the cores are many, their codecs outrun the GPU's, and JPEGs are left to them.
    """

    def __init__(self, looks: Sequence[Retoucher], cores: int = CORES) -> None:
        self._free: queue.SimpleQueue[Retoucher] = queue.SimpleQueue()
        for turn in range(max((look.photos_at_once for look in looks), default=0)):
            for look in looks:
                if turn < look.photos_at_once:
                    self._free.put(look)
        self._preset = looks[0].preset if any(look.device.type != "cpu" for look in looks) else None
        self.take_jpegs = cores <= CORES_LIKE_A_GPU * len(looks) and any(look.scans for look in looks)
        self._spare: Retoucher | None = None
        self._making = threading.Lock()

    @contextmanager
    def borrow(self) -> Iterator[Retoucher]:
        look = self._free.get()
        try:
            yield look
        finally:
            self._free.put(look)

    def spare(self) -> Retoucher | None:
        """The look on the CPU, for photos that a GPU has no room for; None where there is no GPU."""
        from lptn_cli.translate import Retoucher

        with self._making:
            if self._spare is None and self._preset:
                self._spare = Retoucher(self._preset, "cpu")
            return self._spare


@dataclass(frozen=True)
class Developed:
    """A result: the whole file, its size in pixels as stored, its bits a channel, what to say of it."""

    encoded: bytes
    width: int
    height: int
    depth: int
    note: str


def develop(job: Job, data: bytes, devices: Devices, settings: Settings, watch: Stopwatch) -> Developed:
    """The photo's file with the look. Raises PhotoError."""
    return on_gpu(job, data, devices, settings, watch) or by_codecs(job, data, devices, settings, watch)


def by_codecs(job: Job, data: bytes, devices: Devices, settings: Settings, watch: Stopwatch) -> Developed:
    """Any photo, with its pixels in this machine's memory before and after the look."""
    image = codecs.decode(data, max_pixels=int(settings.max_megapixels * 1e6))
    watch.lap("decode")
    result, warning = with_look(image, devices, settings, watch)
    watch.lap("look")
    options = encode_options(job, image.format, settings)
    encoded = codecs.encode(result, options)
    watch.lap("encode")
    height, width = image.pixels.shape[:2]
    depth, said = written_depth(image, options), notes(job, image, options, warning)
    return Developed(encoded, width, height, depth, said)


def on_gpu(job: Job, data: bytes, devices: Devices, settings: Settings, watch: Stopwatch) -> Developed | None:
    """A plain JPEG that becomes one, in the memory of a GPU; None where that cannot be, for any reason."""
    if not devices.take_jpegs:
        return None
    options = encode_options(job, "jpeg", settings)
    if options.format != "jpeg" or options.depth == 16:
        return None
    parts = jpeg_scans.apart(data, int(settings.max_megapixels * 1e6))
    if parts is None:
        return None
    watch.lap("decode")
    chroma = jpeg_scans.chroma(parts, options)
    try:
        with devices.borrow() as look:
            watch.lap("wait")
            made = look.retouch_jpeg(parts.scans, options.quality, chroma, **asked(settings, parts.metadata))
    except NoMemoryError:
        return None
    if made is None:
        return None
    watch.lap("look")
    scans, preview = made
    image = parts.image(preview)
    encoded = jpeg_scans.whole(scans, image, parts, chroma, options)
    watch.lap("encode")
    said = notes(job, image, options)
    return Developed(encoded, parts.width, parts.height, 8, said) if encoded else None


def with_look(image: Image, devices: Devices, settings: Settings, watch: Stopwatch) -> tuple[Image, str]:
    """The picture with the look, and a warning if the CPU had to do what a GPU had no room for."""
    try:
        with devices.borrow() as look:
            watch.lap("wait")
            return retouch_image(image, look, settings), ""
    except NoMemoryError:
        if not (spare := devices.spare()):
            raise
    # Only here does what the photo had of the GPU's memory go: the error holds on to it
    return retouch_image(image, spare, settings), f"did not fit on {look.device}; the CPU did it"


def retouch_image(image: Image, look: Retoucher, settings: Settings) -> Image:
    """The picture with the look; alpha and metadata are carried round."""
    pixels = look(image.pixels, alpha=image.alpha, **asked(settings, image.metadata))
    return replace(image, pixels=pixels, grey=image.grey and bool((pixels == pixels[..., :1]).all()))


def asked(settings: Settings, metadata: Metadata) -> dict[str, Any]:
    """What a look is asked for with a photo."""
    return {
        "strength": settings.strength,
        "light": settings.light,
        "color": settings.color,
        "orientation": metadata.orientation,
        "icc": profile_of(metadata),
    }


def encode_options(job: Job, format: Source, settings: Settings) -> EncodeOptions:
    """How to write this photo: the format asked for, else that of the output's suffix, else its kind's."""
    return EncodeOptions(
        format=job.written_as or codecs.WRITTEN_AS[format],
        quality=settings.quality,
        subsampling=settings.subsampling,
        depth=settings.depth,
        metadata=settings.metadata,
        editor=settings.editor,
    )


def written_depth(image: Image, options: EncodeOptions) -> int:
    """Bits a channel that the output has."""
    if options.format not in LOSSLESS:
        return 8
    return image.depth if options.depth == "auto" else options.depth


def misnamed(job: Job, image: Image, options: EncodeOptions) -> str:
    """What to say of a photo whose suffix is that of another format: the output is what its suffix says."""
    said = codecs.WRITTEN_AS[codecs.SUFFIXES.get(job.photo.path.suffix.lower(), image.format)]
    if said == codecs.WRITTEN_AS[image.format] or said != options.format or job.format:
        return ""
    return f"is {image.format.upper()} by its content and is written as {said.upper()}, as its name says"


def notes(job: Job, image: Image, options: EncodeOptions, *warnings: str) -> str:
    """What to say of a photo that went well, but not as one might expect."""
    said = (image.note, misnamed(job, image, options), left_out(image, options), *warnings)
    return "; ".join(filter(None, said))


class Stopwatch:
    """Milliseconds between laps, by name; those of a name add up."""

    def __init__(self) -> None:
        self.laps: dict[str, int] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0) + round((now - self._last) * 1000)
        self._last = now
