"""``kmosaic show``: what a model file holds, in words and as the mosaic of its centroids."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kmosaic.cli.console import plural, say, written
from kmosaic.cli.options import ending_options, path_option
from kmosaic.cli.outputs import check_picture

if TYPE_CHECKING:
    from kmosaic.cluster import Model


@click.command(short_help="Tell what a model is, and draw its centroids.")
@click.argument("model", type=click.Path(path_type=Path))
@path_option(
    "-o", "--output", help="Draw the centroids, with their names, as PNG or SVG by the file's suffix."
)
@click.option("--dark", is_flag=True, help="Draw on black.")
@ending_options
def show(model: Path, output: Path | None, dark: bool, force: bool, quiet: bool) -> None:
    """Tell what MODEL is, and draw the mosaic of its centroids.

    \b
    Examples:
      kmosaic show digits.kmosaic
      kmosaic show digits.kmosaic -o centroids.png
      kmosaic show digits.kmosaic -o centroids.svg --dark
    """
    check_picture(output, overwrite=force)
    from kmosaic.cluster import load_model

    loaded = load_model(model)
    say(*_facts(loaded))
    if output is not None:
        _draw(loaded, output, dark=dark, overwrite=force)
        say(written([output]))
    elif not quiet:
        say(f"Next: kmosaic show {shlex.quote(str(model))} -o centroids.png")


def _facts(model: Model) -> list[str]:
    image = model.image
    colour = {1: "grey", 3: "RGB"}.get(image.channels, f"{image.channels} channels")
    ended = "converged" if model.converged else "not converged"
    seed = "no fixed seed" if model.seed is None else f"seed {model.seed}"
    lines = [
        f"{plural(model.n_clusters, 'cluster')} of {plural(int(model.cluster_sizes.sum()), 'image')}, "
        f"{image.width} x {image.height} pixels, {colour}, {image.dtype}, white is {image.max_value:g}",
        f"{model.algorithm}, {seed}, {plural(model.n_iter, 'iteration')}, {ended}, "
        f"inertia J {model.inertia:,.0f} (squared pixel values), by kmosaic {model.kmosaic_version}",
    ]
    if model.trained_on:
        lines.append(f"Fitted on: {model.trained_on}")
    if model.command:
        lines.append(f"Made by: {model.command}")
    if model.cluster_names is not None:
        lines.append(f"Names: {', '.join(dict.fromkeys(sorted(model.cluster_names)))}")
    return lines


def _draw(model: Model, path: Path, *, dark: bool, overwrite: bool) -> None:
    from kmosaic.report import DARK, LIGHT, MosaicText, centroid_mosaic, save_figure

    texts = MosaicText(names=model.cluster_names, sizes=model.cluster_sizes)
    figure = centroid_mosaic(model.cluster_centers, model.image, texts, theme=DARK if dark else LIGHT)
    save_figure(figure, path, overwrite=overwrite)
