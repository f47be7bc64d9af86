"""Vectors from every kind of file, joined to pictures by order and by path; and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmosaic.images.arrays as arrays
from kmosaic.errors import DataError, OutputError
from kmosaic.images import ReadOptions
from kmosaic.vectors import VectorOptions, load_vectors, save_vectors

NAMES = ["a/1.png", "a/2.png", "a/10.png", "b/1.png"]  # in the order of listing
VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)
WHOLE = ReadOptions(test_fraction=0.0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four pictures, each of one grey, and their vectors, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(NAMES):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40 + 20 * number, 40), 60 * number).save(path)
    np.save("v.npy", VECTORS)
    return tmp_path


def table(columns: dict[str, object], path: str, **options: object) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    writer = parquet.write_table if path.endswith(".parquet") else feather.write_feather
    writer(pa.table(columns), path, **options)


def lists(rows: np.ndarray) -> list[list[float]]:
    return [row.tolist() for row in rows]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", ">f4", "int64"])
def test_an_npy_file_is_mapped_where_engines_read_its_dtype(dtype):
    np.save("v.npy", VECTORS.astype(dtype))
    vectors = load_vectors("v.npy").train.vectors

    np.testing.assert_array_equal(vectors, VECTORS)
    assert isinstance(vectors, np.memmap) == (dtype not in (">f4", "int64"))


def test_what_savez_wrote_is_mapped_and_what_it_packed_is_read(folder):
    np.savez("stored", vectors=VECTORS, paths=NAMES)
    np.savez_compressed("packed", vectors=VECTORS, paths=NAMES)
    for name in ("stored", "packed"):
        vectors = load_vectors(f"{name}.npz").train.vectors
        np.testing.assert_array_equal(vectors, VECTORS)
        assert isinstance(vectors, np.memmap) == (name == "stored")
    archive = (folder / "stored.npz").read_bytes()
    (folder / "cut.npz").write_bytes(archive[:60] + archive[80:])
    refused("cut.npz", "cut.npz")


def test_labels_of_an_archive_count_where_the_pictures_have_none():
    np.savez("named.npz", vectors=VECTORS, labels=["x", "y", "y", "x"])
    bare = ReadOptions(test_fraction=0.0, labels_from="none")
    given = load_vectors("named.npz", "photos", reading=bare).train
    assert given.label_names == ("x", "y")
    assert given.labels is not None
    assert given.labels.tolist() == [0, 1, 1, 0]
    with pytest.warns(UserWarning, match="--labels-from none"):
        assert load_vectors("named.npz", "photos", reading=WHOLE).train.label_names == ("a", "b")


@pytest.mark.parametrize(
    ("vectors", "more"),
    [
        (np.zeros((200, 200, 200), np.int8), {}),
        (np.zeros(4_000_000, "U1"), {}),
        (VECTORS, {"paths": np.zeros(4, "U1000000")}),
        (VECTORS, {"paths": np.zeros(4_000_000, "U1")}),
        (VECTORS, {"labels": np.zeros((4, 1_000_000))}),
    ],
)
def test_what_an_archive_packs_is_refused_by_its_header(vectors, more, monkeypatch):
    """Megabytes of zeros take kilobytes: none of them may be unpacked."""
    np.savez_compressed("bomb.npz", vectors=vectors, **more)
    filled = []
    fill = arrays.fill
    monkeypatch.setattr(arrays, "fill", lambda stream, out: filled.append(out.nbytes) or fill(stream, out))
    refused("bomb.npz", "bomb.npz")
    assert sum(filled) <= VECTORS.nbytes


def test_pictures_in_the_order_of_listing():
    given = load_vectors("v.npy", "photos", reading=WHOLE).train

    assert given.ids == tuple(NAMES)
    assert given.label_names == ("a", "b")
    assert given.labels is not None
    assert given.labels.tolist() == [0, 0, 0, 1]
    assert given.images is not None
    # Pictures of unlike proportions are squares with margins; the middle has each one's own grey.
    middles = given.images.take([3, 1]).pixels[:].reshape(2, 64, 64)[:, 32, 32]
    assert np.abs(middles.astype(int) - [180, 60]).max() <= 1


def written_as(kind: str) -> VectorOptions:
    """Write vectors in another order than the pictures', with their paths; and say how to read them."""
    order = [3, 1, 0, 2]
    paths = [NAMES[at] for at in order]
    rows = VECTORS[order]
    by_column = VectorOptions(path_column="file")
    if kind == "paths":
        Path("paths.txt").write_text("\n".join(f"photos/{name}" for name in paths) + "\n")
        np.save("in", rows)
        return VectorOptions(paths=Path("paths.txt"))
    if kind == "csv":
        lines = [f'x,"{Path("photos", name).absolute()}"' for name in paths]
        Path("paths.csv").write_text("\n".join(["n,file", *lines]))
        np.save("in", rows)
        return VectorOptions(paths=Path("paths.csv"), path_column="file")
    if kind == "npz":
        np.savez("in", embeddings=rows, paths=np.array(paths))
        return VectorOptions()
    columns: dict[str, object] = {"file": paths}
    if kind == "wide":
        columns |= {f"x{at}": rows[:, at] for at in range(3)}
    else:
        columns["vector"] = lists(rows)
    table(columns, "in.feather" if kind == "feather" else "in.parquet")
    return by_column


