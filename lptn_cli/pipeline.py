"""The one path a photo travels, and the threads that walk photos along it."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lptn_cli import codecs, photos, storage
from lptn_cli.atomic import write_atomic
from lptn_cli.codecs.icc import profile_of
from lptn_cli.codecs.image import EncodeOptions, Image, Pixels
from lptn_cli.codecs.metadata import left_out
from lptn_cli.errors import OUT_OF_MEMORY, NoMemoryError, PhotoError, WriteError
from lptn_cli.manifest import Manifest
from lptn_cli.plan import STDOUT, Job
from lptn_cli.report import Outcome, Report
from lptn_cli.settings import EIGHT_BIT_FORMATS, Settings
from lptn_cli.signals import Stop
from lptn_cli.storage import Remote, exists

if TYPE_CHECKING:
    from lptn_cli.translate import Retoucher


class Devices:
    """The looks that are ready, one a device. Workers take them in turn, as many at once as a look allows."""

    def __init__(self, looks: Sequence[Retoucher]) -> None:
        self._free: queue.SimpleQueue[Retoucher] = queue.SimpleQueue()
        for turn in range(max((look.photos_at_once for look in looks), default=0)):
            for look in looks:
                if turn < look.photos_at_once:
                    self._free.put(look)
        self._preset = looks[0].preset if any(look.device.type != "cpu" for look in looks) else None
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


def retouch_one(job: Job, devices: Devices, settings: Settings, manifest: Manifest | None) -> Outcome:
    """Read, decode, translate, encode, write, record: the whole life of a photo. Never raises."""
    watch = Stopwatch()
    try:
        data = photos.read(job.photo)
        if done_meanwhile(job, settings, manifest):
            return Outcome(job, "up-to-date")
        image = codecs.decode(data, max_pixels=int(settings.max_megapixels * 1e6))
        watch.lap("decode")
        result, warning = translate(image, devices, settings, watch)
        watch.lap("look")
        options = encode_options(job, image, settings)
        encoded = codecs.encode(result, options)
        watch.lap("encode")
        if done_meanwhile(job, settings, manifest):
            return Outcome(job, "up-to-date")
        to_stdout = deliver(job, encoded, settings, manifest)
        watch.lap("write")
    except PhotoError as error:
        return Outcome(job, "failed", error=error.kind, message=str(error))
    except MemoryError:
        return Outcome(job, "failed", error=NoMemoryError.kind, message=OUT_OF_MEMORY)
    except Exception as error:  # noqa: BLE001  one bad photo never ends a batch
        said = " ".join(str(error).split())  # those of torch and OpenCV have several lines
        return Outcome(
            job, "failed", error="internal", message=f"{type(error).__name__}: {said}; please report it"
        )
    height, width = image.pixels.shape[:2]
    depth = written_depth(image, options)
    notes = (image.note, misnamed(job, image), left_out(image.metadata, options), warning)
    note = "; ".join(filter(None, notes))
    return Outcome(job, "written", width, height, depth, watch.laps, note=note, to_stdout=to_stdout)


def translate(image: Image, devices: Devices, settings: Settings, watch: Stopwatch) -> tuple[Image, str]:
    """The picture with the look, and a warning if the CPU had to do what a GPU had no room for."""
    try:
        with devices.borrow() as look:
            watch.lap("wait")
            return retouch_image(image, look, settings), ""
    except NoMemoryError:
        if not (spare := devices.spare()):
            raise
        return retouch_image(image, spare, settings), f"did not fit on {look.device}; the CPU did it"


def retouch_image(image: Image, look: Retoucher, settings: Settings) -> Image:
    """The picture with the look; alpha and metadata are carried round."""
    pixels = look(
        image.pixels,
        strength=settings.strength,
        light=settings.light,
        color=settings.color,
        orientation=image.metadata.orientation,
        icc=profile_of(image.metadata),
    )
    if not image.grey:
        return replace(image, pixels=pixels)
    if settings.preset.keeps_grey:
        pixels = without_colour(pixels)
    return replace(image, pixels=pixels, grey=bool((pixels == pixels[..., :1]).all()))


def without_colour(pixels: Pixels) -> Pixels:
    """The mean of the channels of (H, W, 3) pixels, three times."""
    mean = np.rint(pixels.mean(axis=2, dtype=np.float32)).astype(pixels.dtype)
    return np.ascontiguousarray(np.broadcast_to(mean[..., None], pixels.shape))


def encode_options(job: Job, image: Image, settings: Settings) -> EncodeOptions:
    """How to write this photo: the format asked for, else that of the output's suffix, else its kind's."""
    suffix = codecs.OUTPUT_SUFFIXES.get(job.output.suffix.lower())
    return EncodeOptions(
        format=job.format or suffix or codecs.WRITTEN_AS[image.format],
        quality=settings.quality,
        subsampling=settings.subsampling,
        depth=settings.depth,
        metadata=settings.metadata,
        editor=settings.editor,
    )


def written_depth(image: Image, options: EncodeOptions) -> int:
    """Bits a channel that the output has."""
    if options.format in EIGHT_BIT_FORMATS:
        return 8
    return image.depth if options.depth == "auto" else options.depth


def misnamed(job: Job, image: Image) -> str:
    """What to say of a photo whose suffix is that of another format: the output is what its suffix says."""
    said = codecs.WRITTEN_AS[codecs.SUFFIXES.get(job.photo.path.suffix.lower(), image.format)]
    if said == codecs.WRITTEN_AS[image.format] or job.format:
        return ""
    return f"is {image.format.upper()} by its content and is written as {said.upper()}, as its name says"


def done_meanwhile(job: Job, settings: Settings, manifest: Manifest | None) -> bool:
    """Whether another run on the same output folder has finished this photo.

    Raises WriteError when the output is somebody else's file and --overwrite was not given.
    """
    if job.output == STDOUT or not exists(job.output):
        return False
    key, name = settings.key(job), photos.shown(job.output)
    if manifest is None:  # an output that is one file: who wrote it is not known
        if settings.overwrite:
            return False
        raise WriteError(f"{name} exists; --overwrite replaces it")
    if not manifest.owns(job.output):
        manifest.reload()
    if manifest.up_to_date(job, key):
        return True
    if settings.overwrite or manifest.owns(job.output):
        return False
    fact = (
        "was changed since lptn wrote it"
        if manifest.knows(job.output)
        else "exists and lptn did not write it"
    )
    raise WriteError(f"{name} {fact}; --overwrite replaces it")


def deliver(job: Job, encoded: bytes, settings: Settings, manifest: Manifest | None) -> bytes:
    """Record the encoded photo and put it where it belongs, whole or not at all.

    Returns what is left to be written to stdout by the one thread that writes there.
    """
    if job.output == STDOUT:
        return encoded
    overwrite = settings.overwrite or (manifest is not None and manifest.owns(job.output))
    before = partial(manifest.record, job, settings.key(job)) if manifest else None
    if isinstance(job.output, Remote):
        storage.write(job.output, encoded, overwrite=overwrite, before=before)
        return b""
    write_atomic(
        job.output,
        encoded,
        overwrite=overwrite,
        mtime_ns=job.photo.mtime_ns if settings.keep_times else None,
        before=before,
    )
    return b""


def retouch_all(
    jobs: Sequence[Job],
    devices: Devices,
    settings: Settings,
    manifest: Manifest | None,
    report: Report,
    *,
    workers: int,
    stop: Stop,
    max_errors: int | None = None,
) -> None:
    """Retouch every job with `workers` threads, telling each outcome to `report` in order of completion.

    Memory is bounded: a worker holds one photo. When `stop` is asked, or after `max_errors` failures, or when
    stdout's reader went away, photos in work are finished and no further one is begun.
    """
    waiting = iter(jobs)
    failures = itertools.count(1)
    taking = threading.Lock()
    outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()

    def work() -> None:
        while not stop.asked:
            with taking:
                job = next(waiting, None)
            if job is None:
                break
            outcome = retouch_one(job, devices, settings, manifest)
            if outcome.status == "failed" and next(failures) == max_errors:
                stop.asked = True  # here, as the next photo begins before the report hears of this one
            outcomes.put(outcome)
        outcomes.put(None)

    threads = [threading.Thread(target=work, name=f"photo-{n}") for n in range(min(workers, len(jobs)))]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            outcome = outcomes.get()
            if outcome is None:
                running -= 1
                continue
            report.photo(outcome)
            if report.counts.stdout_closed:
                stop.asked = True
    finally:
        stop.asked = True  # should the report fail, the photos in work are still finished and recorded
        for thread in threads:
            thread.join()


class Stopwatch:
    """Milliseconds between laps, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, int] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round((now - self._last) * 1000)
        self._last = now
