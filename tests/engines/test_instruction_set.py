"""The best instruction set of this processor is found, as the system lists it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

import kmosaic

# The best first; those of which all flags are in /proc/cpuinfo.
X86 = {
    "avx512vnni": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx2", "fma", "f16c"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma", "f16c"},
    "avxvnni": {"avx_vnni", "avx2", "fma", "f16c"},
    "avx2": {"avx2", "fma", "f16c"},
    "sse2": {"sse2"},
}


@pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() != "x86_64", reason="Linux lists the flags of x86-64"
)
@pytest.mark.skipif("KMOSAIC_CPU" in os.environ, reason="KMOSAIC_CPU names another")
def test_the_best_instruction_set_is_chosen() -> None:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    flags = set(next(line for line in text.splitlines() if line.startswith("flags")).split())
    expected = next(name for name, needed in X86.items() if needed <= flags)
    assert kmosaic.show_config().instruction_set == expected
