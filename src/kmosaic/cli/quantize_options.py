"""The options of ``kmosaic quantize``."""

from __future__ import annotations

import click

from kmosaic.cli.options import RealRange, WholeNumber, option_group, path_option, threads_option

# colours.palette_files.MAX_COLORS; the command line starts without importing what it need not.
_MAX_COLORS = 256


palette_options = option_group(
    "Colours",
    click.option(
        "--colors", "-k", type=WholeNumber(1, _MAX_COLORS), help=f"How many colours. [default: {_MAX_COLORS}]"
    ),
    click.option(
        "--quality",
        type=RealRange(max=100.0),
        help="About the fewest colours whose SSIMULACRA2 score is at least this: 90 looks the same, "
        "70 is high quality, 50 medium; it means little for pictures smaller than 64 x 64.",
    ),
    path_option(
        "--palette", help="Use the colours of this file: .gpl, .ase, .aco, .json, .css, .hex or a .png strip."
    ),
    click.option("--extra", type=WholeNumber(0), default=0, help="Find so many colours besides."),
    click.option("--shared-palette", is_flag=True, help="One palette for all pictures."),
    click.option("--medoids", is_flag=True, help="Only colours that occur in the picture."),
    click.option(
        "--saliency",
        type=RealRange(0.0, 1.0),
        default=0.0,
        help="How much rare colours count: at 0 every pixel counts the same, at 1 every colour does.",
    ),
    click.option(
        "--exact",
        is_flag=True,
        help="Fit all distinct colours until no label changes; else neighbours are merged first, which "
        "is many times faster.",
    ),
    click.option("--seed", type=WholeNumber(0, 2**32 - 1), default=0, help="Seed of the first colours."),
    click.option(
        "--space",
        type=click.Choice(["oklab", "srgb", "linear"]),
        default="oklab",
        help="Where colours are compared: oklab as eyes do, srgb for the least squared error.",
    ),
    click.option(
        "--dither",
        type=click.Choice(["diffusion", "blue-noise", "none"]),
        default="diffusion",
        help="How colours are mixed from neighbouring pixels.",
    ),
    click.option(
        "--strength",
        type=RealRange(0.0, 1.0),
        default=0.75,
        help="How much of the error dithering passes on.",
    ),
)


output_options = option_group(
    "Output",
    path_option(
        "-o",
        "--output",
        help="Where to write the picture: .png, .gif or .webp; a folder for several; - for stdout.",
    ),
    click.option(
        "--format",
        "suffix",
        type=click.Choice(["png", "gif", "webp"]),
        default="png",
        help="The format of pictures in a folder, and on stdout.",
    ),
    path_option("--labels", help="Write each pixel's colour number as a grey PNG."),
    path_option("--swatches", help="Draw the palette as a PNG strip."),
    path_option("--palette-out", help="Write the palette: .gpl, .ase, .aco, .json, .css, .hex, .png."),
    path_option("--json", "json_out", help="Write palette and measures as JSON."),
    path_option("--report", help="Write a web page with the picture beside its original."),
    click.option("--keep-metadata", is_flag=True, help="Keep Exif data and density."),
    click.option(
        "--allow-larger",
        is_flag=True,
        help="Write the picture even where the original, in the same format, is smaller. "
        "With --palette that is always so.",
    ),
    click.option("--jobs", type=WholeNumber(1, 256), default=1, help="Pictures at once."),
    threads_option,
)
