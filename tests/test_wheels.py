"""The wheels' checks find what is wrong, and what is said about dependencies agrees everywhere."""

from __future__ import annotations

import importlib.metadata
import re
import sysconfig
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from wheels.targets import TARGETS
from wheels.windows_imports import declared_names

from kmosaic import _core

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def plain_name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def test_the_installed_package_brings_what_a_fit_needs() -> None:
    metadata = importlib.metadata.metadata("kmosaic")
    required = [r for r in metadata.get_all("Requires-Dist", []) if "extra ==" not in r]
    assert {plain_name(r) for r in required} == {plain_name(r) for r in PROJECT["dependencies"]}
    assert "matplotlib" not in {plain_name(r) for r in required}
    assert metadata["Version"] == PROJECT["version"]


def test_the_recipe_has_the_same_dependencies() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    recipe = yaml.safe_load((ROOT / "wheels" / "recipe" / "recipe.yaml").read_text(encoding="utf-8"))
    wanted = {re.sub(r"\s", "", r.partition(";")[0]) for r in PROJECT["dependencies"]}
    wanted = {requirement for requirement in wanted if not requirement.startswith("pyoxipng")}
    found = {re.sub(r"\s", "", requirement) for requirement in recipe["requirements"]["run"]}
    assert found == wanted | {"python"}
    assert recipe["context"]["version"] == PROJECT["version"]


def test_the_native_module_exports_its_entry_alone() -> None:
    lief = pytest.importorskip("lief", reason="lief is not installed")
    from wheels.binaries import EXPORTED, exported_functions

    binary = lief.parse(_core.__file__)
    assert {function.name.removeprefix("_") for function in exported_functions(binary)} == EXPORTED


def make_wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel without its module, whose RECORD has another content than the archive."""
    path = folder / f"kmosaic-{version}-{name}.whl"
    info = f"kmosaic-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Name: kmosaic\nVersion: {version}\nRequires-Python: >=3.8\n")
        archive.writestr(f"{info}/WHEEL", "Tag: cp312-abi3-win_amd64\n")
        archive.writestr("kmosaic/stray.so", b"no module")
        archive.writestr(f"{info}/RECORD", "kmosaic/stray.so,sha256=AAAA,9\n")
    return path


def test_what_is_wrong_with_a_wheel_is_found(tmp_path: Path) -> None:
    pytest.importorskip("lief", reason="lief is not installed")
    from wheels.check import Wheel, problems

    version = PROJECT["version"]
    for target in TARGETS.values():
        for python, abi in (("cp311", "cp311"), ("cp312", "abi3")):
            wheel = Wheel.named(Path(f"kmosaic-{version}-{python}-{abi}-{target.tag}.whl"))
            assert wheel.target is target
            assert ("311" in wheel.module) is (abi == "cp311")
    with pytest.raises(ValueError, match="cp310-cp310-win_amd64"):
        Wheel.named(Path(f"kmosaic-{version}-cp310-cp310-win_amd64.whl"))
    found = "\n".join(problems(make_wheel(tmp_path, "cp311-cp311-macosx_11_0_arm64", version)))
    for wanted in (
        "kmosaic/_core.cpython-311-darwin.so is missing",
        "kmosaic/py.typed is missing",
        "kmosaic/stray.so should not be there",
        "kmosaic/stray.so has another sha256 than its RECORD",
        "METADATA is not both",
        "its Requires-Python is >=3.8",
        "extras",
        "not cp311-cp311-macosx_11_0_arm64",
    ):
        assert wanted in found


def test_names_of_cpython_are_read_from_its_headers() -> None:
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        pytest.skip("this Python has no headers")
    names = declared_names(include)
    assert {"PyObject_Call", "PyModule_Create2", "Py_Exit", "_Py_Dealloc"} <= set(names)
    assert names["PyExc_ValueError"]
    assert names["_Py_NoneStruct"]
    assert not names["PyObject_Call"]
    assert all(re.fullmatch(r"_?Py\w+", name) for name in names)
