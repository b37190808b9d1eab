"""Pipelines as people write them: real shells, real processes, and what disks and names do to them."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lptn_cli.preset import Preset
from tests.command import LPTN, Ran, environment, load, on_linux, save, spawn, tree
from tests.conftest import photo

NAMES = [  # as bytes, since that is what names are
    b"plain.jpg", b"two words.jpg", b"new\nline.jpg", b"tab\t.jpg", b"-dash.jpg", b"--overwrite.jpg",
    b"-.jpg", b"back\\slash.jpg", b"'quoted' \"twice\".jpg", b"$(touch bad).jpg", b"*.jpg", b"%s{stem}.jpg",
    "📷 Müller.jpg".encode(), b"caf\xe9 \xff.jpg", b"\x1b[31mred.jpg",
]  # fmt: skip
NAMESPACE = ["unshare", "--map-root-user", "--mount"]


def shell(script: str, cwd: Path, *, wrapper: tuple[str, ...] = (), **variables: str) -> Ran:
    """A script in bash, where `lptn` is ours and a failure anywhere in a pipe is one of the pipe."""
    path = f"{Path(LPTN).parent}:{os.environ['PATH']}"
    command = [*wrapper, "bash", "-e", "-o", "pipefail", "-c", script]
    env = environment(PATH=path, **variables)
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, timeout=100, check=False)
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def can_mount() -> bool:
    """Whether a process may mount file systems in a name space of its own."""
    if shutil.which("unshare") is None:
        return False
    mount = ["mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run([*NAMESPACE, *mount], capture_output=True, check=False).returncode == 0


needs_mount = pytest.mark.skipif(not can_mount(), reason="file systems cannot be mounted here")


def many(folder: Path, count: int, height: int = 48, width: int = 64) -> Path:
    """Links to one small photo, as only their number matters."""
    first = save(folder / "0000.jpg", photo(height, width))
    for n in range(1, count):
        (folder / f"{n:04d}.jpg").hardlink_to(first)
    return folder


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A folder with a photo of each of the NAMES."""
    data = save(tmp_path / "photo.jpg", photo(40, 56)).read_bytes()
    (tmp_path / "photos/sub").mkdir(parents=True)
    for name in NAMES:
        (tmp_path / "photos" / os.fsdecode(name)).write_bytes(data)
    (tmp_path / "photos/sub/below.jpg").write_bytes(data)
    return tmp_path / "photos"


# Names


