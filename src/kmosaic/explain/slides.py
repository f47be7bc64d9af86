"""The lesson as slides: one frame for each thing that happens, part by part."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from kmosaic.explain.choosing import FewColours, Photo, Scores, Sizes
from kmosaic.explain.digits import PIXEL_UNITS, Pictures
from kmosaic.explain.drawing import (
    caption,
    draw_centroids,
    draw_chances,
    draw_curve,
    draw_step,
    panels,
    set_limits,
    slide,
)
from kmosaic.explain.lesson import PARTS, Lesson
from kmosaic.explain.points import PointSet
from kmosaic.explain.scaling import Rescaled
from kmosaic.explain.starts import EmptyCluster, Starts
from kmosaic.explain.trace import Policy, Step, Trace
from kmosaic.report.pictures import figure_bytes
from kmosaic.report.theme import LIGHT, finish
from kmosaic.report.tiles import display_range, tiles
from kmosaic.report.wording import clean, percent, shorten
from kmosaic.text import count

_WAYS: dict[Policy, str] = {
    "drop": "dropped",
    "random": "to a random point",
    "relocate": "to the costliest point",
}
_MAX_TITLED = 110


@dataclass(frozen=True)
class Frame:
    """One picture of a part; ``draw`` makes it, ``last`` says that a part or a run ends with it."""

    part: int
    number: int
    draw: Callable[[], Figure]
    last: bool = False

    @property
    def name(self) -> str:
        """What its file is called, without suffix."""
        return f"{self.part}-{PARTS[self.part]}-{self.number:02d}"

    @cached_property
    def png(self) -> bytes:
        """The picture as a PNG file, drawn when first asked for."""
        return figure_bytes(self.draw(), "png")


def frames(lesson: Lesson, parts: Sequence[int] = tuple(PARTS)) -> list[Frame]:
    """Return the frames of ``parts``, in their order; none is drawn yet.

    Raises
    ------
    ValueError
        When a part is none of 1 to 6.
    """
    makers: dict[int, Callable[[Lesson], Iterator[Callable[[], Figure]]]] = {
        1: _two_steps,
        2: lambda lesson: _starts(lesson.starts),
        3: lambda lesson: _empty(lesson.empty),
        4: lambda lesson: _sizes(lesson.sizes),
        5: _choosing,
        6: lambda lesson: _pictures(lesson.pictures),
    }
    unknown = sorted(set(parts) - set(makers))
    if unknown:
        raise ValueError(f"parts={unknown[0]} must be from 1 to {len(makers)}")
    all_frames: list[Frame] = []
    for part in sorted(set(parts)):
        drawn = [Frame(part, number, draw) for number, draw in enumerate(makers[part](lesson), start=1)]
        all_frames += [*drawn[:-1], replace(drawn[-1], last=True)]
    return all_frames


def _two_steps(lesson: Lesson) -> Iterator[Callable[[], Figure]]:
    data, fit = lesson.two_steps.data[0], lesson.two_steps.traces[0]
    for at, step in enumerate(fit.steps):

        def draw(at: int = at, step: Step = step) -> Figure:
            figure = slide("Two steps, over and over", _step_words(step, at == len(fit.steps) - 1))
            left, right = panels(figure, 2)
            draw_step(left, data, step)
            draw_curve(right, fit, at)
            return finish(figure)

        yield draw


def _step_words(step: Step, is_end: bool) -> str:
    if step.kind == "start":
        return "The start: no point has a cluster yet, so all are grey."
    if step.kind == "update":
        return f"Update step: each centroid moves to the mean of its points. J = {step.inertia:,.4g}"
    what = "no point changes its cluster: the end" if is_end else "each point joins its nearest centroid"
    return f"Assignment step: {what}. J = {step.inertia:,.4g}"


def _starts(part: Starts) -> Iterator[Callable[[], Figure]]:
    both = {"Lucky start": part.lucky, "Unlucky start": part.unlucky}
    for at in range(max(len(fit.steps) for fit in both.values())):
        yield partial(_side_by_side, "Where it starts matters", part.data, both, at)
    for number in range(len(part.picks) + 1):
        yield partial(_draw_picks, part, number)
    yield partial(_draw_restarts, part)
    yield partial(_draw_spread, part)


def _side_by_side(title: str, data: PointSet, fits: dict[str, Trace], at: int) -> Figure:
    figure = slide(title)
    line_break = "\n" if len(fits) > 2 else " "
    for axes, (name, fit) in zip(panels(figure, len(fits)), fits.items(), strict=True):
        step = fit.steps[min(at, len(fit.steps) - 1)]
        draw_step(axes, data, step)
        ended = ", the end" if at >= len(fit.steps) - 1 else ""
        state = "the start"
        if step.inertia is not None:
            state = f"K = {len(step.centers)}, J = {step.inertia:,.4g}{ended}"
        caption(axes, f"{name}:{line_break}{state}")
    return finish(figure)


def _draw_picks(part: Starts, number: int) -> Figure:
    later = "The larger a point, the likelier it is picked next."
    words = later if number else "The first pick may be any point."
    is_end = number == len(part.picks)
    figure = slide("k-means++ starts with care", "k-means starts from these." if is_end else words)
    (axes,) = panels(figure, 1)
    set_limits(axes, part.data.points)
    draw_chances(axes, part.data.points, None if is_end else part.picks[number].squared_distances)
    chosen = part.data.points[[pick.row for pick in part.picks[:number]]]
    draw_centroids(axes, chosen, range(number))
    return finish(figure)


def _draw_restarts(part: Starts) -> Figure:
    figure = slide(f"{len(part.random.inertia)} restarts", "J at the end of each; the lowest is kept.")
    largest = max(part.random.inertia.max(), part.careful.inertia.max())
    edges = np.linspace(0, largest * 1.02, 40).tolist()
    for axes, restarts, name in zip(
        panels(figure, 2), (part.random, part.careful), ("random points", "k-means++"), strict=True
    ):
        axes.hist(restarts.inertia, bins=edges, color=LIGHT.series[0])
        axes.set(xlabel="J at the end", ylabel="restarts", ylim=(0, len(restarts.inertia)))
        caption(axes, f"from {name}: best {restarts.inertia.min():,.4g}, worst {restarts.inertia.max():,.4g}")
    return finish(figure)


def _draw_spread(part: Starts) -> Figure:
    figure = slide(
        "Restarts help less when K is large",
        "J as a multiple of the best: the mean, and the band that holds eight of ten restarts.",
    )
    (axes,) = panels(figure, 1)
    spread = part.spread
    rows = (
        ("random points", spread.random, LIGHT.series[1], "o"),
        ("k-means++", spread.careful, LIGHT.series[0], "D"),
    )
    for name, ends, colour, marker in rows:
        low, mean, high = np.array(ends).T
        axes.fill_between(spread.n_clusters, low, high, color=colour, alpha=0.22, linewidth=0)
        axes.plot(spread.n_clusters, mean, color=colour, marker=marker, linewidth=2, label=name)
    axes.set_xscale("log")
    axes.set_xticks(spread.n_clusters, [str(k) for k in spread.n_clusters])
    axes.minorticks_off()
    axes.set(xlabel="clusters K", ylim=(0, None))
    axes.legend(frameon=False, labelcolor=LIGHT.text)
    return finish(figure)


def _empty(part: EmptyCluster) -> Iterator[Callable[[], Figure]]:
    fits = {_WAYS[policy]: fit for policy, fit in part.traces.items()}
    for at in range(max(len(fit.steps) for fit in fits.values())):
        yield partial(_side_by_side, "An empty cluster, three ways on", part.data, fits, at)


def _sizes(part: Sizes) -> Iterator[Callable[[], Figure]]:
    for k in part.fits:
        yield partial(_draw_sizes, part, k)
    yield partial(_draw_units, part.units)
    stuck = {"Five clusters": Trace(part.stuck.steps[-1:]), "Three": Trace(part.fewer.steps[-1:])}
    title = "J with 5 clusters above J with 3? A bad start."
    yield partial(_side_by_side, title, part.stuck_data, stuck, 0)


def _draw_sizes(part: Sizes, k: int) -> Figure:
    misfit = part.misfit[k]
    figure = slide(
        f"{k} sizes for {len(misfit)} people", f"Mean misfit {misfit.mean():.1f}, worst {misfit.max():.1f}."
    )
    left, right = panels(figure, 2)
    draw_step(left, part.data, part.fits[k].steps[-1], lines=True)
    right.hist(
        misfit, bins=np.linspace(0, part.misfit[min(part.misfit)].max(), 25).tolist(), color=LIGHT.series[0]
    )
    right.set(xlabel="misfit: distance to one's size", ylabel="people")
    return finish(figure)


def _draw_units(units: Sequence[Rescaled]) -> Figure:
    moved = count(units[1].n_moved, "person gets", "people get")
    figure = slide(
        "Scale first", f"In mm, {moved} another size. Standardised, cm and mm give the same sizes."
    )
    for axes, unit in zip(panels(figure, len(units)), units, strict=True):
        draw_step(axes, unit.data, unit.fit.steps[-1])
        caption(axes, unit.title)
    return finish(figure)


def _choosing(lesson: Lesson) -> Iterator[Callable[[], Figure]]:
    for scores in lesson.scores:
        yield partial(_draw_scores, scores)
    for version in lesson.photo.versions:
        yield partial(_draw_photo, lesson.photo, version)


def _draw_scores(scores: Scores) -> Figure:
    figure = slide(f"Choosing K: {clean(scores.title)}")
    rows = (
        ("J, the lowest", scores.inertia),
        ("silhouette", scores.silhouette),
        ("stability", scores.stability),
    )
    for axes, (name, values) in zip(panels(figure, 3), rows, strict=True):
        dots = [(k, value) for k, value in zip(scores.n_clusters, values, strict=True) if value is not None]
        axes.plot(*zip(*dots, strict=True), color=LIGHT.series[0], marker="o", linewidth=2)
        axes.set(xlabel="clusters K", ylim=(0, None))
        axes.set_xticks(scores.n_clusters)
        caption(axes, name)
    return finish(figure)


def _draw_photo(photo: Photo, version: FewColours) -> Figure:
    size, whole = len(version.png) / 1000, len(photo.png) / 1000
    words = f"{size:.1f} kB of {whole:.1f} kB, error {version.error:.1f} of 255."
    figure = slide(f"A photo in {version.n_colours} colours", words)
    for axes, content in zip(panels(figure, 2), (version.png, photo.png), strict=True):
        with Image.open(io.BytesIO(content)) as image:
            axes.imshow(np.asarray(image.convert("RGB")))
        axes.axis("off")
    return finish(figure)


def _pictures(part: Pictures) -> Iterator[Callable[[], Figure]]:
    yield partial(_draw_numbers, part)
    for at in range(len(part.film.iterations)):
        yield partial(_draw_film, part, at)
    for number in range(len(part.summaries)):
        yield partial(_draw_mosaic, part, number)


def _draw_numbers(part: Pictures) -> Figure:
    form = part.format
    figure = slide(f"{form.size} are {form.n_features:,} numbers")
    left, right = panels(figure, 2)
    shown = display_range(part.collection.pixels, form)
    _show(left, tiles(part.first[None, :], form, shown)[0])
    values = part.first.reshape(form.height, form.width, form.channels)[:28, :28, 0]
    size = min(13.0, 230 / max(values.shape))
    for (row, column), value in np.ndenumerate(values):
        right.text(column, row, f"{value:g}", ha="center", va="center", fontsize=size, color=LIGHT.text)
    right.set(xlim=(-0.5, values.shape[1] - 0.5), ylim=(values.shape[0] - 0.5, -0.5), aspect="equal")
    right.axis("off")
    return finish(figure)


def _draw_film(part: Pictures, at: int) -> Figure:
    film = part.film
    when = "the start: ten images" if at == 0 else f"after {count(film.iterations[at], 'iteration')}"
    figure = slide("Centroids forming", f"{when}, J = {film.inertia[at]:,.4g} {PIXEL_UNITS}")
    _draw_tiles(figure, part, film.centers[at], [""] * len(film.centers[at]), 5)
    return finish(figure)


def _draw_mosaic(part: Pictures, number: int) -> Figure:
    summary = part.summaries[number]
    k = summary.n_clusters
    words = f"The majority's name is right for {percent(summary.accuracy or 0)} of the images."
    figure = slide(f"{k} clusters, named by majority", words)
    titled = summary.cluster_names if k <= _MAX_TITLED else None
    names = [shorten(clean(name), 8) for name in titled or [""] * k]
    _draw_tiles(figure, part, summary.cluster_centers, names, -(-k // max(2, round((k / 2) ** 0.5))))
    return finish(figure)


def _draw_tiles(
    figure: Figure, part: Pictures, centers: NDArray[np.float64], names: Sequence[str], n_columns: int
) -> None:
    shown = display_range(part.collection.pixels, part.format)
    n_rows = -(-len(centers) // n_columns)
    width, height = 0.92 / n_columns, 0.8 / n_rows
    for number, (image, name) in enumerate(zip(tiles(centers, part.format, shown), names, strict=True)):
        row, column = divmod(number, n_columns)
        left, top = 0.04 + column * width, 0.83 - row * height
        axes = figure.add_axes((left, top - height, width * 0.9, height * (0.78 if name else 0.9)))
        _show(axes, image)
        if name:
            axes.set_title(name, fontsize=9 if n_rows < 6 else 7, pad=2, color=LIGHT.text)


def _show(axes: Axes, image: NDArray[np.uint8]) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.axis("off")
