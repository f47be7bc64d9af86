"""Outputs appear whole or not at all, and only where a plain file may stand."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from kmosaic.errors import OutputError
from kmosaic.files import atomic_write, check_output, read_at_most


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OutputError, match="exists"), atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "old"
    with atomic_write(path, overwrite=True) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("overwrite", [False, True])
def test_devices_folders_and_links_are_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    target = tmp_path / "target.txt"
    target.write_text("kept")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, word in [("link", "link"), ("dangling", "link"), ("folder", "folder"), ("pipe", "plain file")]:
        with pytest.raises(OutputError, match=word):
            check_output(tmp_path / name, overwrite=overwrite)
    with pytest.raises(OutputError, match="plain file"):
        check_output("/dev/null", overwrite=overwrite)
    assert target.read_text() == "kept"


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not a folder"):
        check_output(tmp_path / "missing" / "a.txt")
    with pytest.raises(OutputError, match="not writable|not a folder"):
        check_output("/proc/a.txt")


def test_names_too_long_are_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written|too long"):
        check_output(tmp_path / ("a" * 400))


def test_a_short_file_takes_little_memory_whatever_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(b"few")
    tracemalloc.start()
    assert read_at_most(path, 1 << 28) == b"few"
    assert read_at_most(path, 1) == b"fe"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
