"""Duplicates of photos beside perceptual hashes: precision, recall by kind of change, and seconds.

python -m benchmarks.duplicates DATA [--split test|train] [--json FILE]

DATA holds the folders `kodak`, `cq100` and `cifar10`. Two thousand images of these (seed 1) are re-encoded
as JPEG at quality 60, halved, cropped by 4% of each side at a random place, made 10% brighter and mirrored,
and looked for among all images. A pair of images is right where both are made of one original, or where
`judged.csv` says that somebody looked at the two originals and found the same photo. Peers are the hashes of
the package imagehash at the threshold with the highest recall at a precision of 0.99 or more, and at the
highest F1.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from benchmarks.environment import environment
from kmosaic.duplicates import FindOptions, find_duplicates

JUDGED = Path(__file__).parent / "results" / "duplicates" / "judged.csv"
CHANGES = ("jpeg", "half", "crop", "bright", "mirror")
_N_CHANGED = 2000
_N_SPEED = 60_000
_HASHES = ("phash", "dhash", "whash")
_PRECISION = 0.99

Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class Bench:
    """The images made: their files, the number of each one's original, and how it was changed."""

    files: list[Path]
    originals: NDArray[np.int64]
    changes: NDArray[np.str_]
    same_photo: set[tuple[int, int]]


def originals(data: Path) -> list[Path]:
    """Return kodak, cq100 and cifar10, in a fixed order."""
    listed = (data / "cifar10" / "files.txt").read_text().split()
    photos = [*sorted((data / "kodak").glob("*.png")), *sorted((data / "cq100").glob("*.png"))]
    return [*photos, *(data / "cifar10" / name for name in listed)]


def changed(picture: Image.Image, rng: np.random.Generator) -> Iterator[tuple[str, Image.Image]]:
    """Yield the picture in every way that duplicates are changed, by its name."""
    width, height = picture.size
    yield "jpeg", picture  # written at quality 60
    yield "half", picture.resize((round(width / 2), round(height / 2)), Image.Resampling.BICUBIC)
    w, h = round(width * 0.96), round(height * 0.96)
    left, top = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    yield "crop", picture.crop((left, top, left + w, top + h))
    yield "bright", ImageEnhance.Brightness(picture).enhance(1.1)
    yield "mirror", picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def make(data: Path, folder: Path, split: str) -> Bench:
    """Write the changed images, and links to all images as they are."""
    found = originals(data)
    rng = np.random.default_rng(1)
    n_large = sum("cifar10" not in path.parts for path in found)
    small = rng.permutation(np.arange(n_large, len(found)))
    n_small = _N_CHANGED - n_large
    chosen = np.r_[np.arange(n_large), small[:n_small]]
    if split == "train":
        chosen = small[n_small : n_small + _N_CHANGED]
    for name in ("as-is", *CHANGES):
        (folder / name).mkdir()
    for number, path in enumerate(found):
        (folder / "as-is" / f"{number:05}{path.suffix}").symlink_to(path.absolute())
    for number in chosen:
        with Image.open(found[number]) as opened:
            for name, picture in changed(opened.convert("RGB"), rng):
                target = folder / name / f"{number:05}{'.jpg' if name == 'jpeg' else '.png'}"
                picture.save(target, quality=60, compress_level=1)  # each format takes its own
    files = sorted(folder.glob("*/*"))
    numbers = np.array([int(path.stem) for path in files])
    changes = np.array([path.parent.name for path in files])
    return Bench(files, numbers, changes, _judged(data, found))


def _judged(data: Path, found: list[Path]) -> set[tuple[int, int]]:
    place = {str(path.relative_to(data)): number for number, path in enumerate(found)}
    with JUDGED.open(newline="") as stream:
        lines = [line for line in csv.DictReader(stream) if line["same"] == "1"]
    pairs = [(place[line["first"]], place[line["second"]]) for line in lines]
    return {(min(pair), max(pair)) for pair in pairs}


def scores(bench: Bench, pairs: Pairs) -> dict[str, float]:
    """Return precision of pairs of files, and of every change the share found with its original."""
    first, second = bench.originals[pairs[:, 0]], bench.originals[pairs[:, 1]]
    keys = np.minimum(first, second) * 100_000 + np.maximum(first, second)
    looked_at = np.isin(keys, [low * 100_000 + high for low, high in bench.same_photo])
    own = first == second
    result = {"precision": float((own | looked_at).sum() / max(1, len(pairs)))}
    result["pairs"] = len(pairs)
    result["pairs of two originals looked at"] = len(np.unique(keys[looked_at]))
    result["wrong pairs of two originals"] = len(np.unique(keys[~own & ~looked_at]))
    ways = bench.changes[pairs]
    for change in CHANGES:
        hit = own & (((ways == "as-is") | (ways == change)).all(axis=1)) & (ways == change).any(axis=1)
        result[change] = float(hit.sum() / max(1, (bench.changes == change).sum()))
    return result


