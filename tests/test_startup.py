"""What answers without a photo, or has nothing to do, loads no torch: it is what makes it answer at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lptn_cli.preset import Preset
from tests.command import environment, modules_of


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


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, lptn_cli; assert not {'torch', 'numpy', 'cv2', 'typer'} & sys.modules.keys();"
        "from lptn_cli import Retoucher; assert 'torch' in sys.modules; print(Retoucher.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"Retoucher\n"
