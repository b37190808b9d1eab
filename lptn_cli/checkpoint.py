"""Presets made of weights: those of a published checkpoint, or of our own training."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from lptn_cli import preset as presets
from lptn_cli.atomic import write_atomic
from lptn_cli.errors import OutputError, PresetError, UsageError, WriteError
from lptn_cli.network import LPTN
from lptn_cli.photos import shown
from lptn_cli.preset import Preset

# What torch.load raises for bytes that are no checkpoint: its unpickler trusts the stream to be well formed.
UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    struct.error,
)
FILE_ENDINGS = (".toml", ".safetensors")  # of what -p takes for a path
MADE_BY = {"made_by": "lptn"}  # in the header of weights
WRAPPERS = ("params_ema", "params", "state_dict")  # what BasicSR and Lightning put round the weights


def import_checkpoint(
    checkpoint: Path, name: str, folder: Path, *, native_scale: int | None = None, overwrite: bool = False
) -> Preset:
    """Make the preset NAME in `folder` of an LPTN checkpoint, .pth or .safetensors.

    Nothing but tensors is unpickled. Without a native scale the preset works the published way, at full
    resolution. Raises UsageError (name taken or unusable), PresetError (not the weights of an LPTN, or those
    of a preset of lptn).
    """
    place = place_for(name, folder, overwrite=overwrite).with_suffix(".safetensors")
    if os.path.exists(place) and os.path.exists(checkpoint) and place.samefile(checkpoint):  # noqa: PTH110
        raise UsageError(f"the preset's weights would replace {checkpoint}; choose another name or folder")
    state = read_checkpoint(checkpoint)
    try:
        network = LPTN.from_state_dict(state)
    except PresetError as error:
        raise PresetError(f"{shown(checkpoint)}: {error}") from None
    if network.trans_low.context or _is_ours(checkpoint):  # which pads otherwise than published networks
        remedy = f"put the .toml that was made with it beside it and give that to -p, or both into {folder}"
        raise PresetError(f"{checkpoint} holds the weights of a preset of lptn; {remedy}")
    said = {
        "description": f"imported from {checkpoint.name}",
        "trained": f"elsewhere; {network.form} form, num_high {network.num_high}",
    }
    if native_scale:
        said["native_scale"] = native_scale  # type: ignore[assignment]
    return write_preset(name, folder, network, said, overwrite=overwrite, option="--to")


def read_checkpoint(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a checkpoint by name. Raises PresetError when the file is not one."""
    try:
        data = path.read_bytes()
        if path.suffix == ".safetensors":
            return load(data)
        with warnings.catch_warnings(action="ignore"):  # of pickle protocols, on a line of their own
            state = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    except OSError as error:
        raise PresetError(f"cannot read the checkpoint {shown(path)}: {error.strerror}") from None
    except (SafetensorError, *UNREADABLE) as error:
        # torch's own text advises to run whatever code the file holds
        kind = "a .safetensors file" if path.suffix == ".safetensors" else "a checkpoint of weights alone"
        raise PresetError(f"{path} is damaged, or not {kind} ({type(error).__name__})") from None
    for wrapper in WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        if isinstance(state, Mapping) and "averaged" in state and "run_id" in state:
            remedy = "its preset is there already; go on with `lptn train NAME --resume`"
            raise PresetError(f"{path} is the state of a run of lptn train; {remedy}")
        raise PresetError(f"{path} is not a checkpoint: it holds no named tensors")
    return state


def _is_ours(path: Path) -> bool:
    return path.suffix == ".safetensors" and MADE_BY.items() <= _header(path).items()


def run_of(weights: Path) -> str | None:
    """The id of the training that made these weights; None where there was none, or that cannot be read."""
    try:
        return _header(weights).get("run_id")
    except (OSError, SafetensorError):
        return None


def _header(weights: Path) -> Mapping[str, str]:
    with safe_open(weights, "pt") as file:
        return file.metadata() or {}


def place_for(name: str, folder: Path, *, overwrite: bool) -> Path:
    """Where the TOML of a new preset goes. Raises UsageError for a name that cannot be used or is taken, also
    by weights that are no preset's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) or name.endswith(FILE_ENDINGS):
        words = "up to 100 letters, digits, dots, dashes and underscores"
        raise UsageError(f"{name!r} cannot name a preset; use {words}, not ending in .toml or .safetensors")
    path = folder / f"{name}.toml"
    taken = os.path.exists(path)  # noqa: PTH110  never raises
    if taken and not overwrite:
        raise UsageError(f"a preset {name} exists in {folder}; choose another name or give --overwrite")
    weights = path.with_suffix(".safetensors")
    if os.path.exists(weights) and not taken and not overwrite:  # noqa: PTH110
        raise UsageError(f"{weights} exists; choose another name or give --overwrite")
    return path


def write_preset(
    name: str,
    folder: Path,
    network: LPTN,
    said: Mapping[str, Any],
    *,
    overwrite: bool,
    run_id: str = "",
    option: str = "-o",
) -> Preset:
    """Write NAME.safetensors and NAME.toml; `said` holds the TOML's keys besides those the network tells.

    run_id: of the training, for `run_of`. option: the one that names the folder. The TOML comes last: a
    preset that can be found is whole. One that was there stays if it cannot be replaced (a kill between the
    two files is not survived). Raises UsageError, OutputError.
    """
    path = place_for(name, folder, overwrite=overwrite)
    state = {key: value.contiguous().cpu() for key, value in network.state_dict().items()}
    weights = save(state, MADE_BY | ({"run_id": run_id} if run_id else {}))
    variant = network.variant
    keys: dict[str, Any] = {
        **said,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "padding": variant.padding,
        "normalization": variant.normalization,
        "output": variant.output,
        "detail_colour": variant.detail_colour,
    }
    # A JSON string or number is a TOML one too, where its characters can be printed.
    printable = {key: shown(value) if isinstance(value, str) else value for key, value in keys.items()}
    toml = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in printable.items())
    place = path.with_suffix(".safetensors")
    before = place.read_bytes() if path.exists() and place.exists() else None
    try:
        write_atomic(place, weights, overwrite=True, option=option)
        try:
            write_atomic(path, toml.encode(), overwrite=True, option=option)
        except WriteError:
            if before is not None:
                write_atomic(place, before, overwrite=True, option=option)
            raise
    except WriteError as error:
        raise OutputError(f"cannot write the preset to {folder}: {error}") from None
    return presets.read(path)
