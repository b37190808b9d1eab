"""Presets: found by name or path, checked, and refused with one clear line."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load, save

from lptn_cli import preset as presets
from lptn_cli.errors import PresetError, StartError, UsageError
from lptn_cli.preset import Preset
from lptn_cli.translate import load_network
from tests.conftest import make_preset

SHIPPED = sorted((Path(presets.__file__).parents[1] / "presets").glob("*.toml"))


def written(folder: Path, text: str) -> Path:
    path = folder / "look.toml"
    path.write_text(text, "utf-8")
    return path


def test_by_name_in_the_users_folder_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = make_preset(presets.user_folder(), "mine")
    assert presets.find("mine") == presets.find(str(made.path)) == made
    assert presets.available()["mine"] == made.path


def test_the_users_preset_hides_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    make_preset(presets.user_folder(), "retouch")
    assert presets.find("retouch").description == "a small look for tests"


@pytest.mark.parametrize("config", ["", "relative/folder"])
def test_xdg_folder_must_be_absolute_else_home(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    folder = presets.user_folder({"XDG_CONFIG_HOME": config})
    assert folder == Path("/home/somebody/.config/lptn/presets")


def test_without_a_home_the_shipped_presets_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert len(presets.folders({})) == 1
    with pytest.raises(StartError, match="set HOME"):
        presets.user_folder({})
    with pytest.raises(UsageError, match="no preset file ~nobody-of-that-name/"):
        presets.find("~nobody-of-that-name/look.toml")


def test_a_pipe_among_the_presets_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "lptn/presets"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "waits.toml")  # who reads it waits for a writer
    assert "waits" not in presets.available()


def test_a_folder_of_presets_that_may_not_be_read_is_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert presets.available() == {}


def test_weights_that_make_no_numbers_are_damaged(tmp_path: Path) -> None:
    preset = make_preset(tmp_path)
    state = {name: value * 1e30 for name, value in load(preset.read_weights()).items()}
    data = save(state)
    preset.weights.write_bytes(data)
    with pytest.raises(PresetError, match=r"dusk\.safetensors are damaged"):
        load_network(replace(preset, sha256=hashlib.sha256(data).hexdigest()))


def test_unknown_name_suggests_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    make_preset(presets.user_folder(), "day-to-night")
    with pytest.raises(UsageError, match="did you mean day-to-night"):
        presets.find("day-to-nite")
    with pytest.raises(UsageError, match=r"there are: .*day-to-night"):
        presets.find("xyzzy")
    with pytest.raises(UsageError, match="no preset file"):
        presets.find("nowhere/look.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sha256 = ", "not valid TOML"),
        ("a = " + "9" * 5000, "not valid TOML"),
        ("a = " + "[" * 5000, "not valid TOML"),
        ("sha256 = 'x'\ncolour = 1", "unknown key 'colour'"),
        ("sha256 = 3", "sha256 cannot be 3"),
        ("sha256 = 'x'\nnative_scale = true", "native_scale cannot be True"),
        ("sha256 = 'x'\nnative_scale = 63", "64 to 8192"),
        ("sha256 = 'x'\nstrength = 2.5", "0 to 1.5"),
        ("sha256 = 'x'\npadding = 'mirror'", "padding cannot be 'mirror'"),
        ("sha256 = 'x'\nfigures = 1", "figures cannot be 1"),
        ("description = 'x'", "does not say the sha256"),
        ("path = 'x'\nsha256 = 'x'", "unknown key 'path'"),
    ],
)
def test_bad_toml_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PresetError, match=said):
        presets.read(written(tmp_path, text))


def test_weights_missing_or_changed(tmp_path: Path) -> None:
    made = make_preset(tmp_path)
    data = bytearray(made.read_weights())
    data[-1] ^= 1
    made.weights.write_bytes(data)
    with pytest.raises(PresetError, match="sha256"):
        made.read_weights()
    made.weights.unlink()
    with pytest.raises(PresetError, match="No such file"):
        made.read_weights()


def test_weights_that_are_no_safetensors(tmp_path: Path) -> None:
    import hashlib

    junk = b"not weights at all"
    toml = written(tmp_path, f"sha256 = '{hashlib.sha256(junk).hexdigest()}'")
    toml.with_suffix(".safetensors").write_bytes(junk)
    with pytest.raises(PresetError, match="damaged"):
        load_network(presets.read(toml))


def test_as_json_is_json(tmp_path: Path) -> None:
    shown = json.loads(json.dumps(make_preset(tmp_path).as_json()))
    assert shown["name"] == "dusk"
    assert shown["native_scale"] == 64


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_presets_are_whole(path: Path) -> None:
    shipped: Preset = presets.read(path)
    network = load_network(shipped)
    assert network.form == "paper"
    assert shipped.native_scale
    assert shipped.description
    assert shipped.license
    assert shipped.card.is_file()
    assert shipped.weights.stat().st_size < 3_000_000


def test_retouch_is_shipped() -> None:
    assert "retouch" in [path.stem for path in SHIPPED]
