"""Vectors that are written as they come are kept, continued and never mixed with others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kmosaic.errors import OutputError
from kmosaic.vectors.growing import GrowingVectors

ROWS = np.random.default_rng(0).normal(size=(23, 5)).astype(np.float32)
MADE_OF = {"model": "abc", "options": {"mean": [0.5]}}


def growing(folder: Path, made_of: Any = MADE_OF, dtype: str = "float32") -> GrowingVectors:
    return GrowingVectors(folder / "v.npy", ROWS.shape, dtype, made_of, step=4)


def write(folder: Path, until: int | None = None, error: BaseException | None = None, **options: Any) -> int:
    """Write rows in blocks of four, from where the last run left off; return where that was."""
    with growing(folder, **options) as vectors:
        begun = vectors.n_done
        for first in range(begun, len(ROWS), 4):
            if error is not None and first == until:
                raise error
            vectors.append(ROWS[first : first + 4])
    return begun


def test_what_was_interrupted_goes_on_and_ends_as_one_run(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match=r"8 of 23 vectors.*same command"):
        write(tmp_path, 8, KeyboardInterrupt())
    with pytest.raises(OutputError, match=r"No space left.*16 of 23"):
        write(tmp_path, 16, OSError(28, "No space left on device"))
    with (tmp_path / "v.npy.part").open("ab") as stream:
        stream.write(b"killed before the note")
    assert write(tmp_path) == 16
    vectors = growing(tmp_path)
    assert vectors.give_name(overwrite=False).tobytes() == ROWS.tobytes()
    assert np.array_equal(np.load(tmp_path / "v.npy"), ROWS)
    assert [path.name for path in tmp_path.iterdir()] == ["v.npy"]


def test_nothing_is_left_behind_where_nothing_was_done(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 0, KeyboardInterrupt())
    assert not list(tmp_path.iterdir())


def test_a_link_in_their_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"mine")
    (tmp_path / "v.npy.part").symlink_to("mine.txt")
    with pytest.raises(OutputError, match="is a link"):
        write(tmp_path)
    assert (tmp_path / "mine.txt").read_bytes() == b"mine"


def test_rows_of_something_else_are_not_continued(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 8, KeyboardInterrupt())
    other = MADE_OF | {"model": "abd"}
    with pytest.raises(OutputError, match=r"other model;.*--force"):
        growing(tmp_path, other).check_same()
    growing(tmp_path).check_same()
    assert write(tmp_path, made_of=other) == 0


@pytest.mark.parametrize(
    ("damage", "n_kept"),
    [
        (lambda part, _: part.write_bytes(part.read_bytes()[:-1]), 4),  # a row is not whole: its block goes
        (lambda part, _: part.write_bytes(b"x" + part.read_bytes()[1:]), 0),
        (lambda part, _: part.unlink(), 0),
        (lambda _, note: note.write_text("["), 0),
        (lambda _, note: note.write_text("[" * 100_000), 0),
        (lambda _, note: note.write_text(json.dumps(json.loads(note.read_text()) | {"rows_done": 99})), 8),
        (lambda _, note: note.write_text(json.dumps(json.loads(note.read_text()) | {"rows_done": -1})), 0),
        (lambda _, note: note.write_text(json.dumps(json.loads(note.read_text()) | {"rows_done": 7})), 4),
        (lambda _, note: note.unlink(), 0),
    ],
)
def test_damaged_rows_and_notes(tmp_path: Path, damage: Any, n_kept: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 8, KeyboardInterrupt())
    damage(tmp_path / "v.npy.part", tmp_path / "v.npy.part.json")
    assert write(tmp_path) == n_kept
    assert np.array_equal(growing(tmp_path).finished(), ROWS)


def test_float16_holds_what_it_can(tmp_path: Path) -> None:
    write(tmp_path, dtype="float16")
    assert np.array_equal(growing(tmp_path, dtype="float16").finished(), ROWS.astype(np.float16))
    with (
        pytest.raises(OutputError, match="70000.*float32"),
        growing(tmp_path, {}, "float16") as vectors,
    ):
        vectors.append(np.full((4, 5), 7e4, np.float32))
