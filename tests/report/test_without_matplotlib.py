"""Without matplotlib, which comes with an extra: pages are written, and pictures say what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib import colormaps

from kmosaic.report.colours_page import cividis

# Each command line, and whether it works.
COMMANDS = [
    ("fit digits --clusters 4 -o model.kmosaic --report fit.html --quiet", True),
    ("sweep digits --clusters 2,3 --seeds 1 --report sweep.html --quiet", True),
    ("quantize photo.png --colors 4 -o four.png --report colours.html --allow-larger", True),
    ("show model.kmosaic -o model.png", False),
    ("fit digits --clusters 4 -o other.kmosaic --pictures pictures", False),
    ("explain --animation lesson.gif", False),
    ("explain --frames lesson", False),
]
SCRIPT = f"""
import sys
sys.modules["matplotlib"] = None
import numpy as np
from PIL import Image
from click.testing import CliRunner
from kmosaic.cli import main
Image.fromarray(np.arange(3072, dtype=np.uint8).reshape(32, 32, 3)).save("photo.png")
for command, works in {COMMANDS}:
    result = CliRunner().invoke(main, command.split(), catch_exceptions=True)
    said = result.output + str(result.exception or "")
    assert (result.exit_code == 0) is works, (command, said)
    assert works or "pip install 'kmosaic[pictures]'" in said, (command, said)
from kmosaic.errors import MissingLibraryError
try:
    from kmosaic.report import centroid_mosaic
except MissingLibraryError as error:
    assert "kmosaic[pictures]" in str(error)
else:
    raise AssertionError("there is no matplotlib")
"""


def test_pages_are_written_and_pictures_say_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    files = ["colours.html", "fit.html", "four.png", "model.kmosaic", "photo.png", "sweep.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == files


def test_the_colour_map_is_cividis() -> None:
    expected = colormaps["cividis"](np.arange(256))[:, :3] * 255
    assert np.abs(cividis() - expected).max() < 20  # what d3's polynomials of the fifth degree leave
