"""What `--json` says is what docs/json-schema.json says, and all of it: scripts may rely on every field."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lptn_cli.codecs import encode
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.errors import PhotoError
from lptn_cli.preset import Preset
from lptn_cli.report import SCHEMA
from lptn_cli.training.loop import Step
from tests.command import Ran, Retouch, run, save
from tests.conftest import make_preset, photo

DOCUMENTED = json.loads((Path(__file__).parents[1] / "docs/json-schema.json").read_text("utf-8"))


def check(record: Any, name: str | None = None) -> None:
    """Fail unless the record is as documented: an event of a run, or one of `$defs`."""
    schema = DOCUMENTED if name is None else {"$ref": f"#/$defs/{name}", "$defs": DOCUMENTED["$defs"]}
    jsonschema.Draft202012Validator(schema).validate(record)


def parse(ran: Ran) -> Any:
    """stdout as JSON proper, in which there is no NaN."""

    def refuse(word: str) -> float:
        raise ValueError(f"{word} is no JSON")

    return json.loads(ran.stdout, parse_constant=refuse)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(DOCUMENTED)


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        yield from itertools.chain.from_iterable(map(objects, schema))


def test_no_object_takes_fields_that_are_not_documented() -> None:
    closed = [one for one in objects(DOCUMENTED) if "properties" in one]
    assert len(closed) >= 14
    assert all(one["additionalProperties"] is False for one in closed)


@pytest.fixture
def events(folder: Path, tmp_path: Path, retouch: Retouch) -> list[dict[str, Any]]:
    """Of two runs on the same folder, the second with a broken photo, and of a dry run beside them."""
    out = tmp_path / "out"
    first = retouch(folder, "-o", out, "--json")
    (folder / "broken.jpg").write_bytes(b"no photo")
    second = retouch(folder, "-o", out, "--json")
    save(out / "new.jpg", photo(40, 56))
    save(folder / "new.jpg", photo(40, 56))
    (folder / "dangling.jpg").symlink_to("nowhere")
    plan = retouch(folder, "-o", out, "--json", "--dry-run")
    assert (first.code, second.code, plan.code) == (0, 1, 1)
    return [*first.events, *second.events, *plan.events]


def test_every_event_is_as_documented_and_every_documented_one_comes(events: list[dict[str, Any]]) -> None:
    for event in events:
        check(event)
        with pytest.raises(jsonschema.ValidationError):
            check(event | {"surprise": 1})
        for name in event:
            with pytest.raises(jsonschema.ValidationError):
                check({key: value for key, value in event.items() if key != name})
    said = {(event["event"], event.get("status")) for event in events}
    assert said == {
        *(("start", None), ("summary", None)),
        *(("photo", status) for status in ("written", "up-to-date", "failed")),
        *(("plan", status) for status in ("write", "up-to-date", "exists", "unreadable")),
    }


def test_the_words_are_those_of_the_code() -> None:
    definitions = DOCUMENTED["$defs"]
    failures: list[type[PhotoError]] = [PhotoError, *PhotoError.__subclasses__()]
    kinds = {failure.kind for failure in failures}
    assert set(definitions["failed"]["properties"]["error"]["enum"]) == kinds
    assert definitions["start"]["properties"]["schema"]["const"] == SCHEMA


def test_stdin_to_stdout_file(tmp_path: Path, retouch: Retouch) -> None:
    data = encode(Image(photo(40, 56), "png"), EncodeOptions("png"))
    ran = retouch("-", "-o", tmp_path / "a.png", "--json", stdin=data)
    for event in ran.events:
        check(event)
    assert ran.events[1]["input"] == "-"


def test_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    make_preset(tmp_path / "lptn/presets", native_scale=None)
    listed = parse(run("presets", "--json"))
    assert len(listed) >= 8
    check(listed, "presets")
    check(parse(run("presets", "dusk", "--json")), "preset")


def test_doctor() -> None:
    check(parse(run("doctor", "--json")), "doctor")


@pytest.mark.parametrize("native_scale", [64, None])
def test_bench(native_scale: int | None, tmp_path: Path) -> None:
    preset = make_preset(tmp_path, native_scale=native_scale)
    picture = save(tmp_path / "a.jpg", photo(120, 160))
    figures = parse(run("bench", "-p", preset.path, "--photo", picture, "-d", "cpu", "--json"))
    check(figures, "bench")
    assert set(figures["stages"]) <= set(DOCUMENTED["$defs"]["bench"]["properties"]["stages"]["description"]
                                         .replace(",", "").replace(";", "").split())  # fmt: skip


def test_evaluate(preset: Preset, tmp_path: Path) -> None:
    for side in ("input", "target"):
        save(tmp_path / side / "a.png", photo(90, 120))
    words = ("evaluate", "-p", preset.path, "-d", "cpu", "--json")
    check(parse(run(*words, "--pairs", tmp_path, "--photos", tmp_path / "input")), "evaluate")


def test_train() -> None:
    check(json.loads(Step(3, 1.5, 0.25, None).as_json()), "train")
    check(json.loads(Step(3, 1.5, 0.25, {"psnr": 25.0}).as_json()), "train")
