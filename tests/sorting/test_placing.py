"""Files are placed without overwriting any, and undone without losing any, whatever goes wrong between."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kmosaic.errors import DataError, OutputError
from kmosaic.sorting import MANIFEST_NAME, Placement, place_files, undo

Tree = dict[str, bytes]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Files of one name in two folders, and one whose name is no UTF-8."""
    for name in ("photos/a/1.jpg", "photos/b/1.jpg", "photos/b/\udcff 2.jpg", "photos/c.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
        os.utime(path, (1e9, 1e9))
    return tmp_path / "photos"


def tree(folder: Path) -> Tree:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def all_into(photos: Path, subfolder: str = "cats") -> list[Placement]:
    files = sorted(path for path in photos.rglob("*") if path.is_file())
    return [Placement(path, f"{subfolder}/{path.name}") for path in files]


def no_hard_links(*_: Any, **__: Any) -> None:
    raise OSError(errno.EXDEV, "another file system")


@pytest.mark.parametrize("linkable", [True, False])
@pytest.mark.parametrize("way", ["hard", "symbolic", "copy", "move"])
def test_every_way_there_and_back(
    photos: Path, way: Any, linkable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(photos)
    folder = photos.parent / "sorted"
    (folder / "cats").mkdir(parents=True)
    (folder / "cats/c.jpg").write_bytes(b"was here before")
    if not linkable:
        monkeypatch.setattr(os, "link", no_hard_links)

    placed = place_files(all_into(photos), folder, way)

    assert placed.targets == ("cats/1.jpg", "cats/1-2.jpg", "cats/\udcff 2.jpg", "cats/c-2.jpg")
    assert placed.ways == {("copy" if way == "hard" and not linkable else way): 4}
    assert sorted(tree(folder / "cats").values()) == sorted([*before.values(), b"was here before"])
    assert tree(photos) == ({} if way == "move" else before)
    first = folder / "cats/1.jpg"
    assert first.is_symlink() == (way == "symbolic")
    assert first.stat().st_mtime == 1e9
    if way == "hard" and linkable:
        assert first.samefile(photos / "a/1.jpg")
    assert not list(folder.rglob(".kmosaic-*"))

    undone = undo(placed.manifest, photos)

    assert (undone.n_removed + undone.n_moved_back, undone.kept) == (4, ())
    assert tree(photos) == before
    assert tree(folder) == {"cats/c.jpg": b"was here before"}


@pytest.mark.parametrize("way", ["hard", "symbolic", "copy", "move"])
def test_what_is_no_longer_what_was_made_is_kept(photos: Path, way: Any) -> None:
    folder = photos.parent / "sorted"
    placed = place_files(all_into(photos), folder, way)
    changed, orphan, gone = (folder / "cats" / name for name in ("1.jpg", "1-2.jpg", "c.jpg"))
    changed.unlink()
    changed.write_bytes(b"another")
    gone.unlink()
    if way == "move":
        changed.unlink()
        changed.symlink_to(photos)
        (photos / "b/1.jpg").write_bytes(b"another")  # its place is taken
    else:
        (photos / "b/1.jpg").unlink()  # the original is gone
    undone = undo(placed.manifest, photos)
    # A link whose file is gone is worth nothing; the last of a file is.
    kept = {"cats/1.jpg"} if way == "symbolic" else {"cats/1.jpg", "cats/1-2.jpg"}
    assert {name for name, _ in undone.kept} == kept
    assert undone.n_gone == 1
    assert placed.manifest.exists()
    assert orphan.exists() == (way != "symbolic")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize(("way", "call"), [("hard", "link"), ("symbolic", "symlink"), ("copy", "link")])
def test_a_full_disk_or_an_interruption_in_the_middle(
    photos: Path, way: Any, call: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, folder = tree(photos), photos.parent / "sorted"
    real: Callable[..., None] = getattr(os, call)
    calls = iter(range(99))

    def failing(*args: Any, **options: Any) -> None:
        if next(calls) == 2:
            raise error
        real(*args, **options)

    monkeypatch.setattr(os, call, failing)
    with pytest.raises((OutputError, KeyboardInterrupt)) as raised:
        place_files(all_into(photos), folder, way)
    manifest = folder / MANIFEST_NAME
    assert isinstance(raised.value, KeyboardInterrupt) or f"undo {manifest}" in str(raised.value)
    assert set(tree(folder)) == {MANIFEST_NAME, "cats/1.jpg", "cats/1-2.jpg"}
    with manifest.open("ab") as stream:  # killed in the middle of a line
        stream.write(b'{"made": "har')
    assert undo(manifest).n_removed == 2
    assert tree(photos) == before
    assert not folder.exists()


def test_a_disk_that_is_full_for_the_manifest_itself(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth line, of the third file, has room for a half: neither the line nor the file is made."""
    folder, lines = photos.parent / "sorted", iter(range(99))
    real = io.FileIO.write

    class Filling(io.FileIO):
        def write(self, data: Any) -> int:
            if next(lines) == 4:
                real(self, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(self, data)

    def created(into: Path) -> Any:
        return into / MANIFEST_NAME, Filling(into / MANIFEST_NAME, "x")

    monkeypatch.setattr("kmosaic.sorting.manifest._created", created)
    with pytest.raises(OutputError, match="No space left.*2 of 4 files"):
        place_files(all_into(photos), folder, "hard")
    written = (folder / MANIFEST_NAME).read_text().splitlines()
    assert [json.loads(line).get("made") for line in written] == [None, "folder", "hard", "hard"]
    assert undo(folder / MANIFEST_NAME).n_removed == 2


@pytest.mark.skipif(sys.platform == "win32", reason="sets a limit of Unix")
def test_a_line_of_the_manifest_that_has_room_in_part(photos: Path) -> None:
    """The system writes what there is room for, and reports no error."""
    import resource

    before, folder = tree(photos), photos.parent / "sorted"
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room, n_made in ((20, 0), (400, 1)):  # within the first line, and a later one
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, kept[1]))
        try:
            with pytest.raises(OutputError, match="No space left"):
                place_files(all_into(photos), folder, "hard")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        assert (len(tree(folder)) > 1) == bool(n_made)
    undo(folder / MANIFEST_NAME)
    assert tree(photos) == before
    assert not folder.exists()


@pytest.mark.parametrize("linkable", [True, False])
def test_a_file_that_must_stay_is_not_moved_in_part(
    photos: Path, linkable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, folder, real = tree(photos), photos.parent / "moved", os.unlink

    def unlink(path: Any, **options: Any) -> None:
        if str(path).startswith(str(photos)):
            raise OSError(errno.EACCES, "Permission denied")
        real(path, **options)

    monkeypatch.setattr(os, "unlink", unlink)
    if not linkable:
        monkeypatch.setattr(os, "link", no_hard_links)
    assert place_files(all_into(photos), folder, "move").targets == (None,) * 4
    assert (tree(photos), set(tree(folder))) == (before, {MANIFEST_NAME})


def test_files_that_cannot_be_placed_are_named_and_the_others_placed(photos: Path) -> None:
    (photos / "loop.jpg").symlink_to("loop.jpg")
    (photos / "link.jpg").symlink_to("c.jpg")
    os.mkfifo(photos / "pipe.jpg")
    bad = [photos / name for name in ("loop.jpg", "pipe.jpg", "missing.jpg")]
    placements = [Placement(path, path.name) for path in [*bad, photos / "link.jpg", photos / "c.jpg"]]
    placed = place_files(placements, photos.parent / "sorted", "hard")
    assert [path for path, _ in placed.failed] == bad
    assert placed.targets == (None, None, None, "link.jpg", "c.jpg")
    moved = place_files(placements[3:], photos.parent / "moved", "move")
    assert moved.ways == {"move": 1}
    assert moved.failed[0][0] == photos / "link.jpg"


def test_hostile_manifests_are_refused_and_nothing_is_undone(photos: Path, tmp_path: Path) -> None:
    outside = photos / "c.jpg"
    folder = tmp_path / "sorted"
    (folder / "cats").mkdir(parents=True)
    (folder / "elsewhere").symlink_to(photos)
    manifest = folder / MANIFEST_NAME
    os.link(outside, folder / "c.jpg")
    good = {"made": "hard", "target": "c.jpg", "source": str(outside), "inode": outside.stat().st_ino}
    head = {"format": "kmosaic manifest", "version": 1}
    bad: list[Any] = [
        good | {"target": "../photos/c.jpg"},
        good | {"target": str(outside)},
        good | {"target": "elsewhere/c.jpg"},
        good | {"target": "cats/../../photos/c.jpg"},
        good | {"target": "c.jpg\0"},
        good | {"source": "c.jpg"},
        good | {"inode": True},
        good | {"made": "remove"},
        good | {"more": 1},
        {"made": "folder", "target": "elsewhere/a"},
        {"made": "move", "target": "c.jpg", "source": str(tmp_path / "x.jpg")},
        {"made": "move", "target": "c.jpg", "source": str(photos / ".." / "x.jpg")},
        good | {"target": "\ud800"},
        good | {"source": "/\ud800"},
        [1],
    ]
    texts = [f"{json.dumps(head)}\n{json.dumps(good)}\n{json.dumps(line)}\n" for line in bad]
    texts += ["", "[]\n", '{"format": "kmosaic manifest", "version": 2}\n', "[" * 100_000 + "\n"]
    for text in texts:
        manifest.write_text(text)
        with pytest.raises(DataError):
            undo(manifest, photos)
    assert (folder / "c.jpg").samefile(outside)
    n_bytes, digest = outside.stat().st_size, hashlib.sha256(outside.read_bytes()).hexdigest()
    copy = {"made": "copy", "target": "c.jpg", "source": f"{folder}/c.jpg", "size": n_bytes, "sha256": digest}
    manifest.write_text(f"{json.dumps(head)}\n{json.dumps(copy)}\n")
    assert undo(manifest).n_removed == 0  # a copy of itself
    manifest.write_text(f"{json.dumps(head)}\n{json.dumps(good)}\n")
    assert undo(manifest).n_removed == 1


def test_moves_are_undone_into_the_folder_that_is_named(photos: Path, tmp_path: Path) -> None:
    before = tree(photos)
    placed = place_files(all_into(photos), tmp_path / "moved", "move")
    with pytest.raises(DataError, match="origin"):
        undo(placed.manifest)
    with pytest.raises(DataError, match="is not in"):
        undo(placed.manifest, tmp_path / "moved")
    assert undo(placed.manifest, photos).n_moved_back == 4
    assert tree(photos) == before


def test_a_move_by_copy_that_was_killed_before_its_original_went(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(photos)
    monkeypatch.setattr(os, "link", no_hard_links)
    placed = place_files(all_into(photos), tmp_path / "moved", "move")
    for name, content in before.items():
        (photos / name).write_bytes(content)
    (photos / "c.jpg").write_bytes(b"another")
    assert undo(placed.manifest, photos).n_moved_back == 3
    assert tree(photos) == before | {"c.jpg": b"another"}
    assert (tmp_path / "moved/cats/c.jpg").read_bytes() == before["c.jpg"]


def test_targets_must_stay_in_the_folder(photos: Path, tmp_path: Path) -> None:
    for target in ("../a.jpg", "/a.jpg", "a//b.jpg", "."):
        with pytest.raises(ValueError, match="leads out"):
            place_files([Placement(photos / "c.jpg", target)], tmp_path / "sorted", "copy")
    (tmp_path / "sorted").mkdir()
    (tmp_path / "sorted/cats").symlink_to(photos)
    with pytest.raises(OutputError, match="leads out"):
        place_files([Placement(photos / "c.jpg", "cats/x.jpg")], tmp_path / "sorted", "copy")
    assert not (photos / "x.jpg").exists()
