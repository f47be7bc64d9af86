"""Pictures of the clusters as a whole: their sizes, and how their names agree with the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from kmosaic.report.member_rows import min_purity
from kmosaic.report.theme import LIGHT, Theme, finish, new_figure, set_title, style_axes
from kmosaic.report.wording import clean, shorten, text_pixels
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.evaluate import ClusterSummary

_MAX_NAMED_BARS = 40
_MAX_ANNOTATED_LABELS = 30
_MAX_NAMED_LABELS = 60


def cluster_sizes(summary: ClusterSummary, *, theme: Theme = LIGHT) -> Figure:
    """Return the number of images in each cluster as bars, largest first, coloured by purity if known.

    Up to 40 clusters the bars are titled with the clusters' names and numbers.
    """
    sizes = np.asarray(summary.cluster_sizes)
    order = np.argsort(-sizes, kind="stable")
    k = len(sizes)
    figure = new_figure(820, 420, theme)
    named = k <= _MAX_NAMED_BARS
    names = _bar_names(summary, order) if named else []
    below = _name_height(names)
    colour_room = 92 if summary.cluster_purity is not None else 0
    axes = figure.add_axes(
        (96 / 820, (52 + below) / 420, (820 - 96 - 24 - colour_room) / 820, (420 - 104 - below) / 420)
    )
    style_axes(axes, theme)
    bars = axes.bar(
        np.arange(k), sizes[order], width=0.8 if named else 1.0, color=_bar_colours(summary, order, theme)
    )
    # Each end of the colour scale comes close to one of the two backgrounds: a line keeps the bars' outline.
    if named:
        for bar in bars:
            bar.set(edgecolor=theme.muted, linewidth=0.7)
    else:
        axes.stairs(sizes[order], np.arange(k + 1) - 0.5, color=theme.muted, linewidth=0.8)
    _mark_mean(axes, float(sizes.mean()), theme)
    axes.set(
        xlim=(-0.6, k - 0.4), ylim=(0, max(1, sizes.max(initial=0)) * 1.06), ylabel="Images in the cluster"
    )
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _label_bars(axes, names, k)
    if names and summary.cluster_names is not None:
        axes.set_xlabel('Cluster, and its "name"')
    set_title(axes, f"Sizes of {count(k, 'cluster')}, largest first", theme)
    if summary.cluster_purity is not None:
        box = axes.get_position()
        beside = (box.x1 + 22 / 820, box.y0, 14 / 820, box.height)
        _colour_scale(figure, _purity_mappable(summary, theme), beside, "Purity", theme)
    return finish(figure)


def _mark_mean(axes: Axes, mean: float, theme: Theme) -> None:
    axes.axhline(mean, color=theme.muted, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"mean {mean:,.0f}",
        (1, mean),
        (-2, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=9.5,
        color=theme.muted,
    )


def _bar_names(summary: ClusterSummary, order: NDArray[np.int64]) -> list[str]:
    if summary.cluster_names is None:
        return [str(cluster) for cluster in order]
    names = [shorten(clean(summary.cluster_names[cluster]), 12) for cluster in order]
    return [f'{cluster} "{name}"' for cluster, name in zip(order, names, strict=True)]


def _name_height(names: list[str]) -> float:
    """Pixels that upright names take below the axis; 0 where they lie flat."""
    longest = max((text_pixels(name, 9) for name in names), default=0)
    return 0 if longest * len(names) < 600 else longest - 4


def _label_bars(axes: Axes, names: list[str], k: int) -> None:
    if names:
        upright = _name_height(names) > 0
        axes.set_xticks(np.arange(k), names, rotation=90 if upright else 0)
        axes.tick_params(axis="x", length=0, labelsize=9)
    else:
        axes.set_xticks([])
    axes.set_xlabel("Cluster" if names else f"Clusters, 1st to {k:,}th by size")


def _bar_colours(summary: ClusterSummary, order: NDArray[np.int64], theme: Theme) -> object:
    if summary.cluster_purity is None:
        return theme.series[0]
    purity = np.nan_to_num(np.asarray(summary.cluster_purity, dtype=np.float64)[order])
    return _purity_mappable(summary, theme).to_rgba(purity)


def _purity_mappable(summary: ClusterSummary, theme: Theme) -> ScalarMappable:
    return ScalarMappable(Normalize(min_purity(summary), 1), cmap=theme.colormap)


def _colour_scale(
    figure: Figure, colours: ScalarMappable, box: tuple[float, float, float, float], label: str, theme: Theme
) -> None:
    """Draw the scale of shares beside the axes, in ``box``, without a frame."""
    axes = figure.add_axes(box)
    figure.colorbar(colours, cax=axes).outline.set_visible(False)
    style_axes(axes, theme, grid=None)
    axes.spines[:].set_visible(False)
    axes.set_ylabel(label)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def confusion_matrix(summary: ClusterSummary, *, theme: Theme = LIGHT) -> Figure:
    """Return the confusion matrix: rows are true labels, columns names given, colour the share of the row.

    Up to 30 labels every cell that is not empty bears its number of images.

    Raises
    ------
    ValueError
        When no labels are known.
    """
    if summary.confusion is None or summary.label_names is None:
        raise ValueError("a confusion matrix needs true labels, and this summary has none")
    confusion = np.asarray(summary.confusion)
    names = [shorten(clean(name), 16) for name in summary.label_names]
    n = len(names)
    widest = text_pixels(f"{confusion.max(initial=0):,}", 9.5)
    cell = max(38, 10 + widest, 240 / n) if n <= _MAX_ANNOTATED_LABELS else 0
    side = cell * n if cell else max(480, min(900, 15 * n))
    room = 46 + (max(text_pixels(name, 10) for name in names) if n <= _MAX_NAMED_LABELS else 30)
    width, height = room + side + 110, 62 + side + room
    figure = new_figure(width, height, theme)
    axes = figure.add_axes((room / width, room / height, side / width, side / height))
    style_axes(axes, theme, grid=None)
    shares = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    mappable = axes.imshow(shares, cmap=theme.colormap, vmin=0, vmax=1, interpolation="none", aspect="auto")
    _label_matrix(axes, names, side / n)
    if cell:
        _annotate(axes, confusion, shares)
    set_title(axes, "True label against name given", theme)
    beside = ((room + side + 20) / width, room / height, 14 / width, side / height)
    _colour_scale(figure, mappable, beside, "Share of the row", theme)
    return finish(figure)


def _label_matrix(axes: Axes, names: list[str], cell: float) -> None:
    axes.set(xlabel="Name of the image's cluster", ylabel="True label")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(names) > _MAX_NAMED_LABELS:
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(10, integer=True))
        axes.set(
            xlabel="Name of the image's cluster (number of the label)",
            ylabel="True label (number of the label)",
        )
        return
    upright = max(text_pixels(name, 10) for name in names) > cell - 6
    axes.set_xticks(np.arange(len(names)), names, rotation=90 if upright else 0)
    axes.set_yticks(np.arange(len(names)), names)
    if cell < 16:
        axes.tick_params(labelsize=9)


def _annotate(axes: Axes, confusion: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    for row, column in np.argwhere(confusion > 0):
        # Cividis passes mid-grey at about a half: white stands on its dark end, near-black on its light one.
        colour = "#16181d" if shares[row, column] > 0.5 else "#ffffff"
        text = f"{int(confusion[row, column]):,}"
        axes.text(column, row, text, ha="center", va="center", fontsize=9.5, color=colour)
