"""What a run keeps of itself in its work folder, beside the checkpoint: log, curves and contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from lptn_cli.atomic import reason
from lptn_cli.codecs.image import Pixels
from lptn_cli.errors import WriteError
from lptn_cli.photos import OWN_PICTURES
from lptn_cli.training.loop import Step
from lptn_cli.training.pictures import write_curves, write_sheet
from lptn_cli.training.reading import Pixels8


class Progress(Protocol):
    """Who hears of a run, such as report.TrainingReport."""

    def note(self, text: str) -> None: ...
    def step(self, step: Step) -> None: ...


class Notebook:
    """log.jsonl, a JSON line a step; losses.svg, its curves; sheet.png, held-back photos before and after.

    None of them is worth a night's training: what cannot be written is told to the report, once for each
    file, and the run goes on. anew: the log of an earlier run is replaced.
    """

    def __init__(self, work: Path, report: Progress, *, anew: bool) -> None:
        self._log, self._curves, self._sheet = work / "log.jsonl", work / "losses.svg", work / "sheet.png"
        self._report = report
        self._told: set[Path] = set()
        self._mode = "w" if anew else "a"
        with self._spared(work / OWN_PICTURES):
            if not any(work.iterdir()):  # it is for this alone, and contact sheets are no photos
                (work / OWN_PICTURES).touch()

    def step(self, step: Step) -> None:
        """Note a step, and tell the report."""
        with self._spared(self._log), self._log.open(self._mode, encoding="utf-8") as log:
            self._mode = "a"
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
