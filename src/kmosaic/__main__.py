"""``kmosaic`` and ``python -m kmosaic``: the command line."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the command line. Ctrl-C ends it in one line even while it is still being imported."""
    try:
        from kmosaic.cli import main

        main(prog_name="kmosaic")
    except KeyboardInterrupt:
        sys.stderr.write("kmosaic: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    run()
