"""``python -m kmosaic``: the command line."""

from __future__ import annotations

from kmosaic.cli import main

if __name__ == "__main__":
    main(prog_name="kmosaic")
