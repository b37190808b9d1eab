"""Presets made of published checkpoints: the authors' keys, nothing but tensors, clear refusals."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lptn_cli import Retoucher, checkpoint
from lptn_cli.atomic import write_atomic
from lptn_cli.checkpoint import import_checkpoint, read_checkpoint, write_preset
from lptn_cli.errors import OutputError, PresetError, UsageError, WriteError
from lptn_cli.network import LPTN
from lptn_cli.preset import read
from tests.conftest import photo
from tests.seeded import seeded_state

REFERENCE = Path(__file__).parents[2] / "shared" / "reference"


def saved(folder: Path, content: Any) -> Path:
    path = folder / "net_g.pth"
    torch.save(content, path)
    return path


@pytest.mark.parametrize("wrapper", [None, "params", "params_ema", "state_dict"])
def test_import_of_a_checkpoint_in_the_authors_form(tmp_path: Path, wrapper: str | None) -> None:
    state = seeded_state("released", 2, 1, 3)
    for part in ("0.weight", "0.bias", "2.weight", "2.bias"):
        state[f"trans_high.trans_mask_block.{part}"] = state[f"trans_high.trans_mask_block_2.{part}"]
    made = import_checkpoint(saved(tmp_path, {wrapper: state} if wrapper else state), "fivek", tmp_path)
    assert made.native_scale is None
    assert (made.padding, made.normalization, made.output) == ("zeros", "instance", "tanh")
    assert Retoucher(made, "cpu")(photo(48, 64)).shape == (48, 64, 3)


def test_weights_of_more_levels_than_a_photo_can_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="17 pyramid levels"):
        import_checkpoint(saved(tmp_path, seeded_state("paper", 2, 1, 17)), "deep", tmp_path)


def test_import_with_a_native_scale(tmp_path: Path) -> None:
    state = seeded_state("paper", 2, 1, 3)
    made = import_checkpoint(saved(tmp_path, state), "mine", tmp_path, native_scale=64)
    assert made.native_scale == 64


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/lptn-was-executed"),))


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"params": Evil()}, protocol=2))
    torch.save({"params": Evil()}, tmp_path / "evil2.pth")
    for evil in (path, tmp_path / "evil2.pth"):
        with pytest.raises(PresetError, match="is damaged, or not a"):
            read_checkpoint(evil)
    assert not Path("/tmp/lptn-was-executed").exists()


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {"params": {"a": "text"}}, torch.zeros(3)])
def test_other_content_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(PresetError, match="not a checkpoint"):
        read_checkpoint(saved(tmp_path, content))


@pytest.mark.parametrize("data", [b"", b"junk", b"PK\x03\x04 broken"])
def test_broken_files_are_refused(tmp_path: Path, data: bytes) -> None:
    for name in ("a.pth", "a.safetensors"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PresetError, match=name):
            read_checkpoint(tmp_path / name)
    with pytest.raises(PresetError, match="No such file"):
        read_checkpoint(tmp_path / "none.pth")


def test_names(tmp_path: Path) -> None:
    path = saved(tmp_path, seeded_state("paper", 2, 1, 3))
    import_checkpoint(path, "mine", tmp_path)
    with pytest.raises(UsageError, match="exists"):
        import_checkpoint(path, "mine", tmp_path)
    import_checkpoint(path, "mine", tmp_path, overwrite=True)
    for name in ("", "../up", "a/b", ".hidden", "x.toml", "-p", "n" * 101):
        with pytest.raises(UsageError, match="cannot name a preset"):
            import_checkpoint(path, name, tmp_path)


def test_weights_that_are_no_presets_are_not_replaced(tmp_path: Path) -> None:
    torch.save(LPTN(form="released").state_dict(), tmp_path / "net.pth")
    theirs = tmp_path / "theirs.safetensors"
    save_file(LPTN(form="released").state_dict(), theirs)
    before = theirs.read_bytes()
    with pytest.raises(UsageError, match=r"theirs\.safetensors exists; choose another name"):
        import_checkpoint(tmp_path / "net.pth", "theirs", tmp_path)
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="choose another name"):
            import_checkpoint(theirs, "theirs", tmp_path, overwrite=overwrite)
    assert theirs.read_bytes() == before
    assert import_checkpoint(theirs, "mine", tmp_path).weights.exists()


def test_a_preset_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = LPTN(nrb_low=1, nrb_high=1, num_high=3)
    said = {"description": "mine", "native_scale": 64}
    before = write_preset("look", tmp_path, network, said, overwrite=False)

    def no_room_for_toml(path: Path, data: bytes, **options: Any) -> None:
        if path.suffix == ".toml":
            raise WriteError("the disk is full")
        write_atomic(path, data, **options)

    monkeypatch.setattr(checkpoint, "write_atomic", no_room_for_toml)
    other = LPTN(nrb_low=1, nrb_high=1, num_high=3)
    with pytest.raises(OutputError, match="the disk is full"):
        write_preset("look", tmp_path, other, said, overwrite=True)
    after = read(before.path)
    assert after.sha256 == before.sha256 and after.read_weights() == before.read_weights()


def test_a_preset_can_be_read_whatever_it_was_made_from(tmp_path: Path) -> None:
    """TOML takes no control characters, and UTF-8 no stray bytes."""
    source = saved(tmp_path, seeded_state("paper", 2, 1, 3))
    odd = source.rename(tmp_path / os.fsdecode(b"caf\xe9\x7f\n.pth"))
    assert import_checkpoint(odd, "mine", tmp_path).description == r"imported from caf\xe9\x7f\n.pth"


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs ../shared/reference")
def test_the_authors_checkpoint(tmp_path: Path) -> None:
    """Imported, it gives the numbers of the authors' code through the whole Retoucher."""
    made = import_checkpoint(REFERENCE / "net_g_FiveK_numhigh3.pth", "fivek", tmp_path)
    vectors = np.load(REFERENCE / "released_fivek_L3.npz")
    result = Retoucher(made, "cpu")(vectors["input_96x128"])
    wanted = np.rint(vectors["output_96x128"].clip(0, 1) * 255)
    assert np.abs(result - wanted).max() <= 1
    assert (result != wanted).mean() < 1e-3
