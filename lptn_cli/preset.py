"""Presets: NAME.toml says what a look is, NAME.safetensors holds its weights, NAME.md is its model card.

A preset is found by name, first in the user's folder ($XDG_CONFIG_HOME/lptn/presets), then among those that
come with lptn; or by the path of its TOML file. This module loads in milliseconds: no torch.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from lptn_cli.errors import PresetError, StartError, UsageError
from lptn_cli.photos import shown

STRONGEST = 1.5  # how far a look goes at most, where 1 is as it was learned
SMALLEST_SCALE, LARGEST_SCALE = 64, 8192  # pixels of a native scale; smaller, and five levels have nothing
Padding = Literal["zeros", "reflect"]
Normalization = Literal["instance", "none"]
Output = Literal["tanh", "linear"]
DetailColour = Literal["kept", "faded", "recoloured"]


@dataclass(frozen=True)
class Preset:
    """What a preset's TOML file says, and where it lies. Field names are the file's keys."""

    path: Path  # of the TOML file
    sha256: str  # of the weights
    description: str = ""
    native_scale: int | None = None  # short side in pixels; None: the published way, at full resolution
    strength: float = 1.0
    keeps_grey: bool = False  # a photo without colour stays without
    padding: Padding = "zeros"
    normalization: Normalization = "instance"
    output: Output = "tanh"
    detail_colour: DetailColour = "kept"  # faded, recoloured: as the low-frequency component is
    license: str = ""
    trained: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def weights(self) -> Path:
        return self.path.with_suffix(".safetensors")

    @property
    def card(self) -> Path:
        return self.path.with_suffix(".md")

    def as_json(self) -> dict[str, Any]:
        """What `lptn presets NAME` shows."""
        said = {f.name: getattr(self, f.name) for f in fields(self)}
        card = str(self.card) if self.card.is_file() else ""
        return {"name": self.name, **said, "path": str(self.path), "card": card}

    def read_weights(self) -> bytes:
        """The bytes of the weights file. Raises PresetError: missing, or not those of `sha256`."""
        try:
            data = self.weights.read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            remedy = f"the weights of a preset lie beside its {self.path.name}"
            raise PresetError(f"preset {self.name}: cannot read {self.weights}: {reason}; {remedy}") from None
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise damaged(self, "their sha256 is not the one in the preset's TOML")
        return data


def damaged(preset: Preset, reason: str) -> PresetError:
    return PresetError(
        f"preset {preset.name}: the weights in {preset.weights} are damaged ({reason}); "
        "install, import or train the preset again"
    )


def folders(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Where presets are looked for, in order: the user's, then those that came with lptn."""
    here = Path(__file__).parent
    shipped = here / "presets" if (here / "presets").is_dir() else here.parent / "presets"
    try:
        return [user_folder(environ), shipped]
    except StartError:
        return [shipped]


def user_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where `lptn import` and `lptn train` put presets (XDG Base Directory specification).

    Raises StartError: the user has no home.
    """
    config = environ.get("XDG_CONFIG_HOME", "")
    try:
        base = Path(config) if config.startswith("/") else Path.home() / ".config"
    except RuntimeError:
        raise StartError("there is no home folder for presets; set HOME or XDG_CONFIG_HOME") from None
    return base / "lptn" / "presets"


def available() -> dict[str, Path]:
    """Name -> TOML file of every preset there is, sorted by name; the user's hide the shipped ones."""
    found: dict[str, Path] = {}
    for folder in reversed(folders()):
        with contextlib.suppress(OSError):  # not there, or somebody else's
            found |= {
                path.stem: path for path in folder.iterdir() if path.suffix == ".toml" and path.is_file()
            }
    return dict(sorted(found.items()))


def find(name: str) -> Preset:
    """The preset of that name or TOML file. Raises UsageError when there is none, with the nearest name."""
    if os.sep in name or name.endswith((".toml", ".safetensors")):
        path = Path(name)
        if path.suffix == ".safetensors":
            raise UsageError(f"{shown(name)} holds weights alone; give the preset's .toml file beside it")
        with contextlib.suppress(RuntimeError):  # nobody is called ~so
            path = path.expanduser()
        if not os.path.isfile(path):  # noqa: PTH113  never raises
            raise UsageError(f"no preset file {shown(name)}; give the path of a preset's .toml file")
        return read(path)
    known = available()
    if name in known:
        return read(known[name])
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(map(shown, known))}"
    raise UsageError(f"no preset is called {name!r}; {hint}")


def read(path: Path) -> Preset:
    """The preset in a TOML file. Raises PresetError naming the file and the key that is wrong."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise PresetError(f"cannot read the preset {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # also of bytes, and of numbers of 5,000 digits
        raise PresetError(f"the preset {path} is not valid TOML: {error}") from None
    hints = get_type_hints(Preset)
    known = {f.name for f in fields(Preset)} - {"path"}
    for key, value in table.items():
        if key not in known:
            raise PresetError(
                f"the preset {path} has an unknown key {key!r}; known are {', '.join(sorted(known))}"
            )
        if not _fits(value, hints[key]):
            raise PresetError(f"the preset {path}: {key} cannot be {value!r}")
    if "sha256" not in table:
        raise PresetError(f"the preset {path} does not say the sha256 of its weights")
    preset = Preset(path=path, **table)
    if preset.native_scale is not None and not SMALLEST_SCALE <= preset.native_scale <= LARGEST_SCALE:
        said = f"{SMALLEST_SCALE} to {LARGEST_SCALE} pixels, not {preset.native_scale}"
        raise PresetError(f"the preset {path}: native_scale must be {said}")
    if not 0 <= preset.strength <= STRONGEST:
        raise PresetError(f"the preset {path}: strength must be 0 to {STRONGEST:g}, not {preset.strength}")
    return preset


def _fits(value: object, hint: Any) -> bool:
    """Whether a TOML value is of the type that a field of Preset has."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is Mapping:
        return isinstance(value, dict)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
