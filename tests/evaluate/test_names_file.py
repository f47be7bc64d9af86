"""Names given by hand: read back as given, and anything else refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kmosaic.errors import DataError
from kmosaic.evaluate import read_names
from kmosaic.evaluate.names_file import MAX_BYTES


def good(**changes: object) -> dict[str, object]:
    return {"kmosaic_names": 1, "n_clusters": 3, "names": ["cat", None, "<b>'\"😀"], **changes}


def test_names_come_back_as_given(tmp_path: Path):
    path = tmp_path / "names.json"
    path.write_text(json.dumps(good()), encoding="utf-8")
    assert read_names(path, 3) == ("cat", "", "<b>'\"😀")


def test_anything_else_is_refused_in_one_line(tmp_path: Path):
    for content, message in [
        (b"", "not JSON"),
        (b"\xff", "UTF-8"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "names"),
        (json.dumps(good(kmosaic_names=2)).encode(), "names"),
        (json.dumps(good(names="cat")).encode(), "name.*cluster"),
        (json.dumps(good(n_clusters=4)).encode(), "name.*cluster"),
        (
            json.dumps(good(names=["a", "b"], n_clusters=2)).encode(),
            "2 clusters.*3",
        ),
        (json.dumps(good(names=["a", 1, "b"])).encode(), "cluster 1"),
        (json.dumps(good(names=["a", "x" * 201, "b"])).encode(), "200 characters"),
        (b" " * (MAX_BYTES + 1), "large.*names"),
    ]:
        path = tmp_path / "names.json"
        path.write_bytes(content)
        with pytest.raises(DataError, match=message) as refused:
            read_names(path, 3)
        assert "\n" not in str(refused.value)
        assert "export" in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="none.json"):
        read_names(tmp_path / "none.json", 3)


def test_what_cannot_be_printed_is_not_given_on(tmp_path: Path):
    path = tmp_path / "names.json"
    path.write_text(json.dumps(good(names=["a\x1b[31m", "b\n", "c\ud800"])), encoding="utf-8")
    assert read_names(path, 3) == ("a\ufffd[31m", "b\ufffd", "c\ufffd")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="plain.*file"):
        read_names(tmp_path / "pipe", 3)
