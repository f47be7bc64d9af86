"""libFuzzer on the core alone (cpp/fuzz), under AddressSanitizer and UndefinedBehaviourSanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

TARGETS = ("assign", "distances", "distinct_rows", "nearest_rows", "seeding", "sums")
ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "fuzz" / "native"


def missing() -> str | None:
    """Why there is no libFuzzer; None where there is."""
    compiler = clang()
    if compiler is None:
        return "clang++ is not installed (Debian: apt install clang)"
    if shutil.which("cmake") is None:
        return "cmake is not on the path"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "empty.cpp"
        source.write_text(
            'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n'
        )
        command = [compiler, "-fsanitize=fuzzer,address", str(source), "-o", str(source.with_suffix(""))]
        made = subprocess.run(command, capture_output=True, check=False)
    return (
        None if made.returncode == 0 else f"{compiler} has no libFuzzer (Debian: apt install libclang-rt-dev)"
    )


def clang() -> str | None:
    """Clang's C++ compiler, the one without a number first."""
    names = ("clang++", *(f"clang++-{version}" for version in range(21, 13, -1)))
    return next((name for name in names if shutil.which(name)), None)


def build() -> None:
    """Build the fuzzers; the first time takes some minutes."""
    configure = ["cmake", "-S", str(ROOT / "cpp" / "fuzz"), "-B", str(BUILD)]
    subprocess.run([*configure, f"-DCMAKE_CXX_COMPILER={clang()}"], check=True, stdout=subprocess.DEVNULL)
    command = ["cmake", "--build", str(BUILD), "--parallel"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def failure(target: str, seed: int, seconds: int) -> str | None:
    """Run one fuzzer for so long; return what it found, its shortest input included, or None."""
    found = BUILD / "found"
    corpus = BUILD / "corpus" / target
    for folder in (found, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    limits = [f"-seed={seed % 2**32 or 1}", "-max_len=256", "-timeout=30", "-rss_limit_mb=2048"]
    artifact = found / f"{target}-{seed}"
    command = [str(BUILD / f"fuzz_{target}"), *limits, f"-max_total_time={max(seconds, 1)}"]
    places = [f"-exact_artifact_path={artifact}", str(corpus), str(ROOT / "cpp" / "fuzz" / "corpus" / target)]
    run = subprocess.run(
        [*command, *places], capture_output=True, check=False, env={**os.environ, "KMOSAIC_CPU": ""}
    )
    if run.returncode == 0:
        return None
    _shorten(target, artifact)
    data = artifact.read_bytes() if artifact.exists() else b""
    return (
        f"{run.stderr.decode(errors='replace')[-2500:]}\nagain: {command[0]} {artifact}\nbytes: {data.hex()}"
    )


def _shorten(target: str, artifact: Path) -> None:
    """Let libFuzzer look for a shorter input that fails, for some seconds."""
    shorter = artifact.with_name(f"{artifact.name}.short")
    options = ["-minimize_crash=1", "-max_total_time=20", f"-exact_artifact_path={shorter}", str(artifact)]
    if artifact.exists():
        subprocess.run([str(BUILD / f"fuzz_{target}"), *options], capture_output=True, check=False)
    if shorter.exists():
        shorter.replace(artifact)
