"""``kmosaic show``: what a model file holds, in words and as the mosaic of its centroids."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import inertia_words, print_results, written
from kmosaic.cli.options import command, ending_options, option_group, path_option
from kmosaic.cli.outputs import check_picture
from kmosaic.cli.vectors import Vectors, optional_source_argument, vector_file_options
from kmosaic.text import count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kmosaic.cluster import Model
    from kmosaic.models.image_model import ImageFormat

_MEDOIDS = "{}, each the image nearest its centroid"


@command(short_help="Tell what a model is, and draw its centroids.")
@click.argument("model", type=click.Path(path_type=Path))
@optional_source_argument
@option_group(
    "Output",
    path_option(
        "-o", "--output", help="Draw the centroids, with their names, as PNG or SVG by the file's suffix."
    ),
    click.option("--medoids", is_flag=True, help="Draw the image nearest each centroid instead."),
    click.option("--dark", is_flag=True, help="Draw on black."),
)
@vector_file_options
@ending_options
def show(model: Path, output: Path | None, **given: Any) -> None:
    """Tell what MODEL is, and draw the mosaic of its centroids.

    Of a model fitted on --features, whose centroids are no images, the mean image of each cluster is drawn.
    Of one fitted on --vectors, the image nearest each centroid, of those in SOURCE whose --vectors are given.

    \b
    Examples:
      kmosaic show digits.kmosaic
      kmosaic show digits.kmosaic -o centroids.png
      kmosaic show digits.kmosaic -o centroids.svg --dark
      kmosaic show mnist.kmosaic -o medoids.png --medoids
      kmosaic show photos.kmosaic photos/ --vectors embeddings.npy -o nearest.png
    """
    vectors = Vectors.taken_from(given, needed=False)
    chosen = _Choices(**given)
    if output is None and (chosen.source is not None or vectors.given):
        raise click.UsageError("SOURCE and --vectors are for the picture; name it by -o, or leave them out")
    check_picture(output, overwrite=chosen.force)
    from kmosaic.cluster import load_model

    loaded = load_model(model)
    print_results(*_facts(loaded))
    if output is not None:
        draw = _draw_nearest if vectors.given else _draw
        draw(loaded, output, chosen, vectors)
        print_results(written([output]))
    elif not chosen.quiet and loaded.image is not None:
        print_results(f"Next: kmosaic show {shlex.quote(str(model))} -o centroids.png")


@dataclass(frozen=True)
class _Choices:
    """The options of show that more than one step asks for."""

    source: str | None
    medoids: bool
    dark: bool
    force: bool
    quiet: bool


def _facts(model: Model) -> list[str]:
    from kmosaic.features import Recipe

    ended = "converged" if model.converged else "not converged"
    seed = "no fixed seed" if model.seed is None else f"seed {model.seed}"
    recipe = Recipe.of(model)
    pixels = model.image is not None and recipe.keeps_pixels
    words = None if pixels else str(recipe) if recipe.steps else "the rows"
    lines = [
        f"{count(model.n_clusters, 'cluster')} of {_rows_in_words(model)}",
        f"{model.algorithm}, {seed}, {count(model.n_iter, 'iteration')}, {ended}, "
        f"{inertia_words(model.inertia, words, spherical=model.spherical)}, "
        f"by kmosaic {model.kmosaic_version}",
    ]
    if recipe.steps:
        lines.append(f"Seen as: {recipe}, {model.cluster_centers.shape[1]} features")
    if model.trained_on:
        lines.append(f"Fitted on: {model.trained_on}")
    if model.command:
        lines.append(f"Made by: {model.command}")
    if model.cluster_names is not None:
        lines.append(f"Names: {', '.join(dict.fromkeys(sorted(model.cluster_names)))}")
    return lines


def _rows_in_words(model: Model) -> str:
    from kmosaic.features import Recipe

    image, n_rows = model.image, int(model.cluster_sizes.sum())
    if image is None:
        steps = Recipe.of(model).steps
        numbers = count(steps[0].n_features_in_ if steps else model.cluster_centers.shape[1], "number")
        return f"{count(n_rows, 'row')} of {numbers}, which are no images"
    colour = {1: "grey", 3: "RGB"}.get(image.channels, f"{image.channels} channels")
    return f"{count(n_rows, 'image')}, {image.size}, {colour}, {image.dtype}, white is {image.max_value:g}"


def _draw(model: Model, path: Path, chosen: _Choices, _: Vectors) -> None:
    title = None
    if chosen.source is not None:
        raise click.UsageError("SOURCE has the pictures of --vectors; give these too, or leave it out")
    pictures: NDArray[Any] = model.pictures
    image = model.image
    assert image is not None  # else there are no pictures
    if chosen.medoids:
        if model.representation is None or model.representation.medoid_images is None:
            raise click.UsageError("--medoids: the model's centroids are images themselves; leave it out")
        pictures = model.representation.medoid_images
        title = _MEDOIDS.format(count(model.n_clusters, "medoid"))
    _save(model, path, chosen, (pictures, image, title))


def _draw_nearest(model: Model, path: Path, chosen: _Choices, vectors: Vectors) -> None:
    """Draw the image of the vector nearest each centroid."""
    from kmosaic.cli.progress import ProgressBar
    from kmosaic.evaluate import summarise
    from kmosaic.features import Recipe
    from kmosaic.images import ReadOptions
    from kmosaic.report import medoid_pixels

    if chosen.source is None:
        raise click.UsageError("--vectors needs SOURCE, which has their pictures; name it")
    with ProgressBar(quiet=chosen.quiet) as bar:
        given = vectors.load_for(model, Recipe.of(model), chosen.source, ReadOptions(test_fraction=0.0), bar)
        rows = Recipe.of(model).transform(given.rows, progress=bar)
        images = given.images
        assert images is not None  # a source was named
        title = _MEDOIDS.format(count(model.n_clusters, "image"))
        _save(model, path, chosen, (medoid_pixels(images, summarise(model, rows)), images.format, title))


def _save(
    model: Model, path: Path, chosen: _Choices, drawn: tuple[NDArray[Any], ImageFormat, str | None]
) -> None:
    """Draw pictures of the clusters, of one format, under a title."""
    from kmosaic.report import DARK, LIGHT, MosaicText, centroid_mosaic, save_figure

    pictures, image, title = drawn
    texts = MosaicText(names=model.cluster_names, sizes=model.cluster_sizes, title=title)
    figure = centroid_mosaic(pictures, image, texts, theme=DARK if chosen.dark else LIGHT)
    save_figure(figure, path, overwrite=chosen.force)
