"""The systems that have wheels, and the Pythons."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A system and its processor."""

    name: str
    zig: str
    """The compiler's name for it; glibc's version is the oldest that the wheel runs on."""
    system: str
    """CMake's name."""
    processor: str
    platform: str
    """As ``sysconfig.get_platform()`` says there."""
    suffix: str
    """Of a module of one version of CPython; ``{}`` is the version without dots."""
    include: str = ""
    """The folder of ``wheels/include`` with its ``pyconfig.h``, where Linux's is another."""

    @property
    def tag(self) -> str:
        """The platform tag of its wheels."""
        tag = self.platform.replace("-", "_").replace(".", "_")
        return tag.replace("linux", "manylinux2014") if self.system == "Linux" else tag


TARGETS = {
    target.name: target
    for target in (
        Target(
            "linux-x86_64",
            "x86_64-linux-gnu.2.17",
            "Linux",
            "x86_64",
            "linux-x86_64",
            ".cpython-{}-x86_64-linux-gnu.so",
        ),
        Target(
            "linux-aarch64",
            "aarch64-linux-gnu.2.17",
            "Linux",
            "aarch64",
            "linux-aarch64",
            ".cpython-{}-aarch64-linux-gnu.so",
        ),
        Target(
            "macos-x86_64",
            "x86_64-macos.11.0",
            "Darwin",
            "x86_64",
            "macosx-11.0-x86_64",
            ".cpython-{}-darwin.so",
            "macos",
        ),
        Target(
            "macos-arm64",
            "aarch64-macos.11.0",
            "Darwin",
            "arm64",
            "macosx-11.0-arm64",
            ".cpython-{}-darwin.so",
            "macos",
        ),
        Target(
            "windows-x86_64",
            "x86_64-windows-gnu",
            "Windows",
            "AMD64",
            "win-amd64",
            ".cp{}-win_amd64.pyd",
            "windows",
        ),
    )
}
