"""The contract of the command line: one real run, commands, help, Python.

Most runs of these files of tests happen in this process, which has loaded torch already (`run`); where a real
process makes the difference, there is one (`spawn`).
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from lptn_cli import __version__
from lptn_cli.preset import Preset, user_folder
from tests.command import Ran, Retouch, contents, environment, load, modules_of, run, save, spawn, tree
from tests.conftest import make_preset, photo

# One real run that feeds many tests


@dataclass(frozen=True)
class First:
    source: Path
    out: Path
    ran: Ran
    before: dict[str, tuple[bytes, int]]


@pytest.fixture(scope="module")
def first(preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> First:
    """`lptn retouch photos/ -o out --json` as a process: every format, one bad photo, files to pass over."""
    top = tmp_path_factory.mktemp("first")
    source = top / "photos"
    save(source / "a.jpg", photo(60, 90))
    save(source / "B.PNG", photo(50, 40, seed=1))
    save(source / "sub/c.tif", photo(44, 60, "uint16", seed=2))
    save(source / "sub/deep/d.webp", photo(48, 64, seed=3))
    save(source / "sub/e.avif", photo(48, 64, seed=4))
    (source / "bad.jpg").write_bytes(b"this is no photo")
    (source / ".hidden.jpg").write_bytes(b"never looked at")
    (source / ".cache").mkdir()
    (source / ".cache/x.jpg").write_bytes(b"never looked at")
    (source / "notes.txt").write_text("never looked at")
    before = contents(source)
    ran = spawn("retouch", "photos", "-o", "out", "--json", "-p", preset.path, "-d", "cpu", cwd=top)
    return First(source, top / "out", ran, before)


def test_one_bad_photo_ends_with_1_and_all_others_are_done(first: First) -> None:
    assert first.ran.code == 1
    assert tree(first.out) == {"a.jpg", "B.PNG", "sub/c.tif", "sub/deep/d.webp", "sub/e.avif"}
    for name in tree(first.out):
        was, now = load(first.source / name), load(first.out / name)
        assert now.pixels.shape == was.pixels.shape and now.depth == was.depth and now.format == was.format
        assert abs(now.pixels.astype(float).mean() - was.pixels.astype(float).mean()) > 2


def test_inputs_are_never_changed(first: First) -> None:
    assert contents(first.source) == first.before


def test_stderr_has_one_line_a_failure_and_a_summary(first: First) -> None:
    failure, summary = first.ran.stderr.splitlines()
    assert failure.startswith("lptn: photos/bad.jpg: this is not an image")
    assert summary.startswith("lptn: 5 written, 1 failed in ") and summary.endswith(" -> out")


def test_json_start(first: First, preset: Preset) -> None:
    start = first.ran.events[0]
    assert start.pop("version") == __version__
    assert start == {
        "event": "start", "schema": 1, "preset": "dusk", "weights_sha256": preset.sha256,
        "device": "cpu", "photos": 6,
    }  # fmt: skip


def test_json_of_written_photos(first: First) -> None:
    written = {e["input"]: e for e in first.ran.events if e.get("status") == "written"}
    assert len(written) == 5
    one = written["photos/sub/c.tif"]
    ms = one.pop("ms")
    assert {"decode", "look", "encode"} <= set(ms) and all(type(value) is int for value in ms.values())
    assert one == {
        "event": "photo", "status": "written", "input": "photos/sub/c.tif", "output": "out/sub/c.tif",
        "width": 60, "height": 44, "depth": 16,
    }  # fmt: skip


def test_json_of_a_failed_photo(first: First) -> None:
    (failed,) = (e for e in first.ran.events if e.get("status") == "failed")
    assert set(failed) == {"event", "status", "input", "error", "message"}
    assert (failed["input"], failed["error"]) == ("photos/bad.jpg", "unsupported")
    assert failed["message"] in first.ran.stderr


def test_json_summary(first: First) -> None:
    summary = first.ran.events[-1]
    assert summary.pop("seconds") > 0
    assert summary == {"event": "summary", "written": 5, "up_to_date": 0, "failed": 1, "exit": 1}


def test_a_second_run_finds_all_up_to_date_and_loads_no_torch(first: First, preset: Preset) -> None:
    before = contents(first.out)
    ran, heavy = modules_of("retouch", "photos", "-o", "out", "--json", "-p", preset.path, "--exclude",
                            "bad.jpg", cwd=first.out.parent)  # fmt: skip
    assert ran.code == 0
    assert heavy == set()
    assert contents(first.out) == before
    photos = [e for e in ran.events if e["event"] == "photo"]
    assert {
        "event": "photo",
        "status": "up-to-date",
        "input": "photos/a.jpg",
        "output": "out/a.jpg",
    } in photos
    assert len(photos) == 5
    assert ran.events[-1]["up_to_date"] == 5 and ran.events[-1]["exit"] == 0
    assert "0 written, 5 up to date" in ran.stderr


# Commands, help, presets

OPTIONS = """
--preset --strength --light --color
--files-from --null --include --exclude --no-recursive --limit --shard
--output --name --format --quality --subsampling --depth --metadata --keep-times --overwrite --compare
--device --precision --jobs --ray --max-megapixels
--dry-run --json --print --print0 --quiet --verbose --no-progress --fail-fast --max-errors
"""


def test_version() -> None:
    assert run("--version").stdout.decode() == f"lptn {__version__}\n"


def test_help_lists_the_commands() -> None:
    ran = run("--help")
    assert ran.code == 0
    words = set(ran.stdout.decode().split())
    commands = {"retouch", "presets", "train", "evaluate", "import", "bench", "doctor"}
    assert words >= {*commands, "--install-completion", "--version"}


def test_help_of_retouch_names_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    words = set(run("retouch", "-h").stdout.decode().split())
    assert words >= set(OPTIONS.split())
    assert {"-p", "-s", "-o", "-d", "-j", "-n", "-q", "-v", "-0"} <= words


@pytest.mark.parametrize(
    "switch", ["null", "keep-times", "overwrite", "dry-run", "print", "quiet", "verbose", "fail-fast"]
)
def test_booleans_are_switches(switch: str, retouch: Retouch) -> None:
    ran = retouch("x.jpg", f"--no-{switch}")
    assert ran.code == 2 and "No such option" in ran.stderr


@pytest.mark.parametrize(
    ("words", "hint"), [("retuch x.jpg", "retouch"), ("retouch --strenth 1", "--strength")]
)
def test_mistyped_commands_and_options_get_a_suggestion(words: str, hint: str) -> None:
    ran = run(*words.split())
    assert ran.code == 2 and hint in ran.stderr.split("No such")[1]


def test_an_unknown_preset_gets_a_suggestion(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    make_preset(user_folder())
    ran = run("retouch", folder, "-p", "dsuk")
    assert ran.code == 2
    assert "dsuk" in ran.error and "did you mean dusk?" in ran.error
    assert run("presets", "dsuk").code == 2


def test_a_preset_by_path_that_is_not_there(folder: Path) -> None:
    ran = run("retouch", folder, "-p", "nowhere/dusk.toml")
    assert ran.code == 2 and "nowhere/dusk.toml" in ran.error


def test_retouch_alone_uses_the_preset_named_retouch_and_lptn_preset_another(
    folder: Path, preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make_preset(user_folder(), "retouch")
    assert run("retouch", folder, "--json", "--limit", "1").events[0]["preset"] == "retouch"
    monkeypatch.setenv("LPTN_PRESET", str(preset.path))
    assert run("retouch", folder, "--json", "--limit", "1").events[0]["preset"] == "dusk"
    assert tree(tmp_path / "lptn-out") == {"retouch/a.jpg", "dusk/a.jpg", "dusk/.lptn-manifest.jsonl",
                                           "retouch/.lptn-manifest.jsonl"}  # fmt: skip


def test_presets_lists_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = make_preset(user_folder())
    assert "a small look for tests" in run("presets").stdout.decode()
    (listed,) = (p for p in json.loads(run("presets", "--json").stdout) if p["name"] == "dusk")
    shown = json.loads(run("presets", "dusk", "--json").stdout)
    assert shown == listed
    assert shown["sha256"] == made.sha256 and shown["native_scale"] == 64
    assert {"description", "trained", "license", "figures"} <= shown.keys()
    text = run("presets", "dusk").stdout.decode()
    assert made.sha256 in text and "Apache-2.0" in text
    with made.path.open("a") as toml:
        toml.write("\n[figures]\nstructure = 0.98\n")
    assert json.loads(run("presets", "dusk", "--json").stdout)["figures"] == {"structure": 0.98}
    assert re.search(r"(?m)^structure +0\.98$", run("presets", "dusk").stdout.decode())
    told = made.path.read_text("utf-8").replace("a small look", r"a \u001b]0;small look")
    made.path.write_text(told, "utf-8")
    assert b"\x1b" not in run("presets", "dusk").stdout + run("presets").stdout


def test_a_preset_that_is_shown_has_its_weights(tmp_path: Path) -> None:
    made = make_preset(tmp_path)
    made.weights.write_bytes(made.weights.read_bytes()[:-1])
    ran = run("presets", made.path)
    assert (ran.code, ran.stdout) == (4, b"") and f"the weights in {made.weights} are damaged" in ran.error


@pytest.mark.parametrize("words", ["lptn retouch -p du", "lptn retouch --preset du", "lptn presets du"])
def test_presets_complete_in_the_shell(words: str, tmp_path: Path, preset: Preset) -> None:
    shutil.copytree(preset.path.parent, tmp_path / "lptn/presets")
    asked = {"_LPTN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    ran = spawn(env=environment(XDG_CONFIG_HOME=str(tmp_path), **asked))
    assert ran.stdout.split() == [b"dusk"]


def test_doctor_names_versions_devices_and_codecs() -> None:
    facts = json.loads(run("doctor", "--json").stdout)
    assert facts["lptn"] == __version__ and facts["torch"] == torch.__version__
    assert "cpu" in facts["devices"] and "jpeg" in facts["formats"]
    assert "torch" in run("doctor").stdout.decode()


# Python


def test_retoucher_is_what_the_command_line_uses(folder: Path, preset: Preset, retouch: Retouch) -> None:
    from lptn_cli import Retoucher as Look

    pixels = load(folder / "sub/c.png").pixels
    result = Look(preset.path, device="cpu")(pixels, strength=0.7)
    assert result.shape == pixels.shape and result.dtype == pixels.dtype
    retouch(folder / "sub/c.png", "-o", folder.parent / "o.png", "-s", "0.7", "-d", "cpu")
    np.testing.assert_array_equal(load(folder.parent / "o.png").pixels, result)
