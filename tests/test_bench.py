"""`lptn bench`: every stage is told, in figures that fit together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lptn_cli.bench import bench
from lptn_cli.preset import Preset
from tests.command import run, save
from tests.conftest import photo


def test_stages_add_up_to_a_photo(preset: Preset, tmp_path: Path) -> None:
    picture = save(tmp_path / "a.jpg", photo(300, 400))
    done = run("bench", "-p", preset.path, "--photo", picture, "-d", "cpu", "--json")
    assert done.code == 0
    figures = json.loads(done.stdout)
    assert list(figures["stages"]) == ["decode", "shrink", "network", "finish", "encode"]
    assert figures["photo"] == "400x300 JPEG"
    total = sum(stage["ms"] for stage in figures["stages"].values())
    assert figures["one_photo_ms"] == pytest.approx(total, abs=0.1)
    assert figures["photos_per_second"] == pytest.approx(1000 / total, rel=0.02)
    assert figures["bound"] > 0


def test_a_person_reads_lines(preset: Preset, tmp_path: Path) -> None:
    picture = save(tmp_path / "a.png", photo(300, 400))
    lines = run("bench", "-p", preset.path, "--photo", picture).stdout.decode().splitlines()
    assert lines[0].startswith("400x300 PNG, preset ")
    assert [line.split()[0] for line in lines[1:6]] == ["decode", "shrink", "network", "finish", "encode"]


def test_without_a_photo_a_4k_jpeg_is_made(preset: Preset) -> None:
    figures = bench(str(preset.path), "cpu", runs=1)
    assert figures["photo"] == "3840x2160 JPEG"


@pytest.mark.parametrize("name", ["missing.jpg", "broken.jpg", "tiny.png"])
def test_a_photo_that_cannot_be_used_is_named(name: str, preset: Preset, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    save(tmp_path / "tiny.png", photo(4, 4))
    done = run("bench", "-p", preset.path, "--photo", tmp_path / name)
    assert done.code == 2
    assert name in done.error
