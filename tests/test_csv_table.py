"""CSV tables that spreadsheets may open."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from kmosaic.csv_table import guarded, unguarded, write_rows


def written(*rows: tuple[object, ...]) -> str:
    stream = io.StringIO(newline="")
    write_rows(stream, ("a", "b"), rows)
    return stream.getvalue()


def test_what_would_be_run_is_guarded() -> None:
    for first in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20":
        assert guarded(f"{first}cmd()") == f"'{first}cmd()"


def test_numbers_and_other_texts_stay() -> None:
    for text in ["", "water", "a=b", "'t Veld", "-1", "+2.5", "-.5e-3", "-1E5", "12-3"]:
        assert guarded(text) == text


@given(st.text(alphabet="'=+-@\t1e.a\uff1d"))
def test_texts_come_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@given(st.lists(st.text(alphabet="=,;\t\"'\r\nab")), st.floats(allow_nan=False))
def test_tables_are_read_back(texts: list[str], number: float) -> None:
    rows = list(csv.reader(io.StringIO(written(*((text, number) for text in texts)), newline="")))
    assert [(unguarded(text), float(cell)) for text, cell in rows[1:]] == [(text, number) for text in texts]


def test_no_separator_stands_outside_quotes() -> None:
    assert written((None, -1.5), ("x;=cmd()", "x\t=cmd()")) == 'a,b\n,-1.5\n"x;=cmd()","x\t=cmd()"\n'
