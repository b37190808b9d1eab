"""Finished photos for manifests to note."""

from __future__ import annotations

from pathlib import Path, PurePath

from lptn_cli.manifest import Manifest
from lptn_cli.photos import Photo
from lptn_cli.plan import Job


def make_job(root: Path, name: str = "x.jpg", number: int = 1) -> Job:
    """A photo in root/in and its finished output in root/out."""
    source, output = root / "in" / name, root / "out" / name
    for path, data in ((source, b"input"), (output, b"the output")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    status = source.stat()
    return Job(number, Photo(source, PurePath(name), status.st_size, status.st_mtime_ns), output, None)


def record(out: Path, *jobs: Job, settings: str = "s") -> None:
    with Manifest.open(out) as manifest:
        for job in jobs:
            manifest.record(job, settings, job.output.stat())


def open_files() -> int:
    """How many this process has open."""
    return len(list(Path("/dev/fd").iterdir()))
