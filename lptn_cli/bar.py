"""The progress bar, and lines for people above it."""

from __future__ import annotations

import contextlib
import os
import sys


class Bar:
    """A Rich progress bar on stderr, with one field of text of our own and the time left."""

    def __init__(self, *, counts: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            BarColumn(),
            *([MofNCompleteColumn()] if counts else []),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            redirect_stdout=False,  # else Rich swallows the listing on stdout
            redirect_stderr=False,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, text="")

    def start(self, total: float | None) -> None:
        self._progress.update(self._task, total=total)
        self._progress.start()

    def update(self, completed: float, text: str) -> None:
        self._progress.update(self._task, completed=completed, text=text)

    def line(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def close(self) -> None:
        self._progress.stop()


def tell(text: str, bar: Bar | None) -> None:
    """One line for people, above the bar if there is one. That nobody reads it ends no run."""
    with contextlib.suppress(OSError):
        if bar:
            bar.line(f"lptn: {text}")
        else:
            print(f"lptn: {text}", file=sys.stderr, flush=True)


def can_draw() -> bool:
    """Whether stderr is a terminal that can go back in its line."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
