"""The command line: one module a command. Heavy imports wait inside them, so that help comes at once."""

from __future__ import annotations

import click

from kmosaic.cli.datasets import datasets
from kmosaic.cli.duplicates import duplicates
from kmosaic.cli.errors import CommandGroup
from kmosaic.cli.explain import explain
from kmosaic.cli.fit import fit
from kmosaic.cli.neighbours import neighbours
from kmosaic.cli.options import CONTEXT, version_option
from kmosaic.cli.predict import predict
from kmosaic.cli.quantize import quantize
from kmosaic.cli.segment import segment
from kmosaic.cli.show import show
from kmosaic.cli.superpixels import superpixels
from kmosaic.cli.sweep import sweep
from kmosaic.cli.undo import undo

__all__ = ["main"]


@click.group(name="kmosaic", cls=CommandGroup, context_settings=CONTEXT)
@version_option
def main() -> None:
    """K-means for imagery: which groups are in these images, and what is each of them?

    \b
    Examples:
      kmosaic datasets                        what is here, what can be downloaded
      kmosaic sweep digits                    how many clusters?
      kmosaic fit digits --clusters 36 -o digits.kmosaic --report digits.html
      kmosaic show digits.kmosaic -o centroids.png
      kmosaic predict digits.kmosaic new-images/ -o predictions.csv
      kmosaic fit photos/ --clusters 20 --size 64x64 --sort-into sorted/
      kmosaic duplicates photos/ --size 64x64 which images are nearly the same?
      kmosaic segment scene.tif --clusters 12 -o classes.tif
      kmosaic quantize photo.jpg --colors 64 -o photo.png
      kmosaic superpixels photo.jpg --count 600 -o regions.png
      kmosaic explain -o lesson.html          how does it work?

    A source is the name of a data set, a folder of images (sub-folders are labels), or an .npy, .npz or IDX
    file. Any command explains itself with -h.
    """


_COMMANDS = (
    datasets,
    sweep,
    fit,
    show,
    predict,
    neighbours,
    duplicates,
    segment,
    quantize,
    superpixels,
    explain,
    undo,
)
for _command in _COMMANDS:
    main.add_command(_command)
