"""What the report of one picture in few colours says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from kmosaic.report.parts import Fact, making_facts, number_columns
from kmosaic.report.provenance import Provenance
from kmosaic.report.tiles import data_uri, jpeg, png
from kmosaic.report.wording import clean, memory, percent
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.colours import Quantized
    from kmosaic.colours.curve import CurvePoint

_MAX_SIDE = 1400
_MAX_ERROR_SIDE = 700
_JPEG_QUALITY = 92
# What the colours of the error's picture end at: one in a hundred pixels is beyond.
_WORST_SHARE = 0.99
# Red, green, blue.
_CIVIDIS = (
    (-4.54, -35.34, 2381.73, -6402.7, 7024.72, -2710.57),
    (32.49, 170.73, 52.82, -131.46, 176.58, -67.37),
    (81.24, 442.36, -2482.43, 6167.24, -6614.94, 2475.67),
)


@dataclass(frozen=True, eq=False)
class ColoursReport:
    """Everything the report of one picture is written from.

    ``curve`` is the error against the number of colours, empty where it was not measured; ``n_bytes`` are
    those of the file before and after, where there is one.
    """

    name: str
    result: Quantized
    provenance: Provenance = field(default_factory=Provenance)
    dither: str = "none"
    curve: tuple[CurvePoint, ...] = ()
    n_bytes: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True)
class _ColourLine:
    """One line of the table of colours."""

    hex: str
    name: str
    share: str
    share_number: str
    opacity: str
    on_white: str
    on_black: str


def colours_context(report: ColoursReport) -> dict[str, Any]:
    """Return what the template of a picture's page is filled with."""
    result = report.result
    numbers = list(_numbers(report))
    height, width = result.labels.shape
    pictures = _pictures(result)
    return {
        "title": f"{clean(report.name)}: {count(len(result.palette), 'colour')}",
        "kind": "Colours report",
        "lead": _lead(report),
        "numbers": numbers,
        "number_columns": number_columns(len(numbers)),
        "pictures": pictures,
        "aspect": f"{width} / {height}",
        "reduced_note": _reduced_note(result),
        "lines": list(_lines(result)),
        "has_opacity": bool((result.palette.colors[:, 3] < 255).any()),
        "has_curve": len(report.curve) > 1,
        "has_history": result.error_history.size > 0,
        "error_note": _error_note(result),
        "facts": making_facts(report.provenance, _making(report)),
        "page_data": {
            "history": result.error_history.tolist(),
            "curve": [{"n": point.n_colors, "error": point.mean_error} for point in report.curve],
            "chosen": len(result.palette),
        },
    }


def _lead(report: ColoursReport) -> str:
    result = report.result
    height, width = result.labels.shape
    mixed = {"none": "each pixel has the nearest of them"}.get(report.dither, f"mixed by {report.dither}")
    return (
        f"A picture of {width:,} x {height:,} pixels and {count(result.n_distinct, 'colour')}, shown in "
        f"{len(result.palette):,}, found by k-means in {_SPACES[result.space]}; {mixed}."
    )


_SPACES = {"oklab": "Oklab", "srgb": "sRGB", "linear": "linear light"}


def _numbers(report: ColoursReport) -> Iterator[Fact]:
    result = report.result
    yield Fact("Colours", f"{len(result.palette):,}", f"of {result.n_distinct:,}")
    yield Fact("SSIMULACRA2", f"{result.ssimulacra2:.1f}", "90: looks the same, 70: high quality")
    psnr = result.psnr
    yield Fact("PSNR", f"{psnr:.1f} dB" if psnr < 1e9 else "equal", f"MSE {result.mse:,.1f} in sRGB")
    before, after = report.n_bytes
    if before is not None and after is not None:
        yield Fact("File", memory(after), f"{percent(after / before)} of {memory(before)}")


def _making(report: ColoursReport) -> dict[str, object]:
    result = report.result
    facts: dict[str, object] = {"Space": _SPACES[result.space], "Dither": report.dither}
    if result.n_iter:
        facts["Iterations"] = f"{result.n_iter:,}"
    return facts


def _pictures(result: Quantized) -> dict[str, Markup]:
    height, width = result.labels.shape
    scale = min(1.0, _MAX_SIDE / max(height, width))
    original = _reduced(result.flat_original, scale)
    few = result.flat_pixels
    shown = few if scale == 1 else _reduced(few, scale)
    return {
        "original": Markup(data_uri(jpeg(original, _JPEG_QUALITY), "image/jpeg")),
        "result": Markup(data_uri(png(shown), "image/png")),
        "error": Markup(data_uri(png(_error_picture(result.pixel_errors)), "image/png")),
    }


def _reduced(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return picture
    height, width = picture.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _reduced_note(result: Quantized) -> str:
    if max(result.labels.shape) <= _MAX_SIDE:
        return "The original is compressed as JPEG here, which changes it a little."
    return f"Both are reduced to {_MAX_SIDE:,} pixels here, which blends dithered pixels; the file is not."


def _blocks(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean errors of blocks, so that the picture is small and dithering does not hide where they are."""
    step = max(2, -(-max(errors.shape) // _MAX_ERROR_SIDE))
    height, width = (-(-side // step) for side in errors.shape)
    padded = np.pad(
        errors, ((0, height * step - errors.shape[0]), (0, width * step - errors.shape[1])), "edge"
    )
    means: NDArray[np.float64] = padded.reshape(height, step, width, step).mean(axis=(1, 3))
    return means


def _worst(distances: NDArray[np.float64]) -> float:
    return float(np.quantile(distances, _WORST_SHARE)) or 1.0


def _error_picture(errors: NDArray[np.float64]) -> NDArray[np.uint8]:
    distances = np.sqrt(_blocks(errors))
    steps = np.rint(255 * np.clip(distances / _worst(distances), 0, 1)).astype(np.intp)
    picture: NDArray[np.uint8] = cividis()[steps]
    return picture


def cividis() -> NDArray[np.uint8]:
    """The colour map cividis as 256 colours, by the polynomials of the pages' charts (d3-scale-chromatic)."""
    t = np.linspace(0, 1, 256)
    colours = np.stack([np.polynomial.polynomial.polyval(t, channel) for channel in _CIVIDIS], axis=1)
    rounded: NDArray[np.uint8] = np.rint(np.clip(colours, 0, 255)).astype(np.uint8)
    return rounded


def _error_note(result: Quantized) -> str:
    worst = _worst(np.sqrt(_blocks(result.pixel_errors)))
    return (
        "The distance of small blocks of pixels from the original: dark blue is none, yellow is "
        f"{100 * worst:.2g} hundredths of the way from black to white, or more. Dithering adds to it, though "
        "it makes the picture look more like the original."
    )


def _lines(result: Quantized) -> Iterator[_ColourLine]:
    palette = result.palette
    shares = palette.shares if palette.shares is not None else np.zeros(len(palette))
    names = palette.css_names
    ratios = palette.contrast_to([[255, 255, 255], [0, 0, 0]])
    for i in np.argsort(-shares, kind="stable"):
        yield _ColourLine(
            palette.hex[i],
            names[i],
            percent(float(shares[i])),
            f"{shares[i]:.6f}",
            percent(palette.colors[i, 3] / 255),
            f"{ratios[i, 0]:.1f}",
            f"{ratios[i, 1]:.1f}",
        )
