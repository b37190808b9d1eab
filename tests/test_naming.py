"""What outputs are called: `--name` and its fields."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from lptn_cli.codecs.formats import Format
from lptn_cli.discover import discover
from lptn_cli.errors import UsageError
from lptn_cli.photos import Photo
from lptn_cli.plan import plan
from lptn_cli.storage import Remote
from tests.command import touch
from tests.conftest import photo_at


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


def test_a_field_of_gigabytes_is_refused() -> None:
    wide = "{n:99999999999}{ext}"
    with pytest.raises(UsageError, match="wider than a file's name"):
        plan([photo_at("x.jpg")], output=Path("o"), template=wide, preset="p", single_file=False)
