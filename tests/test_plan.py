"""Where outputs go, and which plans are refused."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

import pytest

from lptn_cli.discover import discover
from lptn_cli.errors import UsageError
from lptn_cli.photos import Photo
from lptn_cli.plan import Job, looks_like_file, output_folder, plan
from tests.command import touch
from tests.conftest import photo_at


def test_jobs_are_numbered_in_order_and_mirror_the_folders(tmp_path: Path) -> None:
    touch(tmp_path, "one/a/x.jpg", "one/y.jpg", "two/b/z.jpg", "w.jpg")
    photos = discover([tmp_path / "one", tmp_path / "two", tmp_path / "w.jpg"])
    jobs = plan(photos, output=tmp_path / "out", preset="p", single_file=False)
    assert [job.output.relative_to(tmp_path).as_posix() for job in jobs] == [
        "out/y.jpg",
        "out/a/x.jpg",
        "out/b/z.jpg",
        "out/w.jpg",
    ]
    assert [(job.number, job.photo) for job in jobs] == list(enumerate(photos, 1))


def test_default_output_folder() -> None:
    (job,) = plan([photo_at("a/x.jpg")], output=None, preset="day-to-night", single_file=False)
    assert job.output == Path("lptn-out/day-to-night/a/x.jpg")
    assert output_folder(None, "p") == Path("lptn-out/p")
    assert output_folder(Path("out"), "p") == Path("out")


# plan: -o FILE


def test_output_file_gives_name_and_format(tmp_path: Path) -> None:
    target = tmp_path / "new" / "y.AVIF"
    assert looks_like_file(target)
    (job,) = plan([photo_at("x.jpg")], output=target, preset="p", single_file=True)
    assert job == Job(1, photo_at("x.jpg"), target, "avif")


def test_output_that_is_a_folder_or_has_no_photo_suffix_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "y.jpg").mkdir()
    for output in (tmp_path / "y.jpg", tmp_path / "v1.2", tmp_path / "new"):
        assert not looks_like_file(output)
        (job,) = plan([photo_at("x.jpg")], output=output, preset="p", single_file=True)
        assert job == Job(1, photo_at("x.jpg"), output / "x.jpg", None)


def test_a_slash_at_the_end_makes_a_folder_of_any_name(tmp_path: Path) -> None:
    for single in (True, False):
        (job,) = plan(
            [photo_at("x.jpg")], output=tmp_path / "y.jpg", preset="p", single_file=single, to_folder=True
        )
        assert job.output == tmp_path / "y.jpg" / "x.jpg"


def test_output_file_for_several_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"y\.jpg is the name of one photo.*give -o a folder"):
        plan([photo_at("x.jpg")], output=tmp_path / "y.jpg", preset="p", single_file=False)
    (tmp_path / "y.jpg").mkdir()
    plan([photo_at("x.jpg")], output=tmp_path / "y.jpg", preset="p", single_file=False)


def test_output_file_and_template_are_refused() -> None:
    with pytest.raises(UsageError, match="give one of them"):
        plan([photo_at("x.jpg")], output=Path("y.jpg"), template="{n}{ext}", preset="p", single_file=True)


# plan: collisions


def refusal(photos: Sequence[Photo], output: Path, template: str = "{dir}/{stem}{ext}") -> str:
    with pytest.raises(UsageError) as caught:
        plan(photos, output=output, template=template, preset="p", single_file=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_two_inputs_for_one_output() -> None:
    text = refusal([photo_at("x.jpg", "/a"), photo_at("x.jpg", "/b")], Path("/out"))
    assert text == (
        "/a/x.jpg and /b/x.jpg would both be written to /out/x.jpg; "
        "tell them apart with --name, for example '{parent}/{stem}{ext}', or --exclude some"
    )
    photos = [photo_at("x.jpg"), photo_at("x.png")]
    assert "would both" in refusal(photos, Path("/out"), "{stem}.webp")
    assert "would both" in refusal([photo_at("a/x.jpg"), photo_at("b/x.jpg")], Path("/out"), "{stem}{ext}")
    plan(photos, output=Path("/out"), template="{stem}-{n}.webp", preset="p", single_file=False)


@pytest.mark.parametrize(
    ("one", "other", "template", "example"),
    [
        ("a/x.jpg", "a/x.png", "{dir}/{stem}.webp", "{dir}/{stem}{suffix}{ext}"),
        ("a/x.jpg", "a/x.HEIC", "{dir}/{stem}{ext}", "{dir}/{stem}{suffix}{ext}"),
        ("a/x.jpg", "b/x.jpg", "{stem}{ext}", "{dir}/{stem}{ext}"),
        ("x.jpg", "x.jpg/y.jpg", "{dir}/{stem}{ext}", "{dir}/{stem}-{n}{ext}"),
    ],
)
def test_the_remedy_for_a_clash_ends_it(one: str, other: str, template: str, example: str) -> None:
    photos = [photo_at(one), photo_at(other)]
    assert f"for example '{example}'" in refusal(photos, Path("/out"), template)
    plan(photos, output=Path("/out"), template=example, preset="p", single_file=False)


def test_photos_of_one_name_in_one_folder_are_told_apart_by_number() -> None:
    photos = [photo_at("x.jpg", "/a/in"), photo_at("x.jpg", "/b/in")]
    assert "'{dir}/{stem}-{n}{ext}'" in refusal(photos, Path("/out"))


def test_refusals_are_safe_to_print() -> None:
    name = "\x1b[2J\n" + os.fsdecode(b"\xe9") + ".jpg"
    text = refusal([photo_at(name, "/a"), photo_at(name, "/b")], Path("/out"))
    assert r"/a/\x1b[2J\n\xe9.jpg and" in text


def test_an_output_that_must_be_a_folder_for_another() -> None:
    text = refusal([photo_at("x.jpg", "/a"), photo_at("x.jpg/y.jpg", "/b")], Path("/out"))
    assert "/a/x.jpg would be written to /out/x.jpg, which must be a folder for /b/x.jpg/y.jpg" in text
    refusal([photo_at("x.jpg/deep/y.jpg", "/b"), photo_at("x.jpg", "/a")], Path("/out"))


def test_an_output_that_is_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "in/x.jpg")
    photos = discover([tmp_path / "in"])
    assert "which is the input" in refusal(photos, tmp_path / "in")
    assert "choose another folder with -o" in refusal(photos, tmp_path / "in" / "sub" / "..")
    monkeypatch.chdir(tmp_path)
    refusal(photos, Path("in"))
    (tmp_path / "alias").symlink_to("in")
    refusal(photos, tmp_path / "alias")
    refusal(discover([Path("alias")]), tmp_path / "in")
    with pytest.raises(UsageError, match="which is the input"):
        plan(discover([Path("in/x.jpg")]), output=Path("in/x.jpg"), preset="p", single_file=True)
    plan(photos, output=Path("in"), template="{stem}-new{ext}", preset="p", single_file=False)


def test_an_output_that_is_another_input(tmp_path: Path) -> None:
    touch(tmp_path, "sub/x.jpg", "x-1.jpg")
    photos = discover([tmp_path / "sub", tmp_path / "x-1.jpg"])
    text = refusal(photos, tmp_path, "{stem}-{n}{ext}")
    assert text.startswith(f"{tmp_path}/sub/x.jpg would be written to {tmp_path}/x-1.jpg, which is the input")


def test_an_input_given_through_a_link_is_not_overwritten(tmp_path: Path) -> None:
    touch(tmp_path, "real/x.jpg")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.jpg").symlink_to(tmp_path / "real" / "x.jpg")
    photos = discover([tmp_path / "in"])
    refusal(photos, tmp_path / "real")
    refusal(photos, tmp_path / "in")
    plan(photos, output=tmp_path / "out", preset="p", single_file=False)


@pytest.mark.parametrize("kind", ["hard link", "symbolic link"])
def test_an_output_that_is_an_input_by_another_name(tmp_path: Path, kind: str) -> None:
    touch(tmp_path, "in/x.jpg", "in/y.jpg", "out/y.jpg")
    if kind == "hard link":
        (tmp_path / "out" / "x.jpg").hardlink_to(tmp_path / "in" / "x.jpg")
    else:
        (tmp_path / "out" / "x.jpg").symlink_to(tmp_path / "in" / "x.jpg")
    assert "which is the input" in refusal(discover([tmp_path / "in"]), tmp_path / "out")


def test_photos_with_a_problem_collide_with_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "x.jpg")
    photos = [
        Photo(tmp_path / "x", PurePath("x"), 0, 0, "the folder cannot be listed"),
        *discover([tmp_path / "none" / "x.jpg", tmp_path / "x.jpg", tmp_path / "none" / ".." / ".."]),
    ]
    jobs = plan(photos, output=tmp_path / "out", template="{stem}.jpg", preset="p", single_file=False)
    assert [job.number for job in jobs] == [1, 2, 3, 4]
    assert jobs[2].output == tmp_path / "out" / "x.jpg"
