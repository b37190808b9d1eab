"""`lptn import`: checkpoints of the authors become presets, and nothing in them is run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.command import load, run, tree
from tests.conftest import make_preset
from tests.seeded import seeded_state


@pytest.mark.parametrize("wrapper", [None, "params", "params_ema"])
def test_import_of_a_checkpoint_of_the_authors(wrapper: str | None, folder: Path, tmp_path: Path) -> None:
    state = seeded_state("released", nrb_low=2, nrb_high=1, num_high=3)
    for layer in ("0.weight", "0.bias", "2.weight", "2.bias"):  # their last block is stored twice
        state[f"trans_high.trans_mask_block.{layer}"] = state[f"trans_high.trans_mask_block_2.{layer}"]
    torch.save({wrapper: state} if wrapper else state, tmp_path / "net_g.pth")
    ran = run("import", tmp_path / "net_g.pth", "fivek", "--to", tmp_path / "presets")
    assert ran.code == 0 and ran.stdout == b"" and "fivek.toml is ready" in ran.error
    made = tmp_path / "presets/fivek.toml"
    assert "native_scale" not in made.read_text()
    done = run("retouch", "-p", made, folder / "a.jpg", "-o", tmp_path / "o.png")
    assert done.code == 0 and load(tmp_path / "o.png").pixels.shape == (40, 56, 3)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("executed"),))


def test_import_executes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"params": Bomb()}, "bomb.pth")
    Path("plain.pth").write_bytes(pickle.dumps(Bomb(), protocol=2))
    for name in ("bomb.pth", "plain.pth"):
        ran = run("import", name, "boom", "--to", "presets")
        assert ran.code == 4 and name in ran.error
    assert tree(tmp_path) == {"bomb.pth", "plain.pth"}


def test_import_says_what_to_do_with_what_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"averaged": {}, "run_id": "1", "step": 3}, tmp_path / "checkpoint.pt")
    ran = run("import", tmp_path / "checkpoint.pt", "mine", "--to", tmp_path / "presets")
    assert (ran.code, "lptn train NAME --resume" in ran.error) == (4, True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    torch.save(seeded_state("released", nrb_low=2, nrb_high=1, num_high=3), tmp_path / "net_g.pth")
    assert run("import", tmp_path / "net_g.pth", "mine").error.endswith("-p mine")
    ran = run("import", tmp_path / "net_g.pth", "retouch")
    assert (ran.code, "it hides the retouch that comes with lptn" in ran.stderr) == (0, True)
    weights = tmp_path / "lptn" / "presets" / "mine.safetensors"
    ran = run("retouch", tmp_path, "-p", weights)
    assert (ran.code, "give the preset's .toml" in ran.error) == (2, True)
    weights.unlink()
    (tmp_path / "presets").write_bytes(b"in the way")
    ran = run("import", tmp_path / "net_g.pth", "mine", "--to", tmp_path / "presets")
    assert (ran.code, "choose another folder with --to" in ran.error) == (4, True)


def test_import_refuses_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"hello")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    for name in ("x.pth", "other.pth", "missing.pth"):
        ran = run("import", tmp_path / name, "boom", "--to", tmp_path / "presets")
        assert ran.code == 4 and "lptn: " in ran.error


@pytest.mark.parametrize("context", [True, False])
def test_weights_of_a_preset_of_ours_are_no_checkpoint_to_import(context: bool, tmp_path: Path) -> None:
    """Its TOML says what the weights do not: how it pads, what comes last."""
    made = make_preset(tmp_path / "sent", context=context)
    ran = run("import", made.weights, "mine", "--to", tmp_path / "presets")
    assert ran.code == 4 and "put the .toml that was made with it beside it" in ran.error
    assert not (tmp_path / "presets").exists()


def test_import_without_a_home_says_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(seeded_state("paper", nrb_low=1, nrb_high=1, num_high=3), tmp_path / "net_g.pth")

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    ran = run("import", tmp_path / "net_g.pth", "mine", "--to", tmp_path / "presets")
    assert ran.code == 0 and f"-p {tmp_path}/presets/mine.toml" in ran.error
