"""The work folder of a run: held for it alone; what it keeps there beside the checkpoint."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from lptn_cli.atomic import reason, require_writable, sweep, write_atomic
from lptn_cli.codecs.image import Pixels
from lptn_cli.errors import OutputError, StartError, UsageError, WriteError
from lptn_cli.photos import OWN_PICTURES
from lptn_cli.training.loop import Step
from lptn_cli.training.pictures import write_curves, write_sheet
from lptn_cli.training.reading import Pixels8

FILES = ("log.jsonl", "losses.svg", "sheet.png")


@contextmanager
def work_folder(work: Path, *, resume: bool) -> Iterator[Path]:
    """Where the checkpoint is or will be, in a folder that is held for this run alone while inside.

    It is made if need be, and goes again when nothing came of the run. Raises UsageError (another run is at
    work there, or was; files of others would be replaced), StartError (nothing to resume), OutputError.
    """
    checkpoint = work / "checkpoint.pt"
    missing = [folder for folder in (work, *work.parents) if not os.path.exists(folder)]  # noqa: PTH110
    require_folder(work, "--work")
    with _alone_in(work), _not_left_empty(missing):
        sweep(work)
        begun = os.path.exists(checkpoint)  # noqa: PTH110  never raises
        if resume and not begun:
            raise StartError(f"there is no {checkpoint} to resume; train without --resume first")
        if begun and not resume:
            raise UsageError(f"{checkpoint} is of an earlier run; go on with --resume, or delete it")
        if not begun and not os.path.exists(work / OWN_PICTURES):  # noqa: PTH110
            for name in FILES:
                if os.path.isfile(work / name):  # noqa: PTH113
                    fact = f"{work / name} would be replaced, and is of no run of lptn train"
                    raise UsageError(f"{fact}; choose another folder with --work")
        yield checkpoint


def require_folder(folder: Path, option: str) -> None:
    """Make the folder, which `option` names: now, not after the first minutes of training. Raises
    OutputError."""
    try:
        require_writable(folder, option)
    except WriteError as error:
        raise OutputError(f"cannot write to the folder {folder} of {option}: {error}") from None


@contextmanager
def _not_left_empty(folders: Sequence[Path]) -> Iterator[None]:
    """Take folders, each within the next, away again when nothing came into them."""
    try:
        yield
    finally:
        with suppress(OSError):  # they hold something, as they should
            for folder in folders:
                folder.rmdir()


@contextmanager
def _alone_in(work: Path) -> Iterator[None]:
    """Hold the folder against other runs, by a lock that ends with this process. Raises UsageError."""
    with ExitStack() as held:
        try:
            descriptor = os.open(work, os.O_RDONLY | os.O_CLOEXEC)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fact = f"another lptn train is at work in {work}"
            raise UsageError(f"{fact}; stop it, or give this run a --work of its own") from None
        except OSError:  # a folder that may not be read, a file system without locks
            pass
        yield


class Progress(Protocol):
    """Who hears of a run, such as report.TrainingReport."""

    def note(self, text: str) -> None: ...
    def busy(self, text: str) -> None: ...
    def step(self, step: Step) -> None: ...


class Notebook:
    """log.jsonl, a JSON line a step; losses.svg, its curves; sheet.png, held-back photos before and after.

    None of them is worth a night's training: what cannot be written is told to the report, once for each
    file, and the run goes on. begun_at: the step that is gone on from; what the log tells of later ones was
    lost with them.
    """

    def __init__(self, work: Path, report: Progress, *, begun_at: int) -> None:
        self._log, self._curves, self._sheet = (work / name for name in FILES)
        self._report = report
        self._told: set[Path] = set()
        with self._spared(work / OWN_PICTURES):
            if not any(work.iterdir()):  # it is for this alone, and contact sheets are no photos
                (work / OWN_PICTURES).touch()
        with self._spared(self._log):
            if self._log.is_file():
                lines = self._log.read_text("utf-8", errors="replace").splitlines()
                kept = "".join(f"{line}\n" for line in lines if _number(line) <= begun_at)
                write_atomic(self._log, kept.encode(), overwrite=True, option="--work")

    def step(self, step: Step) -> None:
        """Note a step, and tell the report."""
        with self._spared(self._log), self._log.open("a", encoding="utf-8") as log:
            log.write(step.as_json() + "\n")
        if step.measured and self._log.is_file():
            with self._spared(self._curves):
                write_curves(self._curves, self._log.read_text("utf-8").splitlines())
        self._report.step(step)

    def sheet(self, pairs: Sequence[tuple[Pixels8, Pixels]]) -> None:
        with self._spared(self._sheet):
            write_sheet(self._sheet, pairs)

    @contextmanager
    def _spared(self, path: Path) -> Iterator[None]:
        try:
            yield
        except (OSError, WriteError) as error:
            fact = str(error) if isinstance(error, WriteError) else reason(error)[0]
            if path not in self._told:
                self._told.add(path)
                self._report.note(f"cannot write {path}: {fact}; the training goes on without it")


def _number(line: str) -> float:
    """Of the step that a line of the log tells; infinite where the line is cut off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, LookupError, TypeError):
        return math.inf
