"""``kmosaic show``: what a model file holds, in words and as the mosaic of its centroids."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmosaic.cli.console import inertia_words, print_results, written
from kmosaic.cli.options import ending_options, path_option
from kmosaic.cli.outputs import check_picture
from kmosaic.text import count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kmosaic.cluster import Model


@click.command(short_help="Tell what a model is, and draw its centroids.")
@click.argument("model", type=click.Path(path_type=Path))
@path_option(
    "-o", "--output", help="Draw the centroids, with their names, as PNG or SVG by the file's suffix."
)
@click.option("--medoids", is_flag=True, help="Draw the image nearest each centroid instead.")
@click.option("--dark", is_flag=True, help="Draw on black.")
@ending_options
def show(model: Path, output: Path | None, force: bool, quiet: bool, **drawn: bool) -> None:
    """Tell what MODEL is, and draw the mosaic of its centroids.

    Of a model fitted on --features, whose centroids are no images, the mean image of each cluster is drawn.

    \b
    Examples:
      kmosaic show digits.kmosaic
      kmosaic show digits.kmosaic -o centroids.png
      kmosaic show digits.kmosaic -o centroids.svg --dark
      kmosaic show mnist.kmosaic -o medoids.png --medoids
    """
    check_picture(output, overwrite=force)
    from kmosaic.cluster import load_model

    loaded = load_model(model)
    print_results(*_facts(loaded))
    if output is not None:
        _draw(loaded, output, overwrite=force, **drawn)
        print_results(written([output]))
    elif not quiet and loaded.image is not None:
        print_results(f"Next: kmosaic show {shlex.quote(str(model))} -o centroids.png")


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
    image, n_rows = model.image, int(model.cluster_sizes.sum())
    if image is None:
        numbers = count(model.cluster_centers.shape[1], "number")
        return f"{count(n_rows, 'row')} of {numbers}, which are no images: there is no picture to draw"
    colour = {1: "grey", 3: "RGB"}.get(image.channels, f"{image.channels} channels")
    return f"{count(n_rows, 'image')}, {image.size}, {colour}, {image.dtype}, white is {image.max_value:g}"


def _draw(model: Model, path: Path, *, dark: bool, medoids: bool, overwrite: bool) -> None:
    from kmosaic.report import DARK, LIGHT, MosaicText, centroid_mosaic, save_figure

    title = None
    pictures: NDArray[Any] = model.pictures
    image = model.image
    assert image is not None  # else there are no pictures
    if medoids:
        if model.representation is None or model.representation.medoid_images is None:
            raise click.UsageError("--medoids: the model's centroids are images themselves; leave it out")
        pictures = model.representation.medoid_images
        title = f"{count(model.n_clusters, 'medoid')}, each the image nearest its centroid"
    texts = MosaicText(names=model.cluster_names, sizes=model.cluster_sizes, title=title)
    figure = centroid_mosaic(pictures, image, texts, theme=DARK if dark else LIGHT)
    save_figure(figure, path, overwrite=overwrite)
