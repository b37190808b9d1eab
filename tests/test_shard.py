"""`--shard I/N`: parts of one archive for array jobs, which together are the whole."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePath

import pytest

from lptn_cli.errors import UsageError
from lptn_cli.photos import Photo
from lptn_cli.plan import Shard
from lptn_cli.preset import Preset
from tests.command import LPTN, Retouch, environment, save, tree
from tests.conftest import photo


def photos(number: int, top: str = "/archive") -> list[Photo]:
    names = [PurePath(f"shoot-{n % 7}", f"{n:04}.jpg") for n in range(number)]
    return [Photo(Path(top) / name, name, 1, 1) for name in names]


@pytest.mark.parametrize("count", [1, 2, 3, 16])
def test_the_parts_are_disjoint_whole_and_of_like_size(count: int) -> None:
    everything = photos(2000)
    parts = [[one for one in everything if Shard(n, count).holds(one)] for n in range(1, count + 1)]
    assert sum(map(len, parts)) == 2000
    assert {one.path for part in parts for one in part} == {one.path for one in everything}
    assert max(map(len, parts)) < 1.5 * 2000 / count


def test_convention_a_photos_part_follows_from_its_path_below_the_folder_alone() -> None:
    """Other photos, the place of the archive and the version of lptn change nothing: numbers pinned."""
    here, there = photos(60), photos(80, "/mnt/other")[:60]
    assert [Shard(2, 3).holds(one) for one in here] == [Shard(2, 3).holds(one) for one in there]
    assert [n for n, one in enumerate(here) if Shard(2, 3).holds(one)][:8] == PINNED


PINNED = [1, 3, 4, 8, 9, 10, 11, 15]


def test_a_name_of_any_bytes_has_a_part() -> None:
    name = PurePath("caf\udce9.jpg")
    assert sum(Shard(n, 5).holds(Photo(Path(name), name, 1, 1)) for n in range(1, 6)) == 1


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1 / 4", "1.0/4"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write I/N"):
        Shard.parse(text)


def test_processes_at_once_do_exactly_the_union(preset: Preset, tmp_path: Path) -> None:
    for n in range(12):
        save(tmp_path / "in" / f"{n % 3}" / f"{n:02}.jpg", photo(40, 56, seed=n))
    command: list[str | Path] = [
        LPTN,
        "retouch",
        "-p",
        preset.path,
        tmp_path / "in",
        "-o",
        tmp_path / "out",
        "--print",
    ]
    started = [
        subprocess.Popen([*command, "--shard", f"{n}/3"], stdout=subprocess.PIPE, env=environment())
        for n in (1, 2, 3)
    ]
    written = [one.communicate(timeout=100)[0].split() for one in started]
    assert [one.returncode for one in started] == [0, 0, 0]
    assert sum(map(bool, written)) > 1
    assert sum(map(len, written)) == len({path for part in written for path in part}) == 12
    assert tree(tmp_path / "out") == {f"{n % 3}/{n:02}.jpg" for n in range(12)}


def test_shards_share_names_collisions_and_what_is_done(
    folder: Path, retouch: Retouch, tmp_path: Path
) -> None:
    words = (folder, "-o", tmp_path / "out", "--json")
    assert [retouch(*words, "--shard", f"{n}/4", "--name", "{n}{ext}").code for n in range(1, 5)] == [0] * 4
    assert tree(tmp_path / "out") == {"1.jpg", "2.jpg", "3.png"}  # numbered as one run would
    assert retouch(*words, "--name", "{n}{ext}").events[-1]["up_to_date"] == 3
    # two inputs for one output are refused, though they may be of different parts
    assert [retouch(*words, "--shard", f"{n}/4", "--name", "x.jpg").code for n in range(1, 5)] == [2] * 4


def test_a_part_without_photos_is_done(folder: Path, retouch: Retouch, tmp_path: Path) -> None:
    ran = [retouch(folder, "-o", tmp_path / "out", "--json", "--shard", f"{n}/40") for n in range(1, 41)]
    assert [one.code for one in ran] == [0] * 40
    assert sum(one.events[-1]["written"] for one in ran) == 3


def test_a_part_is_of_a_folder_not_of_one_photo(folder: Path, retouch: Retouch, tmp_path: Path) -> None:
    for part in ("1/2", "2/2"):
        ran = retouch(folder / "a.jpg", "-o", tmp_path / "b.jpg", "--shard", part)
        assert ran.code == 2
        assert "b.jpg is one photo" in ran.error
    assert not (tmp_path / "b.jpg").exists()


def test_one_page_of_all_photos_is_not_for_a_part(folder: Path, retouch: Retouch, tmp_path: Path) -> None:
    ran = retouch(folder, "-o", tmp_path / "out", "--compare", "--shard", "1/2")
    assert ran.code == 2
    assert "--shard" in ran.error
