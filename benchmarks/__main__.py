"""Every benchmark in turn: ``python -m benchmarks``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Run each script beside this file with its defaults."""
    for script in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        print(f"\n## {script.stem}\n", flush=True)
        subprocess.run([sys.executable, script], check=True)


if __name__ == "__main__":
    main()
