"""Damaged files for everything that reads one: only kmosaic's own errors may come of it, in bounded memory.

A process of its own, with a limit on its memory, goes through the seeds and prints each before it begins.
"""

from __future__ import annotations

import importlib.util
import io
import json
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kmosaic.errors import KmosaicError

LIMIT_BYTES = 1 << 30
HANG_SECONDS = 60
Edit = Callable[[bytearray], None]


@dataclass(frozen=True)
class Kind:
    """Whole files of one kind, by name, and what reads one."""

    files: dict[str, bytes]
    read: Callable[[Path], Any]


def _images(path: Path) -> Any:
    from kmosaic.images.datasets import load_images
    from kmosaic.models.image_model import ImageFormat

    return load_images(path, ImageFormat(4, 4, 1, "uint8", 255.0, "stretch"))


def _arrays() -> Kind:
    rows = np.arange(96, dtype=np.uint8).reshape(6, 4, 4)
    npy, packed, plain = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, rows)
    np.savez_compressed(packed, x_train=rows, y_train=np.arange(6))
    np.savez(plain, rows)
    idx = struct.pack(">4B3i", 0, 0, 8, 3, 6, 4, 4) + rows.tobytes()
    files = {"a.npy": npy.getvalue(), "a.npz": packed.getvalue(), "b.npz": plain.getvalue()}
    return Kind(files | {"a-idx3-ubyte": idx}, _images)


def _pictures() -> Kind:
    from PIL import Image

    files = {}
    picture = Image.fromarray(np.arange(108, dtype=np.uint8).reshape(6, 6, 3))
    for name in ("a.png", "a.jpg", "a.gif", "a.bmp", "a.tif", "a.webp"):
        stream = io.BytesIO()
        picture.save(stream, Image.registered_extensions()[Path(name).suffix])
        files[name] = stream.getvalue()
    return Kind(files, _images)


def _models() -> Kind:
    from kmosaic import KMeans, load_model, save_model
    from kmosaic.models.image_model import ImageFormat, Model

    kmeans = KMeans(2, random_state=0).fit(np.arange(48, dtype=np.uint8).reshape(3, 16))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.kmosaic"
        save_model(Model.from_fit(kmeans, ImageFormat(4, 4, 1, "uint8", 255.0, "stretch")), path)
        return Kind({path.name: path.read_bytes()}, load_model)


def _tables() -> Kind:
    from kmosaic.evaluate.names_file import read_names
    from kmosaic.explain.points_file import read_points
    from kmosaic.scenes.map.class_names import read_class_names

    def read(path: Path) -> Any:
        if path.suffix == ".json":
            return read_names(path, 2)
        return read_points(path) if path.name == "points.csv" else read_class_names(path, (1, 2))

    names = json.dumps({"kmosaic_names": 1, "n_clusters": 2, "names": ["cat", None]})
    files = {
        "names.json": names.encode(),
        "points.csv": b"x,y\n" + b"".join(b"%d,%d.5\n" % (i, i * i % 7) for i in range(9)),
        "classes.csv": b'class,name\n1,water\n2,"wood, old"\n',
    }
    return Kind(files, read)


def _scenes() -> Kind:
    import rasterio

    from kmosaic.scenes.io.raster_scene import open_scene

    def read(path: Path) -> Any:
        with open_scene(str(path)) as scene:
            return scene.read(0, min(scene.grid.height, 8))

    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, options in {
            "a.tif": {},
            "b.tif": {"compress": "deflate", "tiled": True, "blockxsize": 16, "blockysize": 16},
        }.items():
            path = Path(folder) / name
            shape = {"height": 8, "width": 20, "count": 3, "dtype": "uint8", "crs": "EPSG:32618"}
            transform = rasterio.Affine(30.0, 0.0, 5e5, 0.0, -30.0, 4e6)
            with rasterio.open(path, "w", driver="GTiff", transform=transform, **shape, **options) as dataset:
                dataset.write(np.arange(480, dtype=np.uint8).reshape(3, 8, 20))
            files[name] = path.read_bytes()
    return Kind(files, read)


def _networks() -> Kind:
    import onnx

    from kmosaic.features.onnx_model import open_model

    tensor = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("GlobalAveragePool", ["x"], ["y"])
    shapes = [tensor("x", 1, [None, 3, 8, 8])], [tensor("y", 1, [None, 3, 1, 1])]
    graph = onnx.helper.make_graph([node], "small", *shapes)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    return Kind({"a.onnx": model.SerializeToString()}, lambda path: open_model(path.read_bytes(), path.name))


