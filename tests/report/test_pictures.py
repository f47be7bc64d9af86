"""The pictures hold the data they are of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from kmosaic.errors import OutputError
from kmosaic.evaluate import STARTING_DOCUMENT, ClusterSummary, SweepResult
from kmosaic.images.collection import ImageCollection
from kmosaic.models.image_model import ImageFormat
from kmosaic.report import (
    DARK,
    LIGHT,
    CurveOptions,
    MosaicText,
    centroid_mosaic,
    cluster_members,
    cluster_sizes,
    clusters_to_show,
    confusion_matrix,
    first_images,
    inertia_history,
    save_figure,
    sweep_curve,
    sweep_curves,
)
from kmosaic.report.pictures import figure_bytes
from kmosaic.report.tiles import tiles

from .conftest import HOSTILE, run


def texts(figure: Figure) -> list[str]:
    """Every text of a figure that says something."""
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]


def drawn(figure: Figure) -> list[np.ndarray]:
    """The images of a figure in drawing order, those of three equal channels as grey."""
    found = [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]
    return [a[..., 0] if a.ndim == 3 and (a == a[..., :1]).all() else a for a in found]


def line(axes: Axes, label: str) -> tuple[list[float], list[float]]:
    """The points of the line with a label."""
    found = next(candidate for candidate in axes.lines if candidate.get_label() == label)
    return list(map(float, found.get_xdata())), list(map(float, found.get_ydata()))


def assert_texts_apart(figure: Figure) -> None:
    """No two texts overlap, and none leaves the figure."""
    with patch.object(Text, "draw", autospec=True) as draw:
        FigureCanvasAgg(figure).draw()
    shown = {id(call.args[0]): call.args[0] for call in draw.call_args_list}.values()
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown if text.get_text().strip()]
    left = np.array([box.x0 for _, box in boxes])
    right = np.array([box.x1 for _, box in boxes])
    low, high = np.array([box.y0 for _, box in boxes]), np.array([box.y1 for _, box in boxes])
    meet = (left[:, None] < right - 1) & (left < right[:, None] - 1)
    meet &= (low[:, None] < high - 3) & (low < high[:, None] - 3)
    np.fill_diagonal(meet, False)
    assert not meet.any(), [boxes[i][0] + " | " + boxes[j][0] for i, j in np.argwhere(meet)[:4]]
    assert left.min() >= -1
    assert low.min() >= -1
    assert right.max() <= figure.bbox.x1 + 1
    assert high.max() <= figure.bbox.y1 + 1


# The first images and the centroids


def test_first_images_are_the_first_with_their_labels(digits: ImageCollection) -> None:
    figure = first_images(digits, 20)
    expected = tiles(digits.pixels[:20], digits.format)
    for image, tile in zip(drawn(figure), expected, strict=True):
        np.testing.assert_array_equal(image, tile)
    assert texts(figure)[3:23] == [str(label) for label in digits.labels[:20]]


def test_first_images_without_labels_have_no_titles(unlabelled: ImageCollection) -> None:
    figure = first_images(unlabelled, 20)
    assert len(drawn(figure)) == 20
    assert len(texts(figure)) == 3  # the heading, how to read it, the grey scale
    assert "no labels known" in texts(figure)[1]


def test_no_images_are_an_error(digits: ImageCollection) -> None:
    with pytest.raises(ValueError, match="least.*image"):
        first_images(digits.take([]))


def test_mosaic_holds_every_centroid_in_order() -> None:
    for k in [1, 2, 10, 36, 100, 400]:
        centers = np.random.default_rng(k).uniform(0, 255, (k, 64))
        names = [str(number % 10) for number in range(k)]
        sizes = [number * 7 for number in range(k)]
        figure = centroid_mosaic(centers, ImageFormat(8, 8, 1, "uint8", 255), MosaicText(names, sizes))
        for image, center in zip(drawn(figure), centers, strict=True):
            np.testing.assert_array_equal(image, np.rint(center).reshape(8, 8))
        titles = texts(figure)[2:]
        assert titles[::2] == names
        assert titles[1::2] == [f"{size:,}" for size in sizes]
        assert_texts_apart(figure)


def test_mosaic_of_36_is_six_by_six() -> None:
    figure = centroid_mosaic(np.zeros((36, 64)), ImageFormat(8, 8, 1, "uint8", 255))
    corners = [(image.get_extent()[0], image.get_extent()[3]) for image in figure.axes[0].images]
    assert len({left for left, _ in corners}) == 6
    assert len({top for _, top in corners}) == 6
    assert corners == sorted(corners, key=lambda corner: (corner[1], corner[0]))


def test_mosaic_takes_images_of_any_shape() -> None:
    for height, width, channels in [(8, 8, 3), (30, 10, 1), (3, 40, 1), (1, 12, 1), (12, 1, 1), (5, 5, 6)]:
        form = ImageFormat(height, width, channels, "float32", 1.0)
        centers = np.random.default_rng(0).uniform(-1, 1, (7, form.n_features))
        figure = centroid_mosaic(centers, form, theme=DARK)
        for image, tile in zip(drawn(figure), tiles(centers, form), strict=True):
            np.testing.assert_array_equal(image, tile)
        assert_texts_apart(figure)


def test_long_names_are_cut_not_overlapping() -> None:
    names = ["automobile", "a very long name indeed", "猫と犬と鳥と魚", "$x_1$"] * 25
    figure = centroid_mosaic(
        np.zeros((100, 64)), ImageFormat(8, 8, 1, "uint8", 255), MosaicText(names, [9999] * 100)
    )
    assert_texts_apart(figure)
    assert "automobile" in texts(figure)
    assert "$x_1$" in texts(figure)


def test_very_many_centroids_go_without_titles() -> None:
    figure = centroid_mosaic(np.zeros((1000, 4)), ImageFormat(2, 2, 1, "uint8", 255), ["name"] * 1000)
    assert len(drawn(figure)) == 1000
    assert "left out" in texts(figure)[1]
    assert len(texts(figure)) == 2


def test_mosaic_refuses_what_does_not_go_together() -> None:
    for shape, names, message in [
        ((4, 63), None, "features|need"),
        ((0, 64), None, "need"),
        ((4, 64), ["a"] * 3, "3 names for 4"),
    ]:
        with pytest.raises(ValueError, match=message):
            centroid_mosaic(np.zeros(shape), ImageFormat(8, 8, 1, "uint8", 255), names)


# Members


def test_members_are_nearest_farthest_and_wrongly_named(
    digits: ImageCollection, summary: ClusterSummary
) -> None:
    cluster = int(np.nanargmin(summary.cluster_purity))
    figure = cluster_members(digits, summary, cluster, n=5)
    rows = [*summary.nearest(cluster, 5), *summary.farthest(cluster, 5), *summary.wrongly_named(cluster, 5)]
    expected = [summary.cluster_centers[cluster], *digits.pixels[rows]]
    for image, row in zip(drawn(figure), expected, strict=True):
        np.testing.assert_array_equal(image, tiles(row[None], digits.format)[0])
    bold = [t for t in figure.findobj(Text) if t.get_fontweight() == "bold" and t.get_color() == LIGHT.wrong]
    names = np.array(digits.label_names)[digits.labels[rows]]
    assert [t.get_text() for t in bold] == [n for n in names if n != summary.cluster_names[cluster]]
    assert {"nearest", "farthest", "named wrongly"} <= set(texts(figure))
    assert_texts_apart(figure)


def test_members_of_several_clusters_and_of_tiny_ones(
    digits: ImageCollection, summary: ClusterSummary
) -> None:
    figure = cluster_members(digits, summary, [0, 3, 5], n=400)
    assert all(any(text.startswith(f"Cluster {c}, named ") for text in texts(figure)) for c in (0, 3, 5))
    n_wrong = sum(len(summary.wrongly_named(c, 400)) for c in (0, 3, 5))
    assert len(drawn(figure)) == 3 + int(summary.cluster_sizes[[0, 3, 5]].sum()) + n_wrong


def test_the_centroids_title_is_never_cut() -> None:
    for size, label in [
        ((48, 48), ""),
        ((28, 28), "x"),
        ((100, 10), ""),
        ((100, 10), "a very long label of an image"),
        ((64, 64), "a very long label of an image"),
    ]:
        from .conftest import clustered

        form = ImageFormat(*size, 1, "uint8", 255)
        pixels = np.random.default_rng(0).integers(0, 256, (60, form.n_features)).astype(np.uint8)
        labels = np.arange(60) % 2 if label else None
        names = (label, f"{label} too") if label else None
        collection = ImageCollection("noise", pixels, form, labels, names, tuple(map(str, range(60))))
        figure = cluster_members(collection, clustered(collection, 3), [0, 1, 2], n=8)
        assert texts(figure).count("centroid") == 3
        assert_texts_apart(figure)


def test_members_without_labels(unlabelled: ImageCollection) -> None:
    from .conftest import clustered

    summary = clustered(unlabelled, 4)
    figure = cluster_members(unlabelled, summary, 1)
    assert len(drawn(figure)) == 1 + 8 + 8
    assert not any("wrong" in text for text in texts(figure))


def test_members_of_no_cluster_are_an_error(digits: ImageCollection, summary: ClusterSummary) -> None:
    for clusters in [[], [12], [-1]]:
        with pytest.raises(ValueError, match="12 clusters"):
            cluster_members(digits, summary, clusters)


def test_members_of_other_images_are_an_error(digits: ImageCollection, summary: ClusterSummary) -> None:
    with pytest.raises(ValueError, match="599 images.*600"):
        cluster_members(digits.take(range(599)), summary, 0)


def test_clusters_to_show_are_the_largest_and_the_least_pure(summary: ClusterSummary) -> None:
    shown = clusters_to_show(summary, 4)
    assert len(shown) == 4
    assert int(np.argmax(summary.cluster_sizes)) in shown
    assert int(np.nanargmin(summary.cluster_purity)) in shown
    assert clusters_to_show(summary, 99) == list(range(12))
    empty = replace(summary, cluster_sizes=np.where(np.arange(12) == 2, 0, summary.cluster_sizes))
    assert 2 not in clusters_to_show(empty, 99)


# Sizes and confusion


def test_sizes_are_bars_of_all_clusters_largest_first(summary: ClusterSummary) -> None:
    figure = cluster_sizes(summary)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == sorted(summary.cluster_sizes.tolist(), reverse=True)
    assert figure.axes[0].get_ylim()[0] == 0
    assert_texts_apart(figure)


def test_sizes_of_any_number_of_clusters() -> None:
    for theme, k in [(LIGHT, 1), (LIGHT, 40), (LIGHT, 41), (DARK, 400)]:
        names = tuple(["a rather long name for a cluster"] * k)
        sizes = np.arange(k) * 1000
        purity = np.full(k, np.nan)
        figure = cluster_sizes(
            SimpleNamespace(
                cluster_sizes=sizes, cluster_names=names, cluster_purity=purity, label_names=None
            ),
            theme=theme,
        )
        assert_texts_apart(figure)


def test_bars_are_named_by_number_and_quoted_name(summary: ClusterSummary) -> None:
    axes = cluster_sizes(summary).axes[0]
    order = np.argsort(-summary.cluster_sizes, kind="stable")
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert ticks == [f'{cluster} "{summary.cluster_names[cluster]}"' for cluster in order]
    assert "name" in axes.get_xlabel()


def test_purity_is_coloured_from_the_least_there_can_be() -> None:
    for n_labels, least in [(10, 0.1), (2, 0.5), (1, 0.0)]:
        purity = np.array([max(least, 0.2), 1.0])
        figure = cluster_sizes(
            SimpleNamespace(
                cluster_sizes=np.array([2, 1]),
                cluster_names=("0", "0"),
                cluster_purity=purity,
                label_names=tuple(map(str, range(n_labels))),
            )
        )
        assert figure.axes[1].get_ylim() == pytest.approx((least, 1))
        colours = [bar.get_facecolor() for bar in figure.axes[0].patches]
        ramp = mpl.colormaps[LIGHT.colormap]
        assert colours == [ramp(float((value - least) / (1 - least))) for value in purity]


def test_confusion_is_annotated_with_its_numbers() -> None:
    for n in [2, 10, 30]:
        matrix = np.random.default_rng(0).integers(0, 3, (n, n)) * 1234
        names = tuple(f"label number {number}" for number in range(n))
        figure = confusion_matrix(SimpleNamespace(confusion=matrix, label_names=names))
        np.testing.assert_allclose(
            drawn(figure)[0], matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
        )
        cells = [text.get_text() for text in figure.axes[0].texts]
        assert cells == [f"{value:,}" for value in matrix[matrix > 0]]
        assert_texts_apart(figure)


def test_large_confusion_goes_without_numbers() -> None:
    for n in [31, 60, 61, 200]:
        names = tuple(f"label number {number}" for number in range(n))
        figure = confusion_matrix(
            SimpleNamespace(confusion=np.eye(n, dtype=int), label_names=names), theme=DARK
        )
        assert not figure.axes[0].texts
        assert_texts_apart(figure)


def test_confusion_needs_labels(summary: ClusterSummary) -> None:
    with pytest.raises(ValueError, match="needs true labels"):
        confusion_matrix(replace(summary, confusion=None))


# Curves


def test_curves_are_the_table(result: SweepResult) -> None:
    for theme in [LIGHT, DARK]:
        options = CurveOptions(theme, STARTING_DOCUMENT, recommended=36)
        figure = sweep_curves(result, options)
        inertia, scores, time = figure.axes
        by_axes = {
            inertia: ["inertia_scaled"],
            scores: ["homogeneity", "accuracy_train", "accuracy_test"],
            time: ["fit_seconds"],
        }
        for axes, columns in by_axes.items():
            for column, band in zip(columns, axes.collections, strict=True):
                spreads = [row[column] for row in result.table()]
                assert line(axes, f"_{column}") == ([10, 36, 256], [spread.mean for spread in spreads])
                heights = {float(y) for _, y in band.get_paths()[0].vertices}
                assert {bound for s in spreads for bound in (s.min, s.max)} <= heights
                points = line(axes, f"_{column} runs")
                assert sorted(points[1]) == sorted(float(getattr(run, column)) for run in result.runs)
        within = [row for row in STARTING_DOCUMENT if 10 <= row.n_clusters <= 256]
        assert line(inertia, "_starting document")[1] == [row.inertia for row in within]
        assert_texts_apart(figure)


def test_axes_are_honest(result: SweepResult) -> None:
    inertia, scores, time = sweep_curves(result).axes
    assert inertia.get_ylim()[0] == 0
    assert time.get_ylim()[0] == 0
    assert scores.get_ylim() == (0, 1)
    for axes in (inertia, scores, time):
        assert axes.get_xscale() == "log"
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10", "36", "256"]
        assert list(axes.get_xticks()) == [10, 36, 256]
    assert "scaled to 0..1" in inertia.get_ylabel()
    assert "seconds" in time.get_ylabel()


def test_what_dashes_mean_stands_clear_of_the_marks() -> None:
    for recommended in [10, 36, 144, 256, 400]:
        result = SweepResult(tuple(run(k, seed) for k in (10, 36, 144, 256, 400) for seed in (0, 1)))
        figure = sweep_curve(result, "scores", CurveOptions(LIGHT, STARTING_DOCUMENT, recommended))
        assert_texts_apart(figure)
        axes = figure.axes[0]
        legend = axes.get_legend()
        assert [text.get_text() for text in legend.get_texts()] == ["dashed: starting document"]
        assert legend.get_window_extent().y0 > axes.get_window_extent().y1


def test_without_labels_stability_and_silhouette_are_drawn() -> None:
    result = SweepResult(tuple(run(k, seed, labelled=False) for k in range(2, 40) for seed in (0, 1)))
    figure = sweep_curves(result)
    assert any("stability" in text for text in texts(figure))
    assert not any("accuracy" in text for text in texts(figure))
    assert_texts_apart(figure)


def test_without_any_scores_two_curves_are_left() -> None:
    bare = replace(run(8, 0, labelled=False), silhouette=None, stability=None)
    assert len(sweep_curves(SweepResult((bare,))).axes) == 2
    with pytest.raises(ValueError, match="no scores"):
        sweep_curve(SweepResult((bare,)), "scores")


def test_a_sweep_without_runs_is_an_error() -> None:
    with pytest.raises(ValueError, match="no runs"):
        sweep_curves(SweepResult(()))


def test_history_marks_both_half_steps() -> None:
    values = np.array([9e9, 8e9, 7.5e9, 7.4e9, 7.39e9])
    axes = inertia_history(values).axes[0]
    assert line(axes, "after the assignment step") == ([1, 2, 3], [9e9, 7.5e9, 7.39e9])
    assert line(axes, "after the update step") == ([1.5, 2.5], [8e9, 7.4e9])
    assert any("axis starts at" in text.get_text() for text in axes.texts)
    assert "in billions" in axes.get_ylabel()


def test_both_panels_of_a_history_count_in_one_unit() -> None:
    values = np.concatenate([[1.9e6, 1.3e6], 9.6e5 * (1 + 0.04 * np.exp(-np.arange(58) / 6))])
    first, rest = inertia_history(values).axes
    assert "in millions" in first.get_ylabel()
    assert rest.get_ylabel() == ""
    for axes in (first, rest):
        low, high = axes.get_ylim()
        shown = [tick for tick in axes.get_yticks() if low <= tick <= high]
        written = [
            tick.get_text() for tick in axes.get_yticklabels() if low <= tick.get_position()[1] <= high
        ]
        assert [float(text) * 1e6 for text in written] == pytest.approx(shown, rel=1e-9)
        assert len({len(text) for text in written}) == 1
        start = next(text.get_text() for text in axes.texts).removeprefix("axis starts at ")
        assert float(start) * 1e6 == pytest.approx(low)
        assert len(start) <= 4  # a round number


def test_ticks_close_together_are_told_apart() -> None:
    axes = inertia_history(2e6 + np.linspace(1e-1, 0, 20)).axes[0]
    written = [tick.get_text() for tick in axes.get_yticklabels()]
    assert len(set(written)) == len(written) > 2


def test_history_of_any_length() -> None:
    for n in [1, 2, 30, 31, 601]:
        values = 1e5 * (1 + np.exp(-np.arange(n) / 9))
        figure = inertia_history(values)
        assert len(figure.axes) == (1 if n <= 30 else 2)
        assert line(figure.axes[-1], "_J")[1] == (values if n <= 30 else values[2:]).tolist()
        assert_texts_apart(figure)


def test_history_of_mini_batches_counts_batches() -> None:
    axes = inertia_history([3.0, 2.0, 1.0], half_steps=False).axes[0]
    assert line(axes, "_J") == ([1, 2, 3], [3, 2, 1])
    assert axes.get_xlabel() == "Batch"
    assert len(axes.lines) == 1


def test_no_history_is_an_error() -> None:
    with pytest.raises(ValueError, match="no inertia history"):
        inertia_history([])


# Files and state


def test_saved_twice_is_the_same_file(tmp_path: Path, result: SweepResult) -> None:
    for suffix in [".png", ".svg", ".PNG"]:
        first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        for path in (first, second):
            save_figure(sweep_curves(result), path)
        assert first.read_bytes() == second.read_bytes()
        assert sorted(path.name for path in tmp_path.iterdir()) == [first.name, second.name]
        first.unlink()
        second.unlink()


def test_png_has_the_layouts_size_and_sharp_pixels(tmp_path: Path) -> None:
    centers = np.random.default_rng(0).integers(0, 256, (4, 64)).astype(float)
    figure = centroid_mosaic(centers, ImageFormat(8, 8, 1, "uint8", 255))
    pixels = np.asarray(Image.open(save_figure(figure, tmp_path / "m.png")).convert("L"))
    left, right, bottom, top = (round(edge) for edge in figure.axes[0].images[3].get_extent())
    scale = (right - left) // 8
    block = pixels[top:bottom, left:right].reshape(8, scale, 8, scale)
    np.testing.assert_array_equal(block, np.broadcast_to(centers[3].reshape(8, 1, 8, 1), block.shape))


def test_an_existing_picture_is_kept(tmp_path: Path, result: SweepResult) -> None:
    path = tmp_path / "a.svg"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        save_figure(sweep_curves(result), path)
    assert path.read_text() == "mine"
    save_figure(sweep_curves(result), path, overwrite=True)
    assert path.read_bytes().startswith(b"<?xml")


def test_other_suffixes_are_refused(tmp_path: Path, result: SweepResult) -> None:
    for name in ["a.jpg", "a", "a.html"]:
        with pytest.raises(OutputError, match=r"\.png or \.svg"):
            save_figure(sweep_curves(result), tmp_path / name)
        assert not list(tmp_path.iterdir())


def test_hostile_labels_are_drawn_literally(hostile: ImageCollection) -> None:
    figure = first_images(hostile, 40)
    assert "${x_1$" in texts(figure)
    assert not any("\n" in text or "\udcff" in text for text in texts(figure))
    assert b"<script>" not in figure_bytes(figure, "svg")
    assert HOSTILE not in texts(figure)


def test_threads_draw_what_one_draws(result: SweepResult) -> None:
    before = dict(mpl.rcParams)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: figure_bytes(sweep_curve(result, "inertia"), "svg"), range(8)))
    assert set(drawn) == {figure_bytes(sweep_curve(result, "inertia"), "svg")}
    assert dict(mpl.rcParams) == before
