"""Cores that a container may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from lptn_cli.cores import cores


@pytest.mark.parametrize(
    ("said", "expected"),
    [("150000 100000", 2), ("50000 100000", 1), ("900000 100000", 8), ("max 100000", 8), ("", 8), (None, 8)],
)
def test_a_quota_that_is_less_than_the_cores_counts(
    said: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    quota = tmp_path / "cpu.max"
    if said is not None:
        quota.write_text(said + "\n")
    assert cores(quota) == expected