@pytest.mark.parametrize("kind", ["paths", "csv", "npz", "parquet", "wide", "feather"])
def test_pictures_by_their_paths(folder, kind):
    Path(folder, "photos", "b", "unused.png").write_bytes(b"")
    options = written_as(kind)
    (source,) = folder.glob("in.*")
    given = load_vectors(source, "photos", options, WHOLE).train

    assert [NAMES.index(name) for name in given.ids] == [3, 1, 0, 2]
    np.testing.assert_array_equal(given.vectors, VECTORS[[3, 1, 0, 2]])
    assert "1 other file left out" in given.source
    alone = load_vectors(source, None, options, WHOLE).train
    assert [Path(name).name for name in alone.ids] == [Path(name).name for name in given.ids]


def test_shards_are_left_in_their_files(folder):
    (folder / "shards").mkdir()
    for number in range(2):
        np.save(f"shards/{number}", VECTORS[2 * number : 2 * number + 2].astype(np.float16))
    vectors = load_vectors("shards", "photos", reading=WHOLE).train.vectors

    assert not isinstance(vectors, np.ndarray)
    np.testing.assert_array_equal(vectors[:], VECTORS)


def test_labels_beside_vectors_hold_out_a_test_set():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    np.savez("v.npz", X=rows, y=np.repeat(["cat", "dog"], 10))
    dataset = load_vectors("v.npz")

    assert dataset.test is not None
    assert (len(dataset.train), len(dataset.test)) == (16, 4)
    np.testing.assert_array_equal(dataset.test.vectors, rows[[int(row) for row in dataset.test.ids]])


