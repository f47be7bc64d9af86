"""What kmosaic runs on here: version, instruction set and why, threads."""

from __future__ import annotations

from dataclasses import dataclass

from kmosaic import _core
from kmosaic.engines import thread_count
from kmosaic.version import VERSION


@dataclass(frozen=True)
class Configuration:
    """What a fit would run on."""

    version: str
    instruction_set: str
    reason: str
    instruction_sets: dict[str, bool]
    """Those of this build, best first, and whether this processor has them."""
    n_threads: int
    n_threads_reason: str

    def __str__(self) -> str:
        sets = ", ".join(
            f"{name}{'' if has else ' (not on this processor)'}"
            for name, has in self.instruction_sets.items()
        )
        return (
            f"kmosaic {self.version}\n"
            f"instruction set: {self.instruction_set} ({self.reason}); built with {sets}\n"
            f"threads: {self.n_threads} ({self.n_threads_reason})"
        )


def show_config() -> Configuration:
    """Return the configuration in use; printed, it reads as three lines.

    Examples
    --------
    >>> show_config().n_threads >= 1
    True
    """
    cpu = _core.cpu()
    threads = thread_count()
    return Configuration(
        VERSION, cpu["variant"], cpu["reason"], cpu["variants"], threads.number, threads.reason
    )
