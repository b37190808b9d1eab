"""What outputs are called, and which plans are refused."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

import pytest

from lptn_cli.codecs.formats import Format
from lptn_cli.discover import discover
from lptn_cli.errors import UsageError
from lptn_cli.photos import Photo
from lptn_cli.plan import Job, looks_like_file, output_folder, plan
from lptn_cli.storage import Remote
from tests.command import touch

# plan: names


def photo_at(name: str, root: str = "/in") -> Photo:
    return Photo(Path(root, name), PurePath(name), 1, 1)


def output_name(
    name: str, template: str, format: Format | None = None, number: int = 1
) -> tuple[str, str | None]:
    others = [photo_at(f"other-{n}.jpg") for n in range(1, number)]
    photos = [*others, photo_at(name)]
    job = plan(
        photos,
        output=Path("/out"),
        template=template,
        format=format,
        preset="day-to-night",
        single_file=False,
    )[-1]
    return job.output.relative_to("/out").as_posix(), job.format


@pytest.mark.parametrize(
    ("name", "template", "format", "expected"),
    [
        ("x.jpg", "{dir}/{stem}{ext}", None, ("x.jpg", None)),
        ("a/b/x.JPG", "{dir}/{stem}{ext}", None, ("a/b/x.JPG", None)),
        ("a/x.y.jpg", "{dir}/{stem}{ext}", None, ("a/x.y.jpg", None)),
        ("a/x", "{dir}/{stem}{ext}", None, ("a/x", None)),
        (".jpg", "{dir}/{stem}{ext}", None, (".jpg", None)),
        ("a/x.JPG", "{dir}/{stem}{ext}", "png", ("a/x.png", "png")),
        ("a/x", "{dir}/{stem}{ext}", "jpeg", ("a/x.jpg", "jpeg")),
        ("a/x.jpg", "{stem}{ext}", None, ("x.jpg", None)),
        ("a/x.jpg", "{preset}/{stem}-{n:04d}{ext}", None, ("day-to-night/x-0003.jpg", None)),
        ("a/x.jpg", "{dir}-{n}{ext}", None, ("a-3.jpg", None)),
        ("x.jpg", "all/{dir}/{stem}{ext}", None, ("all/x.jpg", None)),
        ("x.jpg", "{stem:_>5}{ext}", None, ("____x.jpg", None)),
        ("a/x.HEIC", "{dir}/{stem}{suffix}{ext}", None, ("a/x.HEIC.jpg", None)),
        ("a/x", "{dir}/{stem}{suffix}.png", None, ("a/x.png", "png")),
        ("a/b/x.jpg", "{parent}/{stem}{ext}", None, ("b/x.jpg", None)),
        ("x.jpg", "{parent}-{stem}{ext}", None, ("in-x.jpg", None)),
        ("../x.jpg", "{parent}/{stem}{ext}", None, ("x.jpg", None)),
        ("a/x.jpg", "{dir}/{stem}.PNG", None, ("a/x.PNG", "png")),
        ("a/x.jpg", "{dir}/{stem}.tiff", "tiff", ("a/x.tiff", "tiff")),
        ("a/x.jpg", "{dir}/{stem}.jpeg", "jpeg", ("a/x.jpeg", "jpeg")),
        ("x.jpg", "{{{stem}}}.webp", None, ("{x}.webp", "webp")),
        ("a{b}/{0}.jpg", "{dir}/{stem}{ext}", None, ("a{b}/{0}.jpg", None)),
    ],
)
def test_templates(name: str, template: str, format: Format | None, expected: tuple[str, str | None]) -> None:
    assert output_name(name, template, format, number=3) == expected


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{stem.__class__}{ext}", r"\{stem.__class__\} cannot be filled in; the fields are \{dir\} \{stem\}"),
        ("{stem[0]}{ext}", "the fields are"),
        ("{name}{ext}", "the fields are"),
        ("{}{ext}", "the fields are"),
        ("{0}{ext}", "the fields are"),
        ("{stem!r}{ext}", "the fields are"),
        ("{stem:{n}}{ext}", "the fields are"),
        ("{stem{ext}", "braces do not match"),
        ("{stem}}{ext}", "braces do not match"),
        ("{stem", "braces do not match"),
        ("{stem:04d}{ext}", "cannot be formatted"),
        ("{n:q}{ext}", "cannot be formatted"),
        ("{stem}.{ext}", "its own dot"),
        ("../{stem}{ext}", "outside the output folder"),
        ("a/../../{stem}{ext}", "outside the output folder"),
        ("/etc/{stem}{ext}", "outside the output folder"),
        ("{stem}", "must end in"),
        ("", "must end in"),
        ("{stem}{ext}-new", "must end in"),
        ("v1.0/{stem}", "must end in"),
        ("{dir}/{ext}/", "must end in"),
        ("{stem}.bmp", r"\.bmp is no format lptn writes; use \.jpg"),
        ("{stem}.", "no format lptn writes"),
        ("{stem}\0{ext}", "no file name"),
        ("{stem}\x1b[2J", r"\\x1b\[2J"),
    ],
)
def test_bad_templates_are_usage_errors(template: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        output_name("a/x.jpg", template)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_bad_template_is_found_though_no_photo_is_sound() -> None:
    photos = [Photo(Path("none.jpg"), PurePath("none.jpg"), 0, 0, "no such file")]
    with pytest.raises(UsageError, match="fields"):
        plan(photos, output=None, template="{x}{ext}", preset="p", single_file=True)


def test_a_name_that_climbs_out_by_the_photos_own_name() -> None:
    with pytest.raises(UsageError, match="outside"):
        output_name("...jpg", "{stem}/x.png")


def test_suffix_and_format_that_disagree() -> None:
    with pytest.raises(UsageError, match=r"--name \{stem\}\.png asks for png, but --format for jpeg"):
        output_name("x.jpg", "{stem}.png", "jpeg")
    with pytest.raises(UsageError, match=r"-o y\.png asks for png, but --format for jpeg"):
        plan([photo_at("x.jpg")], output=Path("y.png"), format="jpeg", preset="p", single_file=True)


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


def test_the_parent_is_the_folder_however_the_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "roll/x.jpg")
    (tmp_path / "roll" / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "roll" / "sub")
    photos = discover([Path("../x.jpg")])
    (job,) = plan(photos, output=Path("out"), template="{parent}/{stem}{ext}", preset="p", single_file=True)
    assert job.output == Path("out/roll/x.jpg")
    remote = Photo(Remote("s3://shoot/roll/x.jpg"), PurePath("x.jpg"), 1, 1)
    (job,) = plan([remote], output=Path("o"), template="{parent}-{stem}{ext}", preset="p", single_file=True)
    assert job.output == Path("o/roll-x.jpg")


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


# shown


def test_a_field_of_gigabytes_is_refused() -> None:
    wide = "{n:99999999999}{ext}"
    with pytest.raises(UsageError, match="wider than a file's name"):
        plan([photo_at("x.jpg")], output=Path("o"), template=wide, preset="p", single_file=False)
