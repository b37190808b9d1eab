"""Which photos are found, in what order, and how they are read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lptn_cli.discover import discover
from lptn_cli.photos import Photo, from_stdin, read, readable
from lptn_cli.plan import plan
from tests.command import touch


def relatives(photos: Sequence[Photo]) -> list[str]:
    return [photo.relative.as_posix() for photo in photos]


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, lptn_cli.manifest\n"
        "print([m for m in ('numpy', 'cv2', 'torch', 'typer', 'rich') if m in sys.modules])"
    )
    root = Path(__file__).parent.parent
    assert subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True).strip() == "[]"


def test_folder_is_walked_in_a_stable_order(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.jpg", "b/1.PNG", "z.tif", "a.webp", "a/deep/er/x.avif", "c.jpeg", "c.jfif", "c.jpe")
    expected = ["a.webp", "c.jfif", "c.jpe", "c.jpeg", "z.tif", "a/deep/er/x.avif", "b/1.PNG", "b/2.jpg"]
    photos = discover([tmp_path])
    assert relatives(photos) == expected
    assert [photo.path for photo in photos] == [tmp_path / name for name in expected]
    status = (tmp_path / "z.tif").stat()
    assert (photos[4].size, photos[4].mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_hidden_names_and_other_suffixes_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, ".x.jpg", "._x.jpg", ".thumbs/x.jpg", "x.txt", "x.jpg.xmp", "jpg", "notes", "y.jpg")
    assert relatives(discover([tmp_path])) == ["y.jpg"]


def test_a_named_file_is_always_tried(tmp_path: Path) -> None:
    touch(tmp_path, ".x.jpg", "x.weird", "x")
    named = [tmp_path / name for name in (".x.jpg", "x.weird", "x")]
    photos = discover(named, include=["*.png"], exclude=["*"], skip=tmp_path)
    assert relatives(photos) == [".x.jpg", "x.weird", "x"]
    assert [read(photo) for photo in photos] == [b".x.jpg", b"x.weird", b"x"]


def test_paths_stay_as_the_user_wrote_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "in/sub/x.jpg", "y.jpg")
    monkeypatch.chdir(tmp_path)
    photos = discover([Path("in"), Path("y.jpg")])
    assert [photo.path for photo in photos] == [Path("in/sub/x.jpg"), Path("y.jpg")]
    assert relatives(photos) == ["sub/x.jpg", "y.jpg"]


def test_contact_sheets_of_training_are_no_photos(tmp_path: Path) -> None:
    touch(tmp_path, "x.jpg", "lptn-train/mine/sheet.png")
    assert relatives(discover([tmp_path])) == ["x.jpg"]


def test_no_recursive(tmp_path: Path) -> None:
    touch(tmp_path, "x.jpg", "sub/y.jpg")
    assert relatives(discover([tmp_path], recursive=False)) == ["x.jpg"]


@pytest.mark.parametrize(
    ("limit", "expected"), [(0, []), (2, ["a.jpg", "b.jpg"]), (9, ["a.jpg", "b.jpg", "c.jpg"])]
)
def test_limit_is_the_first_n(tmp_path: Path, limit: int, expected: list[str]) -> None:
    touch(tmp_path, "c.jpg", "a.jpg", "b.jpg")
    assert relatives(discover([tmp_path, tmp_path / "a.jpg"], limit=limit)) == expected


def test_each_photo_is_taken_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "sub/b.jpg")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "other").symlink_to("sub")
    inputs = [tmp_path / "sub" / "b.jpg", tmp_path, tmp_path / "sub", tmp_path / "sub" / ".." / "a.jpg"]
    photos = discover(inputs)
    assert relatives(photos) == ["b.jpg", "a.jpg"]


def test_links_to_folders_are_followed_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "in/sub/x.jpg", "elsewhere/y.jpg")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "sub" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "self").symlink_to("self")
    assert relatives(discover([tmp_path / "in"])) == ["sub/x.jpg", "link/y.jpg"]


def test_a_photo_keeps_its_own_name_whatever_links_lead_to_it(tmp_path: Path) -> None:
    touch(tmp_path, "trip/x.jpg", "trip/y.jpg", "a/z.jpg", "elsewhere/w.jpg")
    (tmp_path / "best").symlink_to("trip")
    (tmp_path / "cover.jpg").symlink_to("trip/y.jpg")
    (tmp_path / "a" / "first.jpg").symlink_to(tmp_path / "trip" / "x.jpg")
    (tmp_path / "a" / "by").symlink_to(tmp_path / "trip")
    (tmp_path / "a" / "more").symlink_to(tmp_path / "elsewhere")
    photos = discover([tmp_path], exclude=["elsewhere"])
    assert relatives(photos) == ["a/z.jpg", "trip/x.jpg", "trip/y.jpg", "a/more/w.jpg"]


def test_a_tree_deeper_than_python_recurses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1050):
        Path("d").mkdir()
        os.chdir("d")
    Path("x.jpg").touch()
    os.chdir(tmp_path)
    (photo,) = discover([Path("d")])
    assert len(photo.relative.parts) == 1050
    (job,) = plan([photo], output=Path("out"), preset="p", single_file=False)
    assert job.output == Path("out") / photo.relative
    subprocess.run(["rm", "-rf", "d"], check=True, cwd=tmp_path)


def test_a_folder_called_x_jpg_is_walked(tmp_path: Path) -> None:
    touch(tmp_path, "x.jpg/y.jpg")
    assert relatives(discover([tmp_path])) == ["x.jpg/y.jpg"]


def test_the_output_folder_is_passed_over_wherever_it_is_met(tmp_path: Path) -> None:
    touch(tmp_path, "in/x.jpg", "in/out/y.jpg", "in/out/sub/z.jpg")
    out = tmp_path / "in" / "out"
    (tmp_path / "in" / "link").symlink_to(out)
    (tmp_path / "in" / "link2").symlink_to(out / "sub")
    (tmp_path / "alias").symlink_to(out)
    for skip in (out, tmp_path / "in" / "." / "sub" / ".." / "out", tmp_path / "alias"):
        assert relatives(discover([tmp_path / "in"], skip=skip)) == ["x.jpg"]
    assert relatives(discover([tmp_path / "in", out], skip=out)) == ["x.jpg"], "`lptn retouch * -o out`"
    touch(tmp_path, "in/outer/y.jpg")
    assert relatives(discover([tmp_path / "in"], skip=out)) == ["x.jpg", "outer/y.jpg"]


def test_an_input_that_is_the_output_folder_or_in_it_is_meant(tmp_path: Path) -> None:
    """So that planning can say that it would overwrite its input, and not `no photos`."""
    touch(tmp_path, "out/a/x.jpg", "out/a/b/y.jpg")
    out = tmp_path / "out"
    assert relatives(discover([out], skip=out)) == ["a/x.jpg", "a/b/y.jpg"]
    assert relatives(discover([out / "a", tmp_path], skip=out)) == ["x.jpg", "b/y.jpg"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.jpg", "x.jpg a/x.jpg a/b/y.jpg c/a/x.jpg"),
        ("x.*", "x.jpg x.png a/x.jpg c/a/x.jpg"),
        ("?.png", "x.png"),
        ("[!x].jpg", "a/b/y.jpg"),
        ("a/*.jpg", "a/x.jpg"),
        ("*/x.jpg", "a/x.jpg"),
        ("/x.jpg", "x.jpg"),
        ("./x.jpg", "x.jpg"),
        ("**/x.jpg", "x.jpg a/x.jpg c/a/x.jpg"),
        ("a/**/*.jpg", "a/x.jpg a/b/y.jpg"),
        ("**/a/**/*.jpg", "a/x.jpg a/b/y.jpg c/a/x.jpg"),
        ("**", "x.jpg x.png a/x.jpg a/b/y.jpg c/a/x.jpg"),
        ("a", "a/x.jpg a/b/y.jpg c/a/x.jpg"),
        ("a/", "a/x.jpg a/b/y.jpg c/a/x.jpg"),
        ("/a", "a/x.jpg a/b/y.jpg"),
        ("a/b", "a/b/y.jpg"),
        ("*.JPG", ""),
    ],
)
def test_include_and_exclude_globs(tmp_path: Path, glob: str, expected: str) -> None:
    everything = ["x.jpg", "x.png", "a/x.jpg", "a/b/y.jpg", "c/a/x.jpg"]
    touch(tmp_path, *everything)
    assert relatives(discover([tmp_path], include=[glob])) == expected.split()
    rest = [name for name in everything if name not in expected.split()]
    assert relatives(discover([tmp_path], exclude=[glob])) == rest


def test_globs_add_up_and_exclude_wins(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.png", "c.tif", "raw/a.jpg")
    found = discover([tmp_path], include=["*.jpg", "*.png"], exclude=["raw", "nothing"])
    assert relatives(found) == ["a.jpg", "b.png"]


def test_globs_hold_for_each_folder_that_was_given(tmp_path: Path) -> None:
    touch(tmp_path, "a/b/x.jpg", "a/y.jpg")
    photos = discover([tmp_path / "a" / "b", tmp_path / "a"], include=["b/*.jpg"])
    assert relatives(photos) == ["b/x.jpg"]


def test_names_of_any_bytes(tmp_path: Path) -> None:
    names = [b"caf\xe9.jpg", b"new\nline.jpg", "雪📷.jpg".encode(), b"-o.jpg", b"a b'\".jpg"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    photos = discover([tmp_path], include=["*"])
    assert sorted(os.fsencode(photo.relative) for photo in photos) == sorted(names)
    assert sorted(read(photo) for photo in photos) == sorted(names)
    jobs = plan(photos, output=tmp_path / "out", preset="p", single_file=False)
    assert sorted(os.fsencode(job.output.name) for job in jobs) == sorted(names)


def test_no_photos(tmp_path: Path) -> None:
    assert discover([tmp_path]) == []
    assert discover([]) == []
    assert list(plan([], output=None, preset="p", single_file=False)) == []


def test_what_may_not_be_read_is_known_without_opening_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.jpg")
    (found,) = discover([tmp_path])
    assert readable(found) and not readable(discover([tmp_path / "gone.jpg"])[0])
    asked: list[tuple[Path, int]] = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)))  # root may read all
    assert not readable(found) and asked == [(tmp_path / "a.jpg", os.R_OK)]
    assert readable(from_stdin(b"x"))
