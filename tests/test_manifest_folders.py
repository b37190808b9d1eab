"""Output folders in which no manifest can be kept: each is said before the first photo."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from lptn_cli.errors import OutputError
from lptn_cli.manifest import Manifest
from lptn_cli.photos import PARTS
from lptn_cli.plan import Job
from tests.manifests import open_files, record


def test_output_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(OutputError, match="file is a file; choose another folder with -o"):
        Manifest.open(tmp_path / "file")
    with pytest.raises(OutputError, match=r"in the way.*choose another folder with -o"):
        Manifest.open(tmp_path / "file" / "below")
    Manifest.peek(tmp_path / "file")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(OutputError, match="link is a link that leads nowhere"):
        Manifest.open(tmp_path / "link")


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_cannot_be_written(out: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(path: object, flags: int, mode: int = 0o777) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match=r"out: .*; choose another folder with -o") as caught:
        Manifest.open(out)
    assert caught.value.exit_code == 4


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is open")
def test_a_folder_that_cannot_be_marked_leaves_no_lock(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (out / PARTS).mkdir(parents=True)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "")

    monkeypatch.setattr(Path, "touch", refuse)
    before = open_files()
    with pytest.raises(OutputError):
        Manifest.open(out)
    assert open_files() == before


def test_a_folder_without_write_permission(out: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the manifest itself could be appended to."""
    record(out, job)
    if os.geteuid() == 0:  # chmod does not stop root
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    else:
        out.chmod(0o555)
    try:
        with pytest.raises(OutputError, match="permission denied; choose"):
            Manifest.open(out)
        assert Manifest.peek(out).up_to_date(job, "s")
    finally:
        out.chmod(0o755)
