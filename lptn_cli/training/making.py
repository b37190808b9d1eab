"""The preset that a run makes of what it has learned, at every checkpoint and at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lptn_cli.checkpoint import run_of, write_preset
from lptn_cli.errors import UsageError
from lptn_cli.preset import read
from lptn_cli.signals import Stop
from lptn_cli.training.loop import CHECKPOINT_SECONDS, Trainer
from lptn_cli.training.notebook import Notebook
from lptn_cli.translate import Retoucher

SHEET = 24  # photos on a contact sheet


@dataclass
class Make:
    """Makes the preset whose TOML is `place` of what a run has learned so far, and a sheet of what it does.

    A run that is stopped when it has hardly begun takes no other preset's place: that one is `spared`.
    """

    place: Path
    words: Mapping[str, Any]  # of the TOML, beside those of the run
    counts: str  # of what it learns from
    device: str
    notebook: Notebook
    overwrite: bool  # a preset that another run made or that came there meanwhile
    stop: Stop
    spared: bool = False

    def __call__(self, trainer: Trainer) -> None:
        weights = self.place.with_suffix(".safetensors")
        own = run_of(weights) == trainer.run_id
        hardly_begun = self.stop.asked and trainer.seconds < CHECKPOINT_SECONDS
        self.spared = hardly_begun and self.overwrite and weights.exists() and not own
        if not self.spared:
            self._make(trainer, overwrite=self.overwrite or own)

    def _make(self, trainer: Trainer, *, overwrite: bool) -> None:
        spent = f"{trainer.seconds / 60:.0f} minutes" if trainer.seconds >= 60 else f"{trainer.seconds:.0f} s"
        said = {**trainer.said, **self.words, "trained": f"{trainer.step} steps in {spent}, {self.counts}"}
        network, run_id = trainer.averaged_network(), trainer.run_id
        name, folder = self.place.stem, self.place.parent
        made = write_preset(name, folder, network, said, overwrite=overwrite, run_id=run_id)
        look = Retoucher(made, self.device)
        self.notebook.sheet([(photo, look(photo)) for photo in trainer.objective.examples[:SHEET]])


def said_before(place: Path, trainer: Trainer, said: Mapping[str, str], *, overwrite: bool) -> dict[str, Any]:
    """What is said of the preset of a run that is resumed: what is given now, else what its TOML says, its
    strength too, else what was given before.

    Raises UsageError: what lies at its place is another preset.
    """
    before: dict[str, Any] = dict(trainer.said)
    weights = place.with_suffix(".safetensors")
    if place.exists() or weights.exists():
        same = run_of(weights) == trainer.run_id
        if not same and not overwrite:
            fact = f"the preset {place.stem} in {place.parent} is not of the run that is to be resumed"
            raise UsageError(f"{fact}; give its folder with -o, or replace it with --overwrite")
        if same and place.exists():
            made = read(place)
            before = {"description": made.description, "license": made.license}
            before |= {"strength": made.strength} if made.strength != 1 else {}
    return {**before, **{key: words for key, words in said.items() if words}}
