"""A short run of training, and what it tells."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lptn_cli.preset import Preset
from lptn_cli.signals import Stop
from lptn_cli.training import run
from lptn_cli.training.loop import Step
from lptn_cli.training.run import Load


class Listener:
    def __init__(self, stop_after: int = 10**9) -> None:
        self.notes: list[str] = []
        self.steps: list[Step] = []
        self.heard: list[str] = []
        self.stop, self._stop_after = Stop(), stop_after

    def note(self, text: str) -> None:
        self.notes.append(text)

    def busy(self, text: str) -> None:
        self.heard.append(text)

    def step(self, step: Step) -> None:
        self.steps.append(step)
        if len(self.steps) >= self._stop_after:
            self.stop.asked = True


def train(
    pairs: Path, work: Path, listener: Listener,
    *, resume: bool = False, minutes: float = 10, overwrite: bool = False, description: str = "brighter",
    load: Load | None = None,
) -> Preset:  # fmt: skip
    return run.train(
        "mine", load or partial(run.pairs, pairs, [pairs / "target"], [pairs / "target"]),
        minutes=minutes, resume=resume, native_scale=64, levels=4, device="cpu", seed=1,
        work=work / "work", to=work / "presets", overwrite=overwrite, said={"description": description},
        report=listener, stop=listener.stop,
    )  # fmt: skip
