"""What made a result: command, versions, machine, seeds and date."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from kmosaic.version import VERSION


@dataclass(frozen=True)
class Versions:
    """The versions and the machine that a result depends on."""

    kmosaic: str
    python: str
    numpy: str
    cpu: str
    system: str
    instruction_set: str | None = None

    @classmethod
    def here(cls, instruction_set: str | None = None) -> Versions:
        """Return those of this process; ``instruction_set`` names the kernels in use, if known."""
        return cls(
            kmosaic=VERSION,
            python=platform.python_version(),
            numpy=np.__version__,
            cpu=f"{_cpu_name()}, {os.cpu_count() or 1} logical cores",
            system=f"{platform.system()} {platform.machine()}",
            instruction_set=instruction_set,
        )


@dataclass(frozen=True)
class Provenance:
    """How a result came about; ``command`` is the command line, None where a library call made it."""

    command: str | None = None
    seeds: tuple[int, ...] = ()
    versions: Versions = field(default_factory=Versions.here)
    created: datetime = field(default_factory=lambda: datetime.now().astimezone())


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown processor"