def kinds() -> dict[str, Kind]:
    """Every kind whose libraries are there."""
    made = {"arrays": _arrays, "pictures": _pictures, "models": _models, "tables": _tables}
    if importlib.util.find_spec("rasterio"):
        made["scenes"] = _scenes
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"):
        made["networks"] = _networks
    return {name: make() for name, make in made.items()}


def damaged(data: bytes, random: np.random.Generator, n_edits: int) -> bytes:
    """The file with a few bytes changed, cut, doubled or put in; an archive, mostly within its members."""
    if data[:2] == b"PK" and random.random() < 0.6:
        return _damaged_archive(data, random, n_edits)
    spoilt = bytearray(data)
    for _ in range(n_edits):
        if spoilt:
            _edit(spoilt, random)
    return bytes(spoilt)


def _damaged_archive(data: bytes, random: np.random.Generator, n_edits: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, damaged(old.read(info), random, n_edits))
    return stream.getvalue()


def _edit(data: bytearray, random: np.random.Generator) -> None:
    # Most that is worth damaging stands at the beginning.
    end = len(data) if random.random() < 0.5 else min(len(data), 128)
    at = int(random.integers(0, end))
    way = random.integers(0, 7)
    if way == 0:
        data[at] = int(random.integers(256))
    elif way == 1:
        data[at] ^= 1 << int(random.integers(8))
    elif way == 2:
        del data[at:]
    elif way == 3:
        del data[at : at + int(random.integers(1, 9))]
    elif way == 4:
        data[at:at] = data[at : at + int(random.integers(1, 40))]
    elif way == 5:
        number = int(random.choice([0, 1, 127, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1]))
        data[at : at + 4] = number.to_bytes(4, "little" if random.random() < 0.5 else "big")
    else:
        words = [b"NaN", b"1e999", b"-1", b"\0", b"\xff\xfe", b"99999999999999999999", b'"', b"(", b"{" * 300]
        data[at : at + int(random.integers(0, 4))] = words[int(random.integers(len(words)))]


def case(seed: int, every: dict[str, Kind], n_edits: int | None = None) -> tuple[str, str, bytes]:
    """The kind, name and bytes of a seed's file; with ``n_edits``, only the first so many edits are made."""
    random = np.random.default_rng(seed)
    kind = str(random.choice(list(every)))
    name = str(random.choice(list(every[kind].files)))
    wanted = int(random.integers(1, 5))
    return kind, name, damaged(every[kind].files[name], random, wanted if n_edits is None else n_edits)


def _go_through(first: int, count: int, n_edits: int | None, folder: Path) -> None:
    import resource

    every = kinds()
    for made in every.values():
        for name, data in made.files.items():
            (folder / name).write_bytes(data)
            made.read(folder / name)  # whole files can be read, and what reads them is loaded
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_BYTES, used + LIMIT_BYTES))
    warnings.simplefilter("ignore")
    for seed in range(first, first + count):
        kind, name, data = case(seed, every, n_edits)
        (folder / name).write_bytes(data)
        print(seed, flush=True)
        try:
            every[kind].read(folder / name)
        except KmosaicError:
            continue


def failure(first: int, count: int, folder: Path, n_edits: int | None = None) -> tuple[int, str] | None:
    """Go through seeds; return the first that fails and how, or None."""
    command = [sys.executable, "-m", "fuzz.files", str(first), str(count), str(folder), str(n_edits or 0)]
    log = folder / "log.txt"
    with log.open("wb") as stream, (folder / "errors.txt").open("wb") as errors:
        process = subprocess.Popen(command, stdout=stream, stderr=errors)
        n_seen, how = -1, ""
        while not how:
            try:
                how = f"it ended with {process.wait(HANG_SECONDS)}"
            except subprocess.TimeoutExpired:
                n_now = log.stat().st_size
                if n_now == n_seen:
                    process.kill()
                    how = f"no answer within {HANG_SECONDS} s"
                n_seen = n_now
    if how == "it ended with 0":
        return None
    seeds = log.read_text().split()
    ended = (folder / "errors.txt").read_text(errors="replace")[-1500:]
    return (int(seeds[-1]) if seeds else first), f"{how}\n{ended}"


def shortest(seed: int, folder: Path) -> tuple[int, str] | None:
    """The fewest edits of a seed's file that still fail, and how."""
    for n_edits in range(1, 5):
        found = failure(seed, 1, folder, n_edits)
        if found:
            return n_edits, found[1]
    return None


if __name__ == "__main__":
    _go_through(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[4]) or None, Path(sys.argv[3]))
