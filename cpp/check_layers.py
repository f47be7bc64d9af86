"""Checks that C++ files include only what lies in the layers below them: python cpp/check_layers.py"""

from __future__ import annotations

import re
import sys
from pathlib import Path

BELOW = {
    "kernels": "",
    "core": "kernels",
    "exact": "core kernels",
    "filters": "exact core kernels",
    "update": "core kernels",
    "assign": "update filters exact core kernels",
    "seeding": "assign filters exact core kernels",
    "extras": "filters exact core kernels",
    "bindings": "seeding extras assign update filters exact core kernels",
}


def broken_includes(cpp: Path) -> list[str]:
    """Name every include that goes up, sideways, or into a folder without a layer."""
    broken = []
    for path in sorted(cpp.glob("*/*.[ch]pp")):
        layer = path.parent.name
        if layer in ("tests", "fuzz"):  # they may use everything
            continue
        for included in re.findall(r'#include "([^"]+)"', path.read_text(encoding="utf-8")):
            folder = included.partition("/")[0]
            if folder != layer and folder not in BELOW.get(layer, "").split():
                broken.append(f"{path.relative_to(cpp)} includes {included}: {layer} is not above {folder}")
    return broken


if __name__ == "__main__":
    found = broken_includes(Path(__file__).parent)
    sys.exit("\n".join(found) or None)