@pytest.mark.parametrize("suffix", ["npy", "npz", "parquet"])
def test_what_is_saved_is_read_back(suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    save_vectors(Path(f"s.{suffix}"), VECTORS.astype(np.float16), NAMES)
    options = VectorOptions(path_column="file" if suffix == "parquet" else None)
    given = load_vectors(f"s.{suffix}", "photos", options, WHOLE).train

    assert given.ids == tuple(NAMES)
    assert given.vectors.dtype == np.float16
    np.testing.assert_array_equal(given.vectors, VECTORS)
    with pytest.raises(OutputError, match="npz"):
        save_vectors(Path("s.txt"), VECTORS, NAMES)


def refused(source: str, *words: str, pictures: str | None = "photos", **options: object) -> None:
    """Reading is one error, of one line, that has all of these words."""
    with pytest.raises(DataError) as caught:
        load_vectors(source, pictures, VectorOptions(**options))  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, (word, message)


def test_vectors_that_cannot_be_used(folder):
    np.save("few.npy", VECTORS[:3])
    refused("few.npy", "3 vectors", "4 images", "--paths")
    holed = VECTORS.copy()
    holed[2, 1] = np.nan
    np.save("holed.npy", holed)
    refused("holed.npy", "row 2", "a/10.png", "column 1", "NaN")
    refused("holed.npy", "row 2", "NaN", pictures=None)
    (folder / "cut.npy").write_bytes((folder / "v.npy").read_bytes()[:-3])
    refused("cut.npy", "cut.npy", "truncated")
    np.save("line.npy", np.arange(4.0))
    refused("line.npy", "(4,)")
    np.save("objects.npy", np.array([{}], object), allow_pickle=True)
    refused("objects.npy", "objects.npy")
    refused("none.npy", "none.npy")
    refused("photos/a/1.png", "no file of vectors")
    np.savez("names.npz", names=np.array(NAMES), files=np.array(NAMES))
    refused("names.npz", "no vectors", "names")
    (folder / "shards").mkdir()
    np.save("shards/0.npy", VECTORS)
    (folder / "shards" / "1.npy").write_bytes(b"\x93NUMPY\x01\x00")
    refused("shards", "shards/1.npy")


def test_paths_that_cannot_be_used(folder):
    outside = folder / "outside.png"
    Image.new("L", (4, 4)).save(outside)
    for name, words in {
        "a/9.png": ["1 of the 4 paths", "a/9.png"],
        "": ["3 paths", "4 vectors"],
        "a/1.png": ["rows 0 and 1", "a/1.png"],
        "../outside.png": ["row 1", "../outside.png", "--allow-outside"],
        str(outside): ["row 1", "outside.png", "--allow-outside"],
        "a/../../outside.png": ["row 1", "--allow-outside"],
    }.items():
        Path("p.txt").write_text("\n".join([NAMES[0], name, *NAMES[2:]]))
        refused("v.npy", *words, paths=Path("p.txt"))
    allowed = VectorOptions(paths=Path("p.txt"), allow_outside=True)
    given = load_vectors("v.npy", "photos", allowed, WHOLE).train
    assert given.ids[1] == "photos/a/../../outside.png" or given.ids[1].endswith("outside.png")
    assert given.labels is None  # one of them is in no sub-folder
    refused("v.npy", "no columns", path_column="file")
    refused("v.npy", "none.txt", paths=Path("none.txt"))
    refused("v.npy", "'file'", paths=Path("p.txt"), path_column="file")
    refused("v.npy", "no folder", pictures="photos/a/1.png", paths=Path("p.txt"))


def test_tables_that_cannot_be_used(folder):
    table({"file": NAMES, "v": lists(VECTORS), "w": lists(VECTORS)}, "two.parquet")
    refused("two.parquet", "v, w", "--vector-column")
    assert load_vectors("two.parquet", "photos", VectorOptions(vector_column="w")).train.vectors.shape[1] == 3
    refused("two.parquet", "'name'", "file", path_column="name")
    table({"file": NAMES}, "none.parquet")
    refused("none.parquet", "no column of vectors")
    table({"n": [1, 2, 3, 4], "v": lists(VECTORS)}, "numbers.parquet")
    refused("numbers.parquet", "'n'", "texts", path_column="n")
    table({"v": [*lists(VECTORS[:3]), [1.0]]}, "ragged.feather")
    refused("ragged.feather", "lengths")
    table({"v": [*lists(VECTORS[:3]), None]}, "null.parquet")
    refused("null.parquet", "row 3")
    for name in ("two.parquet", "ragged.feather"):
        (folder / name).write_bytes((folder / name).read_bytes()[:-20])
        refused(name, name, "damaged")
    table({"file": NAMES, "v": lists(VECTORS)}, "text.parquet")
    refused("text.parquet", "'file'", "lists of numbers", vector_column="file")


def test_arrow_files_of_false_lengths_end_in_an_error_not_the_process(folder):
    table({"v": lists(VECTORS)}, "v.feather")
    whole = (folder / "v.feather").read_bytes()
    n_refused = 0
    for at in range(7, len(whole), 8):  # the last byte of numbers, which makes them negative
        (folder / "v.feather").write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
        try:
            load_vectors("v.feather")
        except DataError:
            n_refused += 1
    assert n_refused > 5
