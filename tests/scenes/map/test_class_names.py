"""Names given by hand in a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kmosaic.errors import DataError
from kmosaic.scenes.map.class_names import read_class_names

VALUES = (1, 2, 3)


def test_names_are_read(tmp_path: Path) -> None:
    for text, names in [
        ("class,name\n1,water\n3,forest\n", ("water", "", "forest")),
        ("\ufeffclass,name\r\n2, roads \r\n\r\n", ("", "roads", "")),
        ('name,pixels,Class\n"Moor, wet",5,1\n', ("Moor, wet", "", "")),
        ("class,name\n", ("", "", "")),
        ("class,name\n1,a\x1b[0m\n", ("a\ufffd[0m", "", "")),
        (json.dumps({"kmosaic_names": 1, "n_clusters": 3, "names": ["a", None, "c"]}), ("a", "", "c")),
    ]:
        (tmp_path / "names.csv").write_text(text, encoding="utf-8", newline="")
        assert read_class_names(tmp_path / "names.csv", VALUES) == names


def test_what_is_no_table_of_names_is_refused(tmp_path: Path) -> None:
    for data, words in [
        (b"", "columns class"),
        (b"1,water\n", "columns class"),
        (b"class,name\n4,water\n", "line 2.*class 4.*1.*3"),
        (b"class,name\n1,a\n1,b\n", "line 3.*class 1"),
        (b"class,name\none,a\n", "line 2"),
        (b"class,name\n1\n", "line 2: has 1 cells"),
        (b"class,name\n1," + b"x" * 201 + b"\n", "at most 200 characters"),
        (b"class,name\n1,\xff\n", "UTF-8"),
        (b'class,name\n1,"' + b"x" * 200_000 + b'"\n', "not CSV"),
        (b"{", "not JSON"),
    ]:
        (tmp_path / "names.csv").write_bytes(data)
        with pytest.raises(DataError, match=words) as caught:
            read_class_names(tmp_path / "names.csv", VALUES)
        assert "names.csv" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone.csv"):
        read_class_names(tmp_path / "gone.csv", VALUES)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_bytes(b"class,name\n" * 500_000)
    with pytest.raises(DataError, match="too large"):
        read_class_names(tmp_path / "names.csv", VALUES)
