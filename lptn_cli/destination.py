"""Where a run puts its results, and what computes them: `-o` with `--shard`, `-d` with `-j` and `--ray`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath

from lptn_cli.discover import IsResult
from lptn_cli.errors import UsageError
from lptn_cli.manifest import Manifest
from lptn_cli.photos import shown
from lptn_cli.plan import Job, Shard, looks_like_file, output_folder
from lptn_cli.storage import Remote, located


@dataclass(frozen=True)
class Destination:
    """What `-o` says: a folder, one file, `-` for stdout, or None for the default folder; or a part of it."""

    output: str | None
    preset: str
    shard: Shard | None = None

    def refuse(self, *, keep_times: bool, compare: bool) -> None:
        """Raise UsageError for what cannot be done there."""
        if self.shard and compare:
            raise UsageError("--compare shows all photos: run it without --shard when every shard is done")
        if self.shard and self.path and not self.is_folder and looks_like_file(self.path):
            raise UsageError(
                f"--shard shares a folder out; {shown(self.path)} is one photo, so give -o a folder"
            )
        if not isinstance(self.path, Remote):
            return
        if keep_times:
            raise UsageError(f"--keep-times: {self.path} sets the times of its objects itself; leave it out")
        if compare:
            raise UsageError("--compare writes a page for a local folder of results; give a folder with -o")

    @property
    def is_stdout(self) -> bool:
        return self.output == "-"

    @property
    def is_folder(self) -> bool:
        """Whether it says so itself, whatever it is called: album.jpg/"""
        return self.output is not None and self.output.endswith("/")

    @property
    def path(self) -> Path | None:
        return None if self.output is None else located(self.output)

    @property
    def folder(self) -> Path | None:
        """Where results and the manifest go; None for stdout."""
        return None if self.is_stdout else output_folder(self.path, self.preset)

    @property
    def skipped(self) -> Path | None:
        """What a walk passes over: by default the results of every preset, not of this one alone."""
        return self.folder if self.output else self.folder and self.folder.parent

    def earlier_results(self) -> IsResult | None:
        """Says which files earlier runs wrote to the folder that -o names; None where there are none."""
        done = Manifest.peek(self.folder) if self.output and self.folder else None
        return done.owns if done and not done.is_empty else None

    def results_by_default(self) -> IsResult | None:
        """The same of the default folder and any preset; None where -o names one."""
        top = None if self.output or self.skipped is None else os.path.abspath(self.skipped)  # noqa: PTH100
        manifest = cache(Manifest.peek)

        def is_result(path: Path) -> bool:
            if top is None or isinstance(path, Remote):
                return False
            below = PurePath(os.path.relpath(path, top)).parts
            return below[:1] not in ((), ("..",)) and manifest(Path(top, below[0])).owns(path)

        return is_result if top else None

    def manifest_folder(self, jobs: Sequence[Job]) -> Path | None:
        """The folder whose manifest the run keeps; None where the output is one file or stdout."""
        one_file = len(jobs) == 1 and jobs[0].output == self.path
        return None if one_file else self.folder


@dataclass(frozen=True)
class Engine:
    """What computes: devices of this machine, or a Ray cluster.

    half: GPUs in half precision. workers: photos in work at once; None: as many as serve.
    """

    device: str
    half: bool
    workers: int | None
    ray: str | None = None

    def refuse(self, inputs: Sequence[str], output: str | None) -> None:
        """Raise UsageError for what a cluster cannot do."""
        if self.ray is None:
            return
        from lptn_cli.cluster import check_address

        check_address(self.ray)
        if "-" in inputs or output == "-":
            raise UsageError("--ray is for photos in files and buckets, not for standard streams")
        if self.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"--ray gives each worker a GPU of its own: not -d {self.device}, but cuda")