def kmosaic_pairs(bench: Bench, folder: Path, options: FindOptions) -> Pairs:
    """Return all pairs of files that are in one group."""
    place = {str(path.relative_to(folder)): row for row, path in enumerate(bench.files)}
    found = find_duplicates(folder, options)
    pairs = []
    for group in found.groups:
        rows = np.array([place[found.images.ids[row]] for row in group.rows])
        first, second = np.triu_indices(len(rows), 1)
        pairs.append(np.stack([rows[first], rows[second]], axis=1))
    return np.concatenate(pairs)


def hash_distances(bench: Bench, name: str) -> tuple[NDArray[np.float32], float]:
    """Return the hash of every file as 64 signs, and the seconds of the process it took."""
    imagehash = importlib.import_module("imagehash")  # not among the libraries that are checked

    start = time.process_time()
    bits = []
    for path in bench.files:
        with Image.open(path) as picture:
            bits.append(getattr(imagehash, name)(picture).hash.ravel())
    signs = np.where(np.array(bits), 1, -1).astype(np.float32)
    return signs, time.process_time() - start


def hash_pairs(signs: NDArray[np.float32], distance: int) -> Pairs:
    """Return all pairs of hashes with so many different bits at most."""
    pairs = []
    for start in range(0, len(signs), 2000):
        products = signs[start : start + 2000] @ signs.T
        first, second = np.nonzero(products >= signs.shape[1] - 2 * distance)
        first += start
        pairs.append(np.stack([first, second], axis=1)[first < second])
    return np.concatenate(pairs)


def f1(found: dict[str, float]) -> float:
    recall = sum(found[change] for change in CHANGES[:-1]) / 4
    return 2 * recall * found["precision"] / max(1e-9, recall + found["precision"])


def peers(bench: Bench) -> Iterator[dict[str, Any]]:
    """Yield the scores of every hash at its best thresholds."""
    for name in _HASHES:
        signs, seconds = hash_distances(bench, name)
        tried = [{"threshold": d, **scores(bench, hash_pairs(signs, d))} for d in range(13)]
        precise = [one for one in tried if one["precision"] >= _PRECISION]
        chosen = {"highest F1": max(tried, key=f1)}
        if precise:
            chosen["precision of 0.99"] = max(precise, key=f1)
        for why, best in chosen.items():
            yield {"method": f"imagehash {name}", "chosen by": why, "seconds": seconds, **best}


def speed(data: Path, folder: Path) -> dict[str, Any]:
    """Measure 60,000 small images made of cifar10's: each as it is, and in five mild changes."""
    listed = (data / "cifar10" / "files.txt").read_text().split()
    for number, name in enumerate(listed):
        with Image.open(data / "cifar10" / name) as opened:
            picture = opened.convert("RGB")
            for change in range(_N_SPEED // len(listed)):
                brighter = ImageEnhance.Brightness(picture).enhance(1 + 0.03 * change)
                brighter.save(folder / f"{number:05}-{change}.jpg", quality=90 - 5 * change)
    start, cpu = time.perf_counter(), time.process_time()
    found = find_duplicates(folder)
    grouped = sum(len(group.rows) for group in found.groups)
    return {
        "images": len(found.images),
        "in groups": grouped,
        "groups": len(found.groups),
        "seconds": time.perf_counter() - start,
        "processor seconds": time.process_time() - cpu,
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Print the scores, and write them as JSON where that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", choices=["test", "train"], default="test")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limits", type=float, nargs="*", default=[FindOptions().limit])
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    document: dict[str, Any] = {"environment": environment()}
    if options.speed:
        with tempfile.TemporaryDirectory() as made:
            document["speed"] = speed(options.data, Path(made))
            print(json.dumps(document["speed"]), flush=True)
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        bench = make(options.data, folder, options.split)
        for limit in options.limits:
            for mirrored in (False, True):
                start = time.process_time()
                pairs = kmosaic_pairs(bench, folder, FindOptions(limit=limit, mirrored=mirrored))
                seconds = time.process_time() - start
                name = "kmosaic --mirrored" if mirrored else "kmosaic"
                results.append(
                    {"method": name, "threshold": limit, "seconds": seconds, **scores(bench, pairs)}
                )
                print(json.dumps(results[-1]), flush=True)
        if not options.no_peers:
            for peer in peers(bench):
                results.append(peer)
                print(json.dumps(peer), flush=True)
    document |= {"split": options.split, "results": results}
    if options.json is not None:
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
