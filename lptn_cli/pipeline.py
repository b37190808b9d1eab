"""The one path a photo travels, and the threads that walk photos along it."""

from __future__ import annotations

import errno
import itertools
import os
import queue
import threading
from collections.abc import Sequence
from functools import partial

from lptn_cli import photos, storage
from lptn_cli.atomic import write_atomic
from lptn_cli.develop import Devices, Stopwatch, develop
from lptn_cli.errors import OUT_OF_MEMORY, NoMemoryError, PhotoError, WriteError
from lptn_cli.manifest import Manifest
from lptn_cli.plan import STDOUT, Job
from lptn_cli.report import Outcome, Report
from lptn_cli.settings import Settings
from lptn_cli.signals import Stop
from lptn_cli.storage import Remote, exists


def retouch_one(job: Job, devices: Devices, settings: Settings, manifest: Manifest | None) -> Outcome:
    """Read, develop, write, record: the whole life of a photo. Never raises."""
    watch = Stopwatch()
    try:
        data = photos.read(job.photo)
        if done_meanwhile(job, settings, manifest):
            return Outcome(job, "up-to-date")
        made = develop(job, data, devices, settings, watch)
        if done_meanwhile(job, settings, manifest):
            return Outcome(job, "up-to-date")
        try:
            to_stdout = deliver(job, made.encoded, settings, manifest)
        except WriteError:
            if not done_meanwhile(job, settings, manifest):
                raise
            return Outcome(job, "up-to-date")
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
    size = made.width, made.height
    return Outcome(job, "written", *size, made.depth, watch.laps, note=made.note, to_stdout=to_stdout)


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
    if not (settings.overwrite or manifest.owns(job.output)):
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
    record = partial(manifest.record, job, settings.key(job)) if manifest else None
    if isinstance(job.output, Remote):
        storage.write(job.output, encoded, overwrite=overwrite, before=record)
        return b""

    def before(status: os.stat_result) -> None:
        if not overwrite and exists(job.output):  # another run was first: this one has nothing to note
            raise FileExistsError(errno.EEXIST, "")
        if record:
            record(status)

    write_atomic(
        job.output,
        encoded,
        overwrite=overwrite,
        mtime_ns=(job.photo.mtime_ns or None) if settings.keep_times else None,
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
    started = _start(threads)
    running = len(started)
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
        for thread in started:
            thread.join()


def _start(threads: Sequence[threading.Thread]) -> list[threading.Thread]:
    """Start as many as the system allows (containers and clusters limit them); those that did start."""
    started: list[threading.Thread] = []
    for thread in threads:
        try:
            thread.start()
        except RuntimeError:
            if not started:
                raise
            break
        started.append(thread)
    return started
