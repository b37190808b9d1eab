"""What killed runs left behind goes, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lptn_cli import atomic
from lptn_cli.atomic import sweep
from tests.command import names


def part_name(pid: int, machine: str | None = None) -> str:
    return f".lptn-{machine or atomic._machine()}-{pid}-0123456789abcdef.part"


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_temporary_file_is_hidden_and_swept_once_its_run_is_dead(tmp_path: Path) -> None:
    """A run that is killed outright, within a write."""
    code = (
        "import os, signal, pathlib\n"
        "from lptn_cli.atomic import write_atomic\n"
        "pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"write_atomic(pathlib.Path({str(tmp_path / 'sub' / 'x.jpg')!r}), b'1', overwrite=True)\n"
    )
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=30).returncode == -9
    (left,) = names(tmp_path / "sub")
    assert left.startswith(".lptn-")
    assert sweep(tmp_path / "sub") == 1
    assert names(tmp_path / "sub") == []


def test_sweep_keeps_live_runs_and_all_other_files(tmp_path: Path) -> None:
    keep = [part_name(os.getpid()), part_name(1), ".lptn-manifest.jsonl", ".lptn-1-2.part", "x.part"]
    keep.append(part_name(dead_pid(), machine="00000000"))  # a live run of another machine, for all we know
    for name in keep:
        (tmp_path / name).touch()
    (tmp_path / part_name(dead_pid())[:-5]).touch()
    before = names(tmp_path)
    assert sweep(tmp_path) == 0
    assert names(tmp_path) == before


@pytest.mark.parametrize("machine", [None, "00000000"])
def test_sweep_takes_what_is_over_a_day_old(tmp_path: Path, machine: str | None) -> None:
    path = tmp_path / part_name(os.getpid(), machine)
    path.touch()
    os.utime(path, (time.time() - 23 * 3600,) * 2)
    assert sweep(tmp_path) == 0
    os.utime(path, (time.time() - 25 * 3600,) * 2)
    assert sweep(tmp_path) == 1
    assert not path.exists()


def test_sweep_of_one_folder_alone(tmp_path: Path) -> None:
    pid = dead_pid()
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        (folder / part_name(pid)).touch()
    assert sweep(tmp_path) == 1
    assert names(tmp_path) == ["below"] and names(tmp_path / "below") == [part_name(pid)]


def test_sweep_of_no_folder(tmp_path: Path) -> None:
    assert sweep(tmp_path / "none") == 0
