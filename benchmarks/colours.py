"""Pictures in few colours, beside other programs: error, score, bytes and time.

    python -m benchmarks.colours ../shared/data/cq100 ../shared/data/kodak --json build/colours.json
    python -m benchmarks.colours ../shared/data/unsplash --time --json build/times.json

Peers are used where they are: pngquant and ImageMagick as programs (Debian), libimagequant (PyPI), Pillow's
three methods, and with ``--npm FOLDER`` image-q, gifenc and sharp installed there by npm. PyPI's package
``ssimulacra2`` scores all of them alike; without it kmosaic's own does.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmosaic.colours import quantize
from kmosaic.colours.encode import encode
from kmosaic.colours.ssimulacra2 import Ssimulacra2
from kmosaic.engines.colour_points import UNIT, ColourSpace

COLOURS = (4, 16, 64, 256)
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Outcome:
    """One picture by one program: mean squared errors in sRGB and Oklab (times 10,000), score, bytes."""

    library: str
    dithered: bool
    n_colours: int
    picture: str
    mse: float
    oklab: float
    ssimulacra2: float
    n_bytes: int | None


@dataclass(frozen=True)
class Quantizer:
    """A program: returns a picture, and its PNG where it writes one."""

    name: str
    dithered: bool
    run: Callable[[Picture, int], tuple[Picture, bytes | None]]


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--npm", type=Path, help="folder with node_modules")
    parser.add_argument("--only", help="libraries whose name begins so")
    parser.add_argument("--every", type=int, default=1, help="take every nth picture")
    parser.add_argument(
        "--time", action="store_true", help="time at 256 colours, decoding and encoding aside"
    )
    parser.add_argument("--runs", type=int, default=9, help="runs of each, the least of which counts")
    given = parser.parse_args()
    paths = sorted(
        path for folder in given.folders for path in folder.iterdir() if path.suffix in (".png", ".jpg")
    )
    if given.time:
        figures = list(times(paths, given.runs))
        if given.json is not None:
            given.json.write_text(json.dumps(figures))
        return
    outcomes = []
    quantizers = [one for one in all_quantizers(given.npm) if one.name.startswith(given.only or "")]
    for path in paths[:: given.every]:
        outcomes += list(measured(path, quantizers))
        if given.json is not None:
            given.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes]))
    for row in summary(outcomes):
        print(row)


def measured(path: Path, quantizers: list[Quantizer]) -> Iterator[Outcome]:
    """Every program's pictures of one file."""
    original = read(path)
    score = scorer(original)
    for one in quantizers:
        for n_colours in COLOURS:
            picture, data = one.run(original, n_colours)
            difference = np.square(original.astype(np.int32) - picture).sum(axis=2).mean()
            n_bytes = None if data is None else len(data)
            errors = float(difference), oklab_error(original, picture)
            yield Outcome(one.name, one.dithered, n_colours, path.name, *errors, score(picture), n_bytes)


def read(path: Path) -> Picture:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def scorer(original: Picture) -> Callable[[Picture], float]:
    """Score pictures by PyPI's package where it is installed."""
    try:
        import ssimulacra2
    except ImportError:
        return Ssimulacra2(original).score
    folder = Path(tempfile.mkdtemp())
    Image.fromarray(original).save(folder / "original.png", compress_level=1)

    def score(picture: Picture) -> float:
        Image.fromarray(picture).save(folder / "picture.png", compress_level=1)
        return float(
            ssimulacra2.compute_ssimulacra2(str(folder / "original.png"), str(folder / "picture.png"))
        )

    return score


def oklab_error(a: Picture, b: Picture) -> float:
    space = ColourSpace("oklab")
    points = [space.points(one.reshape(-1, 3), 1).astype(np.float64) / UNIT for one in (a, b)]
    return float(1e4 * np.square(points[0] - points[1]).sum(axis=1).mean())


def all_quantizers(npm: Path | None) -> list[Quantizer]:
    """kmosaic, and every peer that is installed."""
    found = [
        Quantizer("kmosaic", True, lambda a, k: by_kmosaic(a, k, {})),
        Quantizer("kmosaic", False, lambda a, k: by_kmosaic(a, k, {"dither": "none"})),
        Quantizer("kmosaic sRGB", False, lambda a, k: by_kmosaic(a, k, {"dither": "none", "space": "srgb"})),
        Quantizer("kmosaic blue noise", True, lambda a, k: by_kmosaic(a, k, {"dither": "blue-noise"})),
    ]
    for method, name in enumerate(("median cut", "maximum coverage", "octree")):
        found += [Quantizer(f"Pillow {name}", d, by_pillow(method, d)) for d in (True, False)]
    for dithered in (True, False):
        if shutil.which("pngquant"):
            found.append(Quantizer("pngquant", dithered, by_pngquant(dithered)))
        if shutil.which("convert"):
            found.append(Quantizer("ImageMagick", dithered, by_imagemagick(dithered)))
        try:
            import libimagequant  # noqa: F401
        except ImportError:
            continue
        found.append(Quantizer("libimagequant", dithered, by_libimagequant(dithered)))
    return found if npm is None else found + npm_quantizers(npm)


def by_kmosaic(picture: Picture, n_colours: int, changes: dict[str, Any]) -> tuple[Picture, bytes]:
    result = quantize(picture, n_colours, **changes)
    return result.pixels, encode([result], "PNG")


