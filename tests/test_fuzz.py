"""A small seeded run of the fuzzer; `python -m tests.fuzz --count 100000` is the long one."""

from __future__ import annotations

from typing import Any

import pytest

from lptn_cli import codecs
from tests import damage, fuzz


def test_damaged_photos_of_every_format_end_in_a_picture_or_in_a_photo_error() -> None:
    counts, finds = fuzz.run(900, seed=20, jobs=1)
    assert finds == []
    assert sum(counts.values()) == 900
    for format in codecs.WRITTEN_AS:  # or else the fuzzer damages too much or too little
        assert counts[format, "written"] > 1 and counts[format, "decode"] > 1, format


def test_what_is_no_photo_error_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    _, data = damage.case(20, 1)

    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("of a library")

    monkeypatch.setattr(codecs, "decode", fails)
    assert fuzz.outcome(data, 1) == "BUG ZeroDivisionError: of a library"


def test_a_case_is_made_of_its_seed_and_number_alone() -> None:
    assert damage.case(3, 17) == damage.case(3, 17) != damage.case(4, 17)
