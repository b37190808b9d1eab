"""Runs that meet what earlier or other runs have written."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from lptn_cli.discover import discover
from lptn_cli.manifest import Manifest
from lptn_cli.pipeline import done_meanwhile
from lptn_cli.plan import Job, plan
from lptn_cli.preset import Preset
from lptn_cli.settings import Settings
from tests.command import Retouch, save, tree
from tests.conftest import photo


def test_results_of_other_runs_are_no_photos(
    folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert retouch(".", "-o", "first").code == 0
    assert retouch(".", "-o", "second", "-s", "0.5").code == 0
    assert retouch(".").code == 0
    assert retouch(".", "-o", "third/deep").code == 0
    for made in ("first", "second", "lptn-out/dusk", "third/deep"):
        assert tree(folder / made) == {"a.jpg", "b.jpg", "sub/c.png"}
    assert retouch("first", "-o", "again").code == 0  # named itself: meant
    assert tree(folder / "again") == {"a.jpg", "b.jpg", "sub/c.png"}


def test_results_beside_the_photos_can_be_resumed(folder: Path, retouch: Retouch) -> None:
    words = (folder, "-o", folder, "--name", "{dir}/{stem}-{preset}{ext}", "--json")
    assert retouch(*words).code == 0
    second = retouch(*words)
    assert second.code == 0
    assert second.events[-1]["up_to_date"] == 3
    assert tree(folder) == {
        "a.jpg", "b.jpg", "sub/c.png", "a-dusk.jpg", "b-dusk.jpg", "sub/c-dusk.png",
    }  # fmt: skip


def jobs(folder: Path, out: Path) -> list[Job]:
    return list(plan(discover([folder]), output=out, preset="dusk", single_file=False))


def test_a_photo_that_another_run_finished_is_up_to_date(
    folder: Path, retouch: Retouch, preset: Preset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    settings = Settings(preset, 1.0)
    with Manifest.open(out) as manifest:  # opened before the other run
        assert retouch(folder, "-o", out).code == 0
        assert all(done_meanwhile(job, settings, manifest) for job in jobs(folder, out))
    with Manifest.open(out) as manifest:
        assert retouch(folder, "-o", out, "-s", "0.5").code == 0
        assert not any(done_meanwhile(job, settings, manifest) for job in jobs(folder, out))


def test_a_result_that_was_changed_is_told_from_a_file_of_somebody_else(
    folder: Path, retouch: Retouch, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert retouch(folder, "-o", out).code == 0
    os.utime(out / "a.jpg", (0, 0))
    (out / "b.jpg").write_bytes(b"mine")
    ran = retouch(folder, "-o", out, "-s", "0.5", "--json")
    said = {Path(e["input"]).name: e["message"] for e in ran.events if e.get("status") == "failed"}
    assert ran.code == 1
    assert "a.jpg was changed since lptn wrote it; --overwrite" in said["a.jpg"]
    assert "b.jpg was changed since lptn wrote it" in said["b.jpg"]
    assert (out / "b.jpg").read_bytes() == b"mine"


def test_a_dry_run_foretells_failures(folder: Path, retouch: Retouch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert retouch(folder, "-o", out, "-n").code == 0
    out.mkdir()
    (out / "a.jpg").write_bytes(b"mine")
    ran = retouch(folder, "-o", out, "-n")
    assert ran.code == 1
    assert b"exists\t" in ran.stdout


@pytest.mark.parametrize("name", ["x.gif", "x.heic", "x.DNG"])
def test_an_output_of_a_format_that_is_not_written(folder: Path, retouch: Retouch, name: str) -> None:
    ran = retouch(folder / "a.jpg", "-o", folder.parent / name)
    assert ran.code == 2
    assert name in ran.error and ".jpg" in ran.error
    assert retouch(folder / "a.jpg", "-o", f"{folder.parent / name}/").code == 0
    assert tree(folder.parent / name) == {"a.jpg"}


def test_depth_in_json_is_that_of_the_output(folder: Path, retouch: Retouch, tmp_path: Path) -> None:
    def depth(*words: object) -> int:
        (event,) = (
            e for e in retouch(folder / "sub/c.png", "--json", *words).events if e["event"] == "photo"
        )
        return int(event["depth"])

    assert depth("-o", tmp_path / "x.png", "--depth", "16") == 16
    assert depth("-o", tmp_path / "x.jpg") == 8


def test_a_second_folder_does_not_replace_the_results_of_the_first(retouch: Retouch, tmp_path: Path) -> None:
    for card, seed in (("card1", 1), ("card2", 2)):
        save(tmp_path / card / "IMG_1.jpg", photo(40, 56, seed=seed))
    out = tmp_path / "out"
    assert retouch(tmp_path / "card1", "-o", out).code == 0
    first = (out / "IMG_1.jpg").read_bytes()
    for words in ((), ("-n",)):
        refused = retouch(tmp_path / "card2", "-o", out, *words)
        assert refused.code == 2
        assert f"the result of {tmp_path / 'card1' / 'IMG_1.jpg'}" in refused.error
    (tmp_path / "card1").rename(tmp_path / "drawer")  # taken out of the reader
    gone = retouch(tmp_path / "card2", "-o", out)
    assert gone.code == 2 and "card1/IMG_1.jpg, which is not there now; choose" in gone.error
    assert (out / "IMG_1.jpg").read_bytes() == first
    assert retouch(tmp_path / "card2", "-o", out, "--overwrite").code == 0
    assert (out / "IMG_1.jpg").read_bytes() != first


def test_photos_that_were_moved_or_numbered_anew_are_no_other_photos(
    retouch: Retouch, tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    save(folder / "b.jpg", photo(40, 56, seed=1))
    assert retouch(folder, "-o", out, "--name", "{n}{ext}").code == 0
    save(folder / "a.jpg", photo(40, 56, seed=2))
    assert retouch(folder, "-o", out, "--name", "{n}{ext}").code == 0
    folder.rename(tmp_path / "moved")
    assert retouch(tmp_path / "moved", "-o", out, "--name", "{n}{ext}").code == 0
    copied = tmp_path / "copied"
    shutil.copytree(tmp_path / "moved", copied, copy_function=shutil.copyfile)  # they get the time of now
    shutil.rmtree(tmp_path / "moved")
    assert retouch(copied, "-o", out, "--name", "{n}{ext}").code == 0
    (copied / "a.jpg").unlink()  # and so b.jpg is the first once more
    assert retouch(copied, "-o", out, "--name", "{n}{ext}").code == 0


def test_another_way_to_the_same_folder_redoes_nothing(
    folder: Path, retouch: Retouch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retouch(folder, "-o", tmp_path / "out")
    monkeypatch.chdir(folder)
    again = retouch(Path("..") / folder.name, "-o", tmp_path / "out", "--json")
    assert set(again.photos().values()) == {"up-to-date"}


def test_results_among_photos_are_passed_over_and_told_and_the_photos_are_not(
    folder: Path, retouch: Retouch, tmp_path: Path
) -> None:
    assert retouch(folder / "a.jpg", "-o", folder / "sub").code == 0
    ran = retouch(folder, "-o", tmp_path / "out", "--json")
    assert tree(tmp_path / "out") == {"a.jpg", "b.jpg", "sub/c.png"}
    assert f"results of an earlier run in {folder / 'sub'} are passed over" in ran.stderr
    assert retouch(folder / "sub", "-o", tmp_path / "named").code == 0
    assert tree(tmp_path / "named") == {"a.jpg", "c.png"}
    shutil.copytree(folder, tmp_path / "copy")  # with times of today
    os.utime(tmp_path / "copy" / "sub" / "a.jpg")
    assert retouch(tmp_path / "copy", "-o", tmp_path / "out2").code == 0
    assert tree(tmp_path / "out2") == {"a.jpg", "b.jpg", "sub/c.png"}


def test_a_result_is_tried_where_it_alone_is_named_and_not_where_a_shell_lists_all(
    folder: Path, retouch: Retouch
) -> None:
    words = ("-o", folder, "--name", "{stem}-x{ext}")
    for _ in range(2):
        ran = retouch(*sorted(folder.glob("*.jpg")), *words)
        assert ran.code == 0 and not (folder / "a-x-x.jpg").exists()
    assert f"results of an earlier run in {folder} are passed over" in ran.stderr
    assert retouch(folder / "a-x.jpg", *words).code == 0
    assert (folder / "a-x-x.jpg").is_file()


def test_a_list_of_photos_without_a_folder_of_results_breeds_none(
    folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`find . -name '*.jpg' | lptn retouch --files-from -`, twice, then with another strength."""
    monkeypatch.chdir(folder)
    for words in ([], [], ["-s", "0.5", "--overwrite"]):
        listed = sorted(path for path in Path().rglob("*.*") if path.suffix in (".jpg", ".png"))
        Path("list.txt").write_text("\n".join(map(str, listed)))
        assert retouch("--files-from", "list.txt", *words).code == 0
        assert tree(Path("lptn-out/dusk")) == {"a.jpg", "b.jpg", "sub/c.png"}
    assert retouch("lptn-out/dusk/a.jpg", "-o", "again").code == 0  # alone: meant
    assert tree(Path("again")) == {"a.jpg"}


def test_a_clock_that_is_set_back_makes_no_result_somebody_elses(
    folder: Path, retouch: Retouch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real = tmp_path / "out", time.time_ns
    monkeypatch.setattr("lptn_cli.manifest.time.time_ns", lambda: real() + 7200 * 10**9)
    assert retouch(folder, "-o", out).code == 0
    monkeypatch.undo()
    for strength, status in (("0.5", "written"), ("0.5", "up-to-date"), ("0.6", "written")):
        again = retouch(folder, "-o", out, "-s", strength, "--json")
        assert (again.code, set(again.photos().values())) == (0, {status})


def test_results_beside_their_photos_do_not_count_towards_the_limit(folder: Path, retouch: Retouch) -> None:
    for limit, written in ((1, 1), (2, 1), (3, 1)):
        ran = retouch(folder, "-o", folder, "--name", "{dir}/{stem}-x{ext}", "--limit", limit, "--json")
        assert ran.events[-1]["written"] == written
    assert (folder / "sub" / "c-x.png").is_file()