def by_pillow(method: int, dithered: bool) -> Callable[[Picture, int], tuple[Picture, bytes]]:
    how = Image.Dither.FLOYDSTEINBERG if dithered else Image.Dither.NONE

    def run(picture: Picture, n_colours: int) -> tuple[Picture, bytes]:
        image = Image.fromarray(picture)
        kmeans = 0 if method == 2 else 1
        palette = image.quantize(n_colours, method=method, kmeans=kmeans, dither=Image.Dither.NONE)
        few = image.quantize(palette=palette, dither=how) if dithered else palette
        buffer = io.BytesIO()
        few.save(buffer, "PNG", compress_level=9)
        return np.asarray(few.convert("RGB")), buffer.getvalue()

    return run


def by_pngquant(dithered: bool) -> Callable[[Picture, int], tuple[Picture, bytes]]:
    def run(picture: Picture, n_colours: int) -> tuple[Picture, bytes]:
        options = ["--speed", "1", *([] if dithered else ["--nofs"])]
        command = ["pngquant", *options, str(n_colours), "-"]
        data = subprocess.run(command, input=as_png(picture), stdout=subprocess.PIPE, check=True).stdout
        return from_png(data), data

    return run


def by_imagemagick(dithered: bool) -> Callable[[Picture, int], tuple[Picture, bytes]]:
    def run(picture: Picture, n_colours: int) -> tuple[Picture, bytes]:
        dither = ["-dither", "FloydSteinberg"] if dithered else ["+dither"]
        command = ["convert", "png:-", *dither, "-colors", str(n_colours), "png8:-"]
        data = subprocess.run(command, input=as_png(picture), stdout=subprocess.PIPE, check=True).stdout
        return from_png(data), data

    return run


def by_libimagequant(dithered: bool) -> Callable[[Picture, int], tuple[Picture, None]]:
    import libimagequant as liq

    def run(picture: Picture, n_colours: int) -> tuple[Picture, None]:
        height, width = picture.shape[:2]
        attributes = liq.Attr()
        attributes.max_colors = n_colours
        attributes.speed = 1
        rgba = np.dstack([picture, np.full((height, width), 255, np.uint8)])
        image = attributes.create_rgba(rgba.tobytes(), width, height, 0)
        result = image.quantize(attributes)
        result.dithering_level = 1.0 if dithered else 0.0
        labels = np.frombuffer(bytes(result.remap_image(image)), np.uint8).reshape(height, width)
        palette = np.array([(c.r, c.g, c.b) for c in result.get_palette()], np.uint8)
        return palette[labels], None

    return run


def npm_quantizers(folder: Path) -> list[Quantizer]:
    """Peers in JavaScript, in one process of node."""
    script = Path(__file__).with_name("colours_npm.mjs")
    environment = {**os.environ, "NPM_PEERS": str(folder.resolve())}
    node = subprocess.Popen(
        ["node", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    place = Path(tempfile.mkdtemp())

    def runner(library: str, dithered: bool) -> Callable[[Picture, int], tuple[Picture, None]]:
        def run(picture: Picture, n_colours: int) -> tuple[Picture, None]:
            assert node.stdin is not None
            assert node.stdout is not None
            (place / "in").write_bytes(picture.tobytes())
            height, width = picture.shape[:2]
            job = {
                "library": library,
                "dither": dithered,
                "colours": n_colours,
                "width": width,
                "height": height,
                "input": str(place / "in"),
                "output": str(place / "out"),
            }
            node.stdin.write(json.dumps(job) + "\n")
            node.stdin.flush()
            if node.stdout.readline() != "done\n":
                raise RuntimeError(f"{library} ended")
            return np.frombuffer((place / "out").read_bytes(), np.uint8).reshape(picture.shape), None

        return run

    kinds = [("gifenc", False), ("image-q", True), ("image-q", False), ("sharp", True), ("sharp", False)]
    return [Quantizer(library, dithered, runner(library, dithered)) for library, dithered in kinds]


def as_png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def from_png(data: bytes) -> Picture:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def summary(outcomes: list[Outcome]) -> Iterator[str]:
    """Means over the pictures."""
    keys = dict.fromkeys((one.library, one.dithered, one.n_colours) for one in outcomes)
    heading = f"{'library':28} {'dither':6} {'k':>4} {'MSE sRGB':>9} {'Oklab':>8} {'SSIMULACRA2':>11}"
    yield f"{heading} {'bytes':>9}"
    for key in keys:
        chosen = [one for one in outcomes if (one.library, one.dithered, one.n_colours) == key]
        sizes = [one.n_bytes for one in chosen if one.n_bytes is not None]
        means = [np.mean([getattr(one, name) for one in chosen]) for name in ("mse", "oklab", "ssimulacra2")]
        size = f"{np.mean(sizes):9,.0f}" if sizes else ""
        yield (
            f"{key[0]:28} {'yes' if key[1] else 'no':6} {key[2]:4} {means[0]:9.1f} {means[1]:8.3f} "
            f"{means[2]:11.2f} {size}"
        )


def times(paths: list[Path], n_runs: int) -> Iterator[dict[str, Any]]:
    """Processor time of one thread at 256 colours, the least of ``n_runs``, as figures of results."""
    for path in paths:
        picture = read(path)
        for dither, name in (("none", "time"), ("diffusion", "time with dithering")):
            taken = []
            for _ in range(n_runs):
                start = time.process_time()
                result = quantize(picture, 256, dither=dither, n_threads=1)
                taken.append(time.process_time() - start)
            workload = f"{path.stem}, {result.n_distinct:,} colours"
            milliseconds = round(1000 * min(taken))
            print(f"{workload}: {name} {milliseconds} ms", flush=True)
            yield {
                "workload": workload,
                "library": "kmosaic",
                "figure": name,
                "unit": "ms",
                "value": milliseconds,
            }


if __name__ == "__main__":
    main()