@on_linux
def test_find_print0_to_files_from_to_print0_to_tee_to_xargs(named: Path, preset: Preset) -> None:
    ran = shell(
        "find photos -name '*.jpg' -print0 | lptn retouch --files-from - -0 -o out -p $PRESET --print0"
        " | tee listing | xargs -0 -n 1 test -s",
        named.parent, PRESET=str(preset.path),
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert ran.stderr.splitlines()[0].startswith(f"lptn: {len(NAMES) + 1} written in ")
    listed = (named.parent / "listing").read_bytes().split(b"\0")
    assert sorted(listed) == sorted([b"", b"out/photos/sub/below.jpg", *(b"out/photos/" + n for n in NAMES)])
    assert tree(named.parent / "out/photos") == {"sub/below.jpg", *map(os.fsdecode, NAMES)}


@on_linux
def test_names_that_look_like_options_come_through_xargs_and_lists(named: Path, preset: Preset) -> None:
    """`printf '%s\\0' *` gives bare names: after `--` and in a list they are no options."""
    ran = shell(
        "printf '%s\\0' *.jpg | xargs -0 lptn retouch -o ../out -p $PRESET --\n"
        "printf '%s\\0' *.jpg | lptn retouch --files-from - -0 -o ../out -p $PRESET --dry-run",
        named, PRESET=str(preset.path),
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert tree(named.parent / "out") == set(map(os.fsdecode, NAMES))
    assert ran.stdout.count(b"up-to-date\t") == len(ran.stdout.splitlines()) == len(NAMES)
    assert not (named / "bad").exists()


@on_linux
def test_json_gives_every_name_back(named: Path, preset: Preset) -> None:
    ran = spawn("retouch", named, "-o", named.parent / "out", "-p", preset.path, "--dry-run", "--json")
    given = {os.fsencode(os.path.basename(event["input"])) for event in ran.events}  # noqa: PTH119
    assert given == {b"below.jpg", *NAMES}
    assert b"\x1b" not in ran.stdout


@on_linux
def test_paths_of_four_thousand_bytes(tmp_path: Path, preset: Preset) -> None:
    """Linux takes paths of 4,095 bytes. A result needs room for its temporary name, some 40, as well."""
    fits, full = deep(tmp_path / "in", 3980), deep(tmp_path / "in", 4080)
    name = "f" * (4000 - 3981 - 4) + ".jpg"
    data = save(fits / name, photo(40, 56)).read_bytes()
    (full / "g.jpg").write_bytes(data)
    ran = spawn("retouch", "in", "-o", tmp_path / "to", "-p", preset.path, cwd=tmp_path)
    assert ran.code == 1
    line, summary = ran.stderr.splitlines()
    assert line.endswith("/g.jpg: the name is too long; shorten it with --name")
    assert summary.startswith("lptn: 1 written, 1 failed in ")
    (written,) = tree(tmp_path / "to")
    assert written.endswith(name) and len(os.fsencode(tmp_path / "to" / written)) == 4000


def deep(top: Path, length: int) -> Path:
    """A new folder below `top` whose path has that many bytes."""
    folder, first = top, f"{length}"
    folder /= first
    while (missing := length - len(os.fsencode(folder)) - 1) > 240:
        folder /= "d" * min(200, missing - 2)
    folder /= "d" * missing
    folder.mkdir(parents=True)
    return folder


# Disks


@needs_mount
def test_a_full_disk_is_one_line_a_photo_and_the_next_run_goes_on(tmp_path: Path, preset: Preset) -> None:
    many(tmp_path / "photos", 12)
    (tmp_path / "disk").mkdir()
    ran = shell(
        """
        mount -t tmpfs -o size=32k none disk
        code=0; lptn retouch photos -o disk/out -p $PRESET -j 2 2> full.err || code=$?
        test $code = 1
        mkdir full; cp -a disk/out/. full
        mount -o remount,size=10m disk
        lptn retouch photos -o disk/out -p $PRESET --json
        cp -a disk/out done
        """,
        tmp_path, wrapper=tuple(NAMESPACE), PRESET=str(preset.path),
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    *lines, summary = (tmp_path / "full.err").read_text().splitlines()
    whole = tree(tmp_path / "full")
    assert 0 < len(whole) < 12
    assert summary.startswith(f"lptn: {len(whole)} written, {12 - len(whole)} failed in ")
    said = {f"lptn: photos/{n:04d}.jpg: the disk is full; free some space and run again" for n in range(12)}
    assert len(lines) == 12 - len(whole) and set(lines) <= said
    for name in whole:
        assert load(tmp_path / "full" / name).pixels.shape == (48, 64, 3)
    assert {name for name, status in ran.photos().items() if status == "up-to-date"} == whole
    assert len(tree(tmp_path / "done")) == 12


def test_a_limit_on_the_size_of_files_fails_the_large_photo_alone(tmp_path: Path, preset: Preset) -> None:
    """It hits the compiled loops too, which cannot be cached: that must fail no photo."""
    save(tmp_path / "in/large.jpg", photo(400, 600))
    save(tmp_path / "in/small.jpg", photo(40, 56))
    ran = spawn(
        "retouch", "in", "-o", "out", "-p", preset.path,
        cwd=tmp_path, env=environment(NUMBA_CACHE_DIR=str(tmp_path / "cache")),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert ran.code == 1 and tree(tmp_path / "out") == {"small.jpg"}
    line, _ = ran.stderr.splitlines()
    assert line == "lptn: in/large.jpg: the file is too large for the disk; choose another folder with -o"


@needs_mount
def test_4_a_read_only_file_system(tmp_path: Path, preset: Preset) -> None:
    many(tmp_path / "photos", 1)
    (tmp_path / "disk").mkdir()
    ran = shell(
        "mount -t tmpfs -o ro none disk; lptn retouch photos -o disk/out -p $PRESET",
        tmp_path, wrapper=tuple(NAMESPACE), PRESET=str(preset.path),
    )  # fmt: skip
    assert ran.code == 4
    assert ran.error == "lptn: disk/out: the file system is read-only; choose another folder with -o"


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
@pytest.mark.parametrize("earlier", [False, True])
def test_4_a_folder_that_may_not_be_written(earlier: bool, tmp_path: Path, preset: Preset) -> None:
    many(tmp_path / "photos", 1)
    (tmp_path / "out").mkdir()
    if earlier:  # left by a run as somebody else
        (tmp_path / "out/.lptn-manifest.jsonl").touch()
    (tmp_path / "out").chmod(0o555)
    wrapper = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    ran = shell("lptn retouch photos -o out -p $PRESET", tmp_path, wrapper=wrapper, PRESET=str(preset.path))
    (tmp_path / "out").chmod(0o755)
    assert ran.code == 4
    assert ran.error == "lptn: out: permission denied; choose another folder with -o"


@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("words", ["--help", "--man", "presets --json", "retouch photos --dry-run"])
def test_4_the_disk_of_a_listing_is_full(words: str, buffered: str, tmp_path: Path) -> None:
    many(tmp_path / "photos", 1)
    ran = shell(f"lptn {words} > /dev/full", tmp_path, PYTHONUNBUFFERED=buffered)
    assert ran.code == 4
    assert ran.error == "lptn: cannot write to stdout: the disk is full; send it elsewhere, then run again"


# Readers, terminals, other disks


def test_head_takes_one_path_and_the_run_ends_with_141(tmp_path: Path, preset: Preset) -> None:
    many(tmp_path / "photos", 40, 400, 600)
    script = "lptn retouch photos -o out -p $PRESET -j 1 --print | head -n 1; exit ${PIPESTATUS[0]}"
    ran = shell("set +e\n" + script, tmp_path, PRESET=str(preset.path))
    assert ran.code == 141 and ran.stdout == b"out/0000.jpg\n"
    assert " not started in " in ran.error
    assert 1 <= len(tree(tmp_path / "out")) < 40


def other_disk(path: Path) -> Path | None:
    """A folder on another file system than the path's, or None."""
    for folder in (Path("/dev/shm"), Path("/run/user", str(os.getuid()))):
        if folder.is_dir() and os.access(folder, os.W_OK) and folder.stat().st_dev != path.stat().st_dev:
            return folder
    return None


def test_without_a_terminal_onto_another_file_system(tmp_path: Path, preset: Preset) -> None:
    """As a job of cron runs: a session of its own, no stdin, everything into one log."""
    elsewhere = other_disk(tmp_path)
    if elsewhere is None or shutil.which("setsid") is None:
        pytest.skip("no other file system to write to, or no setsid")
    many(tmp_path / "photos", 3)
    out = elsewhere / f"lptn-test-{os.getpid()}"
    try:
        script = "setsid --wait lptn retouch photos -o $OUT -p $PRESET < /dev/null > log 2>&1"
        ran = shell(script, tmp_path, OUT=str(out), PRESET=str(preset.path), TERM="xterm-256color")
        assert (ran.code, ran.stdout, ran.stderr) == (0, b"", "")
        assert len(tree(out)) == 3 and not list(out.rglob("*.part"))
    finally:
        shutil.rmtree(out, ignore_errors=True)
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.startswith("lptn: 3 written in ") and "\x1b" not in line


# Many photos


MEASURED = (  # in a small process: what is forked from a large one starts with its peak
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
)


def peak(*words: object, cwd: Path) -> tuple[dict[str, int], float]:
    """The summary of a quiet run with --json, and its peak resident memory in MiB."""
    command = [sys.executable, "-c", MEASURED, LPTN, *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, timeout=100, check=True)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return json.loads(done.stdout.splitlines()[-1]), int(done.stderr) / unit


@pytest.mark.slow
def test_a_thousand_tiny_photos_need_no_more_memory_than_a_hundred(tmp_path: Path, preset: Preset) -> None:
    many(tmp_path / "photos", 1100)
    words = ["retouch", "photos", "-o", "out", "-p", preset.path, "--json", "--quiet"]
    few, little = peak(*words, "--limit", 100, cwd=tmp_path)
    assert few["written"] == 100
    most, more = peak(*words, cwd=tmp_path)
    assert (most["written"], most["up_to_date"]) == (1000, 100)
    assert more < little + 32
    none, least = peak(*words, cwd=tmp_path)
    assert none["up_to_date"] == 1100
    assert least < little / 3  # neither torch nor cv2 was loaded
