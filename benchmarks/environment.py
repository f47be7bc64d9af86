"""What the numbers were measured on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.libraries import LIBRARIES
from kmosaic import show_config

_OTHERS = ("numpy",)


def environment() -> dict[str, Any]:
    """Processor, cores, instruction set, versions, date and load: plain values for JSON."""
    configuration = show_config()
    distributions = dict.fromkeys([library.distribution for library in LIBRARIES.values()] + [*_OTHERS])
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "threads": configuration.n_threads,
        "memory_gb": _memory_gb(),
        "instruction_set": configuration.instruction_set,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version for name in distributions if (version := _version(name))},
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in facts.items()}
    family = f" (family {named['cpu family']}, model {named['model']})" if "cpu family" in named else ""
    return named.get("model name", platform.machine()) + family


def _memory_gb() -> int:
    import psutil

    total: int = psutil.virtual_memory().total
    return round(total / 1e9)
