"""The contract of the command line, line by line: options, streams, exit codes, resume, start-up.

Most runs happen in this process, which has loaded torch already (`run`); where a real process makes the
difference, there is one (`spawn`).
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lptn_cli import __version__, codecs
from lptn_cli.codecs.image import Format
from lptn_cli.preset import Preset, user_folder
from tests.codec_samples import GPS_WORDS, file, full_metadata, jpeg
from tests.command import LPTN, Ran, Retouch, contents, environment, load, on_linux, run, save, spawn, tree
from tests.conftest import make_preset, photo
from tests.seeded import seeded_state

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


# Start-up


def modules_of(*words: object, **options: Any) -> tuple[Ran, set[str]]:
    """A process of `lptn` and which heavy modules it had loaded when it ended."""
    code = (
        "import sys; from lptn_cli.cli import main\n"
        "try: main()\n"
        "finally: print(*{'torch', 'cv2', 'numpy', 'PIL'} & sys.modules.keys(), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, timeout=60, **options
    )
    *lines, heavy = done.stderr.decode().split("\n")[:-1]
    return Ran(done.returncode, done.stdout, "\n".join(lines)), set(heavy.split())


@pytest.mark.parametrize(
    "words", ["--help", "retouch --help", "--version", "presets", "presets dusk", "presets --json", "DRY RUN"]
)
def test_answers_at_once_without_torch_and_cv2(
    words: str, folder: Path, tmp_path: Path, preset: Preset
) -> None:
    shutil.copytree(preset.path.parent, tmp_path / "config/lptn/presets")
    dry_run = ["retouch", "-n", folder, "-o", tmp_path / "out", "-p", "dusk"]
    env = environment(XDG_CONFIG_HOME=str(tmp_path / "config"))
    ran, heavy = modules_of(*(dry_run if words == "DRY RUN" else words.split()), env=env)
    assert ran.code == 0 and ran.stdout and not ran.stderr
    assert heavy - {"numpy"} == set()


def test_help_takes_less_than_half_a_second_of_work() -> None:
    def seconds() -> float:
        before = os.times()
        assert spawn("--help").code == 0
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds() for _ in range(3)) < 0.5


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, lptn_cli; assert not {'torch', 'numpy', 'cv2', 'typer'} & sys.modules.keys();"
        "from lptn_cli import Retoucher; assert 'torch' in sys.modules; print(Retoucher.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"Retoucher\n"


# Commands, help, presets

OPTIONS = """
--preset --strength --light --color
--files-from --null --include --exclude --no-recursive --limit
--output --name --format --quality --subsampling --depth --metadata --keep-times --overwrite
--device --jobs --max-megapixels
--dry-run --json --print --print0 --quiet --verbose --no-progress --fail-fast --max-errors
"""


def test_version() -> None:
    assert run("--version").stdout.decode() == f"lptn {__version__}\n"


def test_help_lists_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run("--help")
    assert ran.code == 0
    for command in ("retouch", "presets", "train", "import", "doctor", "--install-completion", "--version"):
        assert command in ran.stdout.decode()


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


# lptn import


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


def test_import_refuses_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"hello")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    for name in ("x.pth", "other.pth", "missing.pth"):
        ran = run("import", tmp_path / name, "boom", "--to", tmp_path / "presets")
        assert ran.code == 4 and "lptn: " in ran.error


# Look


@pytest.mark.parametrize("words", ["-s 0", "--light 0 --color 0"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_strength_0_is_the_photo_itself(words: str, dtype: str, tmp_path: Path, retouch: Retouch) -> None:
    source = save(tmp_path / "a.png", photo(41, 57, dtype))
    assert retouch(source, "-o", tmp_path / "out", *words.split()).code == 0
    np.testing.assert_array_equal(load(tmp_path / "out/a.png").pixels, photo(41, 57, dtype))


def test_strengths_differ(tmp_path: Path, retouch: Retouch) -> None:
    source = save(tmp_path / "a.png", photo(41, 57))
    looks = {"": 1, "-s 1": 1, "-s 0.5": 2, "--light 0": 3, "--color 0": 4, "-s 1.5": 5}
    found: dict[int, bytes] = {}
    for words, look in looks.items():
        retouch(source, "-o", tmp_path / "o.png", "--overwrite", *words.split())
        pixels = load(tmp_path / "o.png").pixels.tobytes()
        assert found.setdefault(look, pixels) == pixels
    assert len(set(found.values())) == 5


@pytest.mark.parametrize("option", ["--strength", "--light", "--color"])
@pytest.mark.parametrize("value", ["nan", "inf", "-0.1", "1.6", "much", ""])
def test_a_strength_is_a_number_from_0_to_1_5(
    option: str, value: str, folder: Path, retouch: Retouch
) -> None:
    assert retouch(folder, option, value).code == 2


@pytest.mark.parametrize(
    "words",
    ["--quality 0", "--quality 101", "--depth 12", "--format gif", "--subsampling 411", "--metadata some",
     "--limit 0", "-j 0", "--max-errors 0", "--max-megapixels nan", "--max-megapixels inf",
     "--max-megapixels 0", "--frobnicate"],
)  # fmt: skip
def test_bad_values_are_usage_errors(words: str, folder: Path, tmp_path: Path, retouch: Retouch) -> None:
    ran = retouch(folder, "-o", tmp_path / "out", *words.split())
    assert ran.code == 2 and "Traceback" not in ran.stderr and ran.stdout == b""
    assert not (tmp_path / "out").exists()


# Input


def planned(ran: Ran) -> list[str]:
    """The names of the inputs that a dry run lists, in order."""
    assert ran.code == 0, ran.stderr
    return [Path(line.split("\t")[1]).name for line in ran.stdout.decode().splitlines()]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", ["a.jpg", "b.jpg", "c.png"]),
        ("--limit 2", ["a.jpg", "b.jpg"]),
        ("--no-recursive", ["a.jpg", "b.jpg"]),
        ("--include *.png", ["c.png"]),
        ("--include sub/* --include b*", ["b.jpg", "c.png"]),
        ("--exclude sub", ["a.jpg", "b.jpg"]),
        ("--exclude *.jpg --exclude x", ["c.png"]),
    ],
)
def test_what_is_taken(words: str, names: list[str], folder: Path, retouch: Retouch) -> None:
    assert planned(retouch("-n", folder, "-o", folder.parent / "out", *words.split())) == names


def test_options_and_inputs_mix_in_any_order(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    mixed = retouch(folder / "b.jpg", "-o", out, folder / "sub", "-n", folder / "a.jpg", "-s", "1")
    assert planned(mixed) == ["b.jpg", "c.png", "a.jpg"]


def test_two_dashes_end_the_options(folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "a.jpg").rename("-n.jpg")
    assert planned(retouch("-n", "-o", "out", "--", "-n.jpg", "b.jpg")) == ["-n.jpg", "b.jpg"]
    assert retouch("-n", "-o", "out", "-n.jpg").code == 2


def test_a_file_named_on_the_command_line_is_always_tried(tmp_path: Path, retouch: Retouch) -> None:
    scan = save(tmp_path / "scan.dat", photo(40, 40), "jpeg")
    assert retouch(scan, "-o", tmp_path / "out").code == 0
    assert load(tmp_path / "out/scan.dat").format == "jpeg"
    missing = retouch(tmp_path / "gone.jpg", scan, "-o", tmp_path / "out")
    assert (
        missing.code == 1 and "gone.jpg: no such file" in missing.stderr and "1 up to date" in missing.stderr
    )


def test_the_output_folder_is_passed_over(folder: Path, retouch: Retouch) -> None:
    assert retouch(folder, "-o", folder / "done").code == 0
    again = retouch(folder, "-o", folder / "done", "--json")
    assert set(again.photos().values()) == {"up-to-date"} and len(again.photos()) == 3


def test_files_from(folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    Path("list").write_text("sub/c.png\na.jpg\n")
    words = ("-n", "-o", "out", "--files-from")
    from_file = retouch(*words, "list")
    assert planned(from_file) == ["c.png", "a.jpg"]
    assert b"out/sub/c.png" in from_file.stdout
    assert retouch(*words, "-", stdin=b"sub/c.png\na.jpg").stdout == from_file.stdout
    assert retouch(*words, "-", "-0", stdin=b"sub/c.png\0a.jpg\0").stdout == from_file.stdout
    assert planned(retouch(*words, "list", "b.jpg")) == ["b.jpg", "c.png", "a.jpg"]


def test_files_from_nothing(folder: Path, retouch: Retouch) -> None:
    missing = retouch("-o", folder / "out", "--files-from", folder / "nope")
    assert missing.code == 2 and "nope: no such file" in missing.error
    assert retouch("-o", folder / "out", "--files-from", "-", stdin=b"").code == 3
    assert retouch("-o", folder / "out", "-0", folder).code == 2


def test_without_inputs(retouch: Retouch) -> None:
    ran = retouch("-o", "out")
    assert ran.code == 2 and "for example: lptn retouch photos/" in ran.error


def test_max_megapixels_refuses_before_decoding(tmp_path: Path, retouch: Retouch) -> None:
    save(tmp_path / "in/a.jpg", photo(100, 100))
    ran = retouch(tmp_path / "in", "-o", tmp_path / "out", "--json", "--max-megapixels", "0.009")
    assert ran.code == 1 and ran.events[1]["error"] == "too-large"
    assert "--max-megapixels" in ran.events[1]["message"]


# stdin and stdout as images


def test_a_pipe_gives_the_image_and_nothing_else(folder: Path, preset: Preset) -> None:
    photo_bytes = (folder / "a.jpg").read_bytes()
    ran = spawn("retouch", "-", "-o", "-", "-p", preset.path, input=photo_bytes)
    assert ran.code == 0
    decoded = codecs.decode(ran.stdout)
    assert (decoded.format, decoded.pixels.shape) == ("jpeg", (40, 56, 3))
    assert ran.stdout.endswith(b"\xff\xd9")
    assert ran.error.startswith("lptn: 1 written")


def test_stdin_to_a_folder_or_file_and_files_to_stdout(folder: Path, retouch: Retouch) -> None:
    data, out = (folder / "a.jpg").read_bytes(), folder.parent / "out"
    assert retouch("-", "-o", out, stdin=data).code == 0
    assert retouch("-", "-o", out / "x.png", stdin=data).code == 0
    assert tree(out) == {"stdin.jpg", "x.png"} and load(out / "x.png").format == "png"
    assert sniffed(retouch(folder / "a.jpg", "-o", "-")) == "jpeg"
    assert sniffed(retouch(folder / "a.jpg", "-o", "-", "--format", "png")) == "png"


def sniffed(ran: Ran) -> str | None:
    assert ran.code == 0, ran.stderr
    return codecs.sniff(ran.stdout)


def test_a_bad_image_on_stdin_gives_an_empty_stdout(retouch: Retouch) -> None:
    ran = retouch("-", "-o", "-", stdin=b"hello")
    assert ran.code == 1 and ran.stdout == b"" and "lptn: -: " in ran.stderr


@pytest.mark.parametrize("words", ["- -o out", "--files-from -", "in/a.jpg -o -"])
def test_a_terminal_is_a_usage_error_and_never_hangs(words: str, folder: Path, preset: Preset) -> None:
    master, slave = os.openpty()
    try:
        done = subprocess.run(
            [LPTN, "retouch", "-p", str(preset.path), *words.split()],
            stdin=slave, stdout=slave, stderr=subprocess.PIPE, cwd=folder.parent, timeout=20,
        )  # fmt: skip
    finally:
        os.close(slave)
        os.close(master)
    assert done.returncode == 2
    assert b"which is a terminal; " in done.stderr and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "words",
    ["--json -o -", "--print -o -", "--print0 -o -", "--json --print", "--print --print0", "in -o -",
     "- a.jpg", "- --files-from list", "in -o out.jpg", "in --name x.jpg"],
)  # fmt: skip
def test_conflicts_are_usage_errors(
    words: str, folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    inputs = [] if words.startswith(("in", "- ")) else ["in/a.jpg"]
    ran = retouch(*inputs, *words.split())
    assert ran.code == 2 and ran.stdout == b""
    assert ran.error
    assert tree(folder.parent) == {"in/a.jpg", "in/b.jpg", "in/sub/c.png"}


def test_streams_that_are_closed(folder: Path, preset: Preset) -> None:
    """Where no stream is open, the first files that are would get their numbers, and our messages."""
    out = folder.parent / "out"
    command = [LPTN, "retouch", str(folder), "-o", str(out), "-v", "-p", str(preset.path)]
    closed = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *command], timeout=60, env=environment())
    assert closed.returncode == 0
    assert all(load(out / name).pixels.size for name in ("a.jpg", "b.jpg", "sub/c.png"))
    lines = (out / ".lptn-manifest.jsonl").read_text().splitlines()
    assert len([json.loads(line) for line in lines]) == 3


# Output


def test_the_default_output_folder(folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    ran = retouch("in")
    assert ran.code == 0 and ran.stdout == b"" and ran.error.endswith(" -> lptn-out/dusk")
    assert tree(folder.parent / "lptn-out/dusk") == {"a.jpg", "b.jpg", "sub/c.png"}


def test_name_template(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    assert retouch(folder, "-o", out, "--name", "{preset}/{dir}/{n:03d}-{stem}.webp").code == 0
    assert tree(out) == {"dusk/001-a.webp", "dusk/002-b.webp", "dusk/sub/003-c.webp"}
    assert load(out / "dusk/sub/003-c.webp").format == "webp"


@pytest.mark.parametrize("template", ["{nope}{ext}", "{stem}", "{stem", "../{stem}{ext}", "{stem!r}{ext}"])
def test_a_bad_template_is_a_usage_error(template: str, folder: Path, retouch: Retouch) -> None:
    ran = retouch(folder, "-o", folder.parent / "out", "--name", template)
    assert ran.code == 2 and "--name" in ran.error


def test_a_name_that_is_too_long_is_one_clear_line(folder: Path, retouch: Retouch) -> None:
    template, out = "{stem}" + "x" * 300 + "{ext}", folder.parent / "out"
    ran = retouch(folder / "a.jpg", "-o", out, "--name", template, "-q")
    assert ran.code == 1 and "the name is too long" in ran.error
    assert retouch(folder / "a.jpg", "-o", out, "--name", template, "-n").code == 0


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif"])
def test_format(format: Format, folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    assert retouch(folder / "a.jpg", "-o", out, "--format", format).code == 0
    assert load(out / f"a{codecs.EXTENSIONS[format]}").format == format


def test_quality_subsampling_and_depth(tmp_path: Path, retouch: Retouch) -> None:
    source, out = save(tmp_path / "a.jpg", photo(200, 300), subsampling="422"), tmp_path / "o.jpg"

    def made(*words: object, to: Path = out) -> Path:
        assert retouch(source, "-o", to, "--overwrite", *words).code == 0
        return to

    plain = made().stat().st_size
    assert load(out).subsampling == "422"
    assert made("--quality", 95).stat().st_size == plain
    assert made("--quality", 30).stat().st_size < plain / 2
    assert load(made("--subsampling", 444)).subsampling == "444"
    assert load(made("--depth", 16, to=tmp_path / "o.png")).depth == 16
    sixteen = save(tmp_path / "b.tif", photo(40, 50, "uint16"))
    retouch(sixteen, "-o", tmp_path / "c.tif", "--depth", "8")
    assert load(tmp_path / "c.tif").depth == 8


@pytest.mark.parametrize("words", ["--format jpeg", "--format webp", "--format avif", ""])
def test_16_bits_of_an_8_bit_format_are_a_usage_error(words: str, folder: Path, retouch: Retouch) -> None:
    ran = retouch(folder, "-o", folder.parent / "out", "--depth", "16", *words.split())
    assert ran.code == 2 and "8 bits a channel" in ran.error
    assert not (folder.parent / "out").exists()


def test_metadata(tmp_path: Path, retouch: Retouch) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(file("jpeg", full_metadata(orientation=6)))
    found = {}
    for policy in ("keep", "no-gps", "none"):
        assert retouch(source, "-o", tmp_path / policy, "--metadata", policy).code == 0
        found[policy] = (tmp_path / policy / "a.jpg").read_bytes()
        metadata = codecs.decode(found[policy]).metadata
        assert metadata.orientation == 6 and metadata.icc == full_metadata().icc
    assert GPS_WORDS in found["keep"] and b"Obscura 7" in found["keep"]
    assert GPS_WORDS not in found["no-gps"] and b"Obscura 7" in found["no-gps"]
    assert GPS_WORDS not in found["none"] and b"Obscura 7" not in found["none"]


def test_the_result_says_in_xmp_what_was_done_to_it(tmp_path: Path, retouch: Retouch) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(file("jpeg", full_metadata()))
    for n, words in ((1, []), (2, []), (3, ["-s", "0.5", "--light", "1.2"]), (4, ["--metadata", "none"])):
        assert retouch(source, "-o", tmp_path / str(n), *words).code == 0
    one, same, other, none = ((tmp_path / str(n) / "a.jpg").read_bytes() for n in (1, 2, 3, 4))
    assert one == same
    said = f"lptn {__version__} (preset dusk, strength %s)"
    assert one.count((said % "1").encode()) == 2  # the tool, and the event in the history
    assert other.count((said % "0.5, light 1.2").encode()) == 2
    assert b"dusk" not in none and b"lptn" not in none


def test_what_of_a_photo_is_lost_is_said(tmp_path: Path, retouch: Retouch) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(jpeg((0xE2, b"urn:iso:std:iso:ts:21496:-1\x00\x00"), (0xFE, b"a comment")))
    ran = retouch(source, "-o", tmp_path / "out", "--format", "webp")
    assert ran.code == 0 and (tmp_path / "out" / "a.webp").is_file()
    assert "a.jpg: had a gain map (HDR), dropped as it shows the photo before retouching; " in ran.stderr
    assert "loses its comment, which WEBP cannot hold" in ran.stderr
    again = retouch(source, "-o", tmp_path / "more", "--format", "webp", "--metadata", "none")
    assert "loses" not in again.stderr


def test_keep_times(folder: Path, retouch: Retouch) -> None:
    os.utime(folder / "a.jpg", ns=(1_000_000_000, 1_000_000_000))
    out = folder.parent / "out"
    assert retouch(folder, "-o", out, "--keep-times").code == 0
    assert (out / "a.jpg").stat().st_mtime_ns == 1_000_000_000
    assert set(retouch(folder, "-o", out, "--json").photos().values()) == {"up-to-date"}


def test_somebody_elses_output_fails_with_a_hint_and_is_untouched(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (out / "a.jpg").write_bytes(b"mine")
    (out / "b.jpg").symlink_to("nowhere")
    ran = retouch(folder, "-o", out, "--json")
    assert ran.code == 1
    assert ran.photos() == {"a.jpg": "failed", "b.jpg": "failed", "c.png": "written"}
    assert [e["error"] for e in ran.events if e.get("status") == "failed"] == ["write", "write"]
    assert ran.stderr.count("exists and lptn did not write it; --overwrite replaces it") == 2
    assert (out / "a.jpg").read_bytes() == b"mine" and (out / "b.jpg").is_symlink()
    assert retouch(folder, "-o", out, "--overwrite").code == 0
    assert load(out / "a.jpg").format == "jpeg" and not (out / "b.jpg").is_symlink()


def test_an_output_file_that_exists_is_replaced_only_with_overwrite(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "o.jpg"
    assert retouch(folder / "a.jpg", "-o", out).code == 0
    before = out.read_bytes()
    again = retouch(folder / "b.jpg", "-o", out, "-q")
    assert again.code == 1 and "o.jpg exists; --overwrite replaces it" in again.error
    assert out.read_bytes() == before
    assert retouch(folder / "b.jpg", "-o", out, "--overwrite").code == 0
    assert out.read_bytes() != before


def test_an_output_that_is_an_input_and_two_for_one_are_usage_errors(folder: Path, retouch: Retouch) -> None:
    before = contents(folder)
    own = retouch(folder, "-o", folder, "--overwrite")
    assert own.code == 2 and "which is the input" in own.error
    twins = retouch(folder, "-o", folder.parent / "out", "--name", "x{ext}")
    assert twins.code == 2 and "a.jpg" in twins.error and "b.jpg" in twins.error
    assert contents(folder) == before and not (folder.parent / "out").exists()


def test_an_empty_output_is_a_usage_error(folder: Path, retouch: Retouch) -> None:
    ran = retouch(folder, "-o", "")
    assert ran.code == 2 and "-o is empty" in ran.error


# Listings


def test_stdout_is_empty_unless_asked_for(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    assert retouch(folder, "-o", out).stdout == b""
    verbose = retouch(folder, "-o", folder.parent / "again", "-v")
    assert verbose.stdout == b"" and len(verbose.stderr.splitlines()) == 4
    assert f"a.jpg -> {folder.parent}/again/a.jpg: written decode" in verbose.stderr


def test_quiet_tells_failures_only(folder: Path, retouch: Retouch) -> None:
    assert retouch(folder, "-o", folder.parent / "out", "-q").stderr == ""
    (folder / "b.jpg").write_bytes(b"bad")
    ran = retouch(folder, "-o", folder.parent / "out", "-q")
    assert ran.code == 1 and "b.jpg: " in ran.error


@on_linux
def test_print_and_print0_give_names_byte_for_byte(tmp_path: Path, retouch: Retouch) -> None:
    names = [b"a.jpg", b"new\nline.jpg", b"\xff\xfe.jpg", "grün ✓.jpg".encode()]
    for name in names:
        save(tmp_path / "in" / os.fsdecode(name), photo(32, 32))
    out = os.fsencode(tmp_path / "out") + b"/"
    printed = retouch(tmp_path / "in", "-o", tmp_path / "out", "--print0")
    assert printed.code == 0
    assert sorted(printed.stdout.split(b"\0")) == sorted([b"", *(out + name for name in names)])
    assert retouch(tmp_path / "in", "-o", tmp_path / "out", "--print0").stdout == b""  # nothing was written
    shutil.rmtree(tmp_path / "out")
    lines = retouch(tmp_path / "in", "-o", tmp_path / "out", "--print", "--exclude", "new*").stdout
    assert sorted(lines.split(b"\n")) == sorted([b"", *(out + name for name in names if b"\n" not in name)])


@on_linux
def test_json_and_stderr_with_names_that_are_not_text(tmp_path: Path, retouch: Retouch) -> None:
    source = tmp_path / "in" / os.fsdecode(b"\xff\n.jpg")
    save(source, photo(32, 32))
    ran = retouch(tmp_path / "in", "-o", tmp_path / "out", "--json", "-v")
    assert os.fsencode(ran.events[1]["input"]) == os.fsencode(source)
    assert os.path.lexists(os.fsencode(ran.events[1]["output"]))
    assert r"\xff\n.jpg" in ran.stderr and len(ran.stderr.splitlines()) == 2


def test_a_dry_run_lists_the_plan_and_writes_nothing(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    plan = retouch(folder, "-o", out, "-n")
    assert plan.code == 0 and plan.stderr == "" and not out.exists()
    assert plan.stdout.decode().splitlines() == [
        f"write\t{folder}/{name}\t{out}/{name}" for name in ("a.jpg", "b.jpg", "sub/c.png")
    ]
    retouch(folder, "-o", out, "--include", "a.jpg")
    (out / "b.jpg").write_bytes(b"mine")
    (folder / "gone.jpg").symlink_to("nowhere")
    before = contents(out)
    states = [line.split("\t")[0] for line in retouch(folder, "-o", out, "-n").stdout.decode().splitlines()]
    assert states == ["up-to-date", "exists", "unreadable", "write"]
    assert retouch(folder, "-o", out, "-n", "--print").stdout.decode() == f"{out}/sub/c.png\n"
    assert [e["status"] for e in retouch(folder, "-o", out, "-n", "--json").events] == states
    assert contents(out) == before


# Exit codes that are not in the tests above


def test_3_no_photos(tmp_path: Path, retouch: Retouch) -> None:
    (tmp_path / "notes.txt").write_text("x")
    ran = retouch(tmp_path, "-o", tmp_path / "out")
    assert ran.code == 3 and str(tmp_path) in ran.error and not (tmp_path / "out").exists()


def test_4_weights_missing_or_damaged(folder: Path, tmp_path: Path) -> None:
    made = make_preset(tmp_path / "presets")
    weights = bytearray(made.weights.read_bytes())
    weights[-1] ^= 1
    made.weights.write_bytes(weights)
    ran = run("retouch", folder, "-o", tmp_path / "out", "-p", made.path)
    assert ran.code == 4 and str(made.weights) in ran.error and "damaged" in ran.error
    made.weights.unlink()
    ran = run("retouch", folder, "-o", tmp_path / "out", "-p", made.path)
    assert ran.code == 4 and str(made.weights) in ran.error


@pytest.mark.parametrize("output", ["blocked", "blocked/below"])
def test_4_the_output_folder_cannot_be(output: str, folder: Path, retouch: Retouch) -> None:
    (folder.parent / "blocked").write_text("a file")
    ran = retouch(folder, "-o", folder.parent / output)
    assert ran.code == 4 and "choose another folder with -o" in ran.error
    assert (folder.parent / "blocked").read_text() == "a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_4_the_output_folder_is_not_writable(folder: Path, retouch: Retouch) -> None:
    (folder.parent / "locked").mkdir(mode=0o500)
    ran = retouch(folder, "-o", folder.parent / "locked")
    assert ran.code == 4 and "permission denied" in ran.error


@pytest.mark.parametrize("device", ["cuda:7", "cpu,cuda:7", "gpu", "", "cuda:99999999999999999999"])
def test_4_the_device_is_not_there(device: str, folder: Path, retouch: Retouch) -> None:
    ran = retouch(folder, "-o", folder.parent / "out", "-d", device, "--json")
    assert (ran.code == 4 and "auto" in ran.error) or "lptn doctor" in ran.error
    assert ran.stdout == b""  # no start event for what did not start


def test_4_the_disk_of_stdout_is_full(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        ran = retouch(folder, "-o", out, "--print", "-j", "1", stdout=full)
    assert ran.code == 4 and "cannot write to stdout: the disk is full" in ran.error
    assert set(retouch(folder, "-o", out, "--json").photos().values()) <= {"up-to-date", "written"}


def test_fail_fast_and_max_errors(folder: Path, retouch: Retouch) -> None:
    for n in range(5):
        (folder / f"0{n}.jpg").write_bytes(b"bad")
    words = (folder, "-j", "1", "--json", "-o", folder.parent / "out")
    once = retouch(*words, "--fail-fast")
    assert once.code == 1 and once.photos() == {"00.jpg": "failed"}
    assert once.stderr.splitlines()[1].startswith("lptn: 0 written, 1 failed, 7 left in ")
    assert len(retouch(*words, "--max-errors", "3").photos()) == 3
    assert len(retouch(*words).photos()) == 8


# Resume


@pytest.mark.parametrize("words", ["-s 0.5", "--light 0.2", "--quality 80", "--metadata none", "--depth 8"])
def test_what_changes_pixels_or_encoding_redoes_the_work(words: str, folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    retouch(folder, "-o", out)
    assert set(retouch(folder, "-o", out, "--json").photos().values()) == {"up-to-date"}
    redone = retouch(folder, "-o", out, "--json", *words.split())
    assert redone.code == 0 and set(redone.photos().values()) == {"written"}
    assert set(retouch(folder, "-o", out, "--json", *words.split()).photos().values()) == {"up-to-date"}


def test_another_preset_redoes_the_work(folder: Path, retouch: Retouch, tmp_path: Path) -> None:
    retouch(folder, "-o", tmp_path / "out")
    other = make_preset(tmp_path / "other", seed=4)
    again = run("retouch", folder, "-o", tmp_path / "out", "--json", "-p", other.path)
    assert set(again.photos().values()) == {"written"}


def test_deleted_outputs_and_changed_inputs_are_redone(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    retouch(folder, "-o", out)
    before = contents(out)
    (out / "a.jpg").unlink()
    save(folder / "sub/c.png", photo(60, 60))
    ran = retouch(folder, "-o", out, "--json")
    assert ran.photos() == {"a.jpg": "written", "b.jpg": "up-to-date", "c.png": "written"}
    assert load(out / "sub/c.png").pixels.shape == (60, 60, 3)
    assert contents(out)["b.jpg"] == before["b.jpg"]


# Terminals


@contextmanager
def terminal() -> Iterator[tuple[Any, Callable[[], str]]]:
    """A text stream that is a terminal, and what was written to it."""
    master, slave = os.openpty()
    with open(slave, "w", encoding="utf-8", buffering=1) as stream:  # noqa: PTH123
        shown = bytearray()

        def read() -> str:
            os.set_blocking(master, False)
            try:
                while part := os.read(master, 1 << 16):
                    shown.extend(part)
            except BlockingIOError:
                pass
            return shown.decode()

        yield stream, read
    os.close(master)


def test_the_bar_is_on_stderr_and_the_listing_arrives_whole(
    folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    (folder / "x:heart:.jpg").write_bytes(b"bad")
    with terminal() as (stream, shown):
        ran = retouch(folder, "-o", folder.parent / "out", "--print", stderr=stream)
        text = shown()
    assert "4/4" in text and "\x1b[" in text
    assert len(ran.stdout.splitlines()) == 3
    assert "x:heart:.jpg: this is not an image" in text
    assert text.rstrip().splitlines()[-1].endswith(f"-> {folder.parent}/out")


@pytest.mark.parametrize("words", ["--no-progress", "--quiet"])
def test_no_bar_where_none_is_wanted(
    words: str, folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with terminal() as (stream, shown):
        retouch(folder, "-o", folder.parent / "out", words, stderr=stream)
        assert "\x1b" not in shown() and "/3" not in shown()


def test_no_color_is_obeyed(folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal() as (stream, shown):
        retouch(folder, "-o", folder.parent / "out", stderr=stream)
        text = shown()
    assert "3/3" in text
    assert "\x1b[3" not in text and "\x1b[38" not in text  # colours; moving the cursor is no colour


def test_a_dumb_terminal_gets_plain_lines(
    folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal() as (stream, shown):
        retouch(folder, "-o", folder.parent / "out", stderr=stream)
        text = shown()
    assert "\x1b" not in text and len(text.splitlines()) == 1 and "3 written" in text


# Python


def test_retoucher_is_what_the_command_line_uses(folder: Path, preset: Preset, retouch: Retouch) -> None:
    from lptn_cli import Retoucher as Look

    pixels = load(folder / "sub/c.png").pixels
    result = Look(preset.path, device="cpu")(pixels, strength=0.7)
    assert result.shape == pixels.shape and result.dtype == pixels.dtype
    retouch(folder / "sub/c.png", "-o", folder.parent / "o.png", "-s", "0.7", "-d", "cpu")
    np.testing.assert_array_equal(load(folder.parent / "o.png").pixels, result)
