"""The command line as a whole: help, version, how fast it answers, and how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import kmosaic
from kmosaic.cli import main
from kmosaic.cli.errors import in_words

COMMANDS = (
    "datasets",
    "sweep",
    "fit",
    "show",
    "predict",
    "neighbours",
    "duplicates",
    "segment",
    "quantize",
    "superpixels",
    "explain",
    "undo",
)


def test_help_lists_the_commands(run):
    for flag in ["-h", "--help"]:
        listed = run(flag).stdout.partition("Commands:")[2]

        assert [line.split()[0] for line in listed.strip().splitlines()] == list(COMMANDS)
        assert "..." not in listed


def test_bare_command_prints_the_help(run):
    result = CliRunner().invoke(main, [])

    assert result.exit_code == 2
    assert result.stderr == run("-h").stdout


def test_unknown_instruction_set():
    """In a process of its own: the core reads its environment once."""
    line = [sys.executable, "-m", "kmosaic", "fit", "digits", "--clusters", "2", "-o", "m.kmosaic"]
    environment = {**os.environ, "KMOSAIC_CPU": "pentium"}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)

    assert done.returncode == 1
    assert done.stderr.startswith("kmosaic: error: KMOSAIC_CPU=pentium ")
    assert "unset KMOSAIC_CPU" in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_of_every_command_has_examples(run):
    for command in COMMANDS:
        text = run(command, "-h").stdout

        assert f"  kmosaic {command}" in text.partition("Examples:")[2]
        assert "-h, --help" in text.partition("\nGeneral:\n")[2]


def test_help_lists_options_in_groups(run):
    sections = re.split(r"^([A-Z][\w ]+):$", run("fit", "-h").stdout, flags=re.MULTILINE)
    groups = {
        title: re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.MULTILINE)
        for title, text in zip(sections[1::2], sections[2::2], strict=True)
        if title != "Examples"
    }
    for title, option in [
        ("Reading images", "--test-fraction"),
        ("Vectors from elsewhere", "--whiten"),
        ("Clustering", "--refine"),
        ("Output", "--save-vectors"),
        ("Files of clusters", "--outliers"),
    ]:
        assert option in groups[title]
    assert list(groups)[-1] == "General"
    options = [max(param.opts, key=len) for param in main.commands["fit"].params if param.opts[0][0] == "-"]
    listed = [option for group in groups.values() for option in group]
    assert sorted(listed) == sorted([*options, "--help"])


def test_version(run):
    assert run("--version").stdout == f"kmosaic {kmosaic.__version__}\n"


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from kmosaic.cli import main\n"
        "heavy = {'numpy', 'sklearn', 'matplotlib', 'rich', 'PIL', 'httpx', 'kmosaic._core'}\n"
        "try:\n"
        "    main(['sweep', '-h'])\n"
        "finally:\n"
        "    assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


def test_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "kmosaic", "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("kmosaic ")


def test_unknown_command(fail):
    assert re.search("'clusterise'.*kmosaic -h", fail("clusterise", code=2))


def test_unknown_option(fail):
    message = fail("fit", "digits", "--frobnicate", code=2)

    assert "'--frobnicate'" in message
    assert message.endswith(" kmosaic fit -h\n")


class TestUnexpectedErrors:
    @pytest.fixture
    def broken(self, monkeypatch):
        def break_with(error):
            @click.command("broken")
            def broken() -> None:
                raise error

            monkeypatch.setitem(main.commands, "broken", broken)

        return break_with

    def test_end_in_one_line(self, broken, fail):
        for error, words in [
            (MemoryError("Unable to allocate 9 TiB"), "Unable to allocate 9 TiB"),
            (PermissionError(13, "Permission denied", "a.csv"), "a.csv: Permission denied"),
            (OSError("no space"), "no space"),
            (ValueError("n_clusters=3\nis wrong"), "n_clusters=3"),
            (
                RuntimeError("KMOSAIC_CPU=avx2: this processor does not have it"),
                "KMOSAIC_CPU=avx2",
            ),
            (MemoryError(), "not enough memory"),
            (ImportError("lib.so: failed to map segment from shared object"), "not enough memory"),
            (RuntimeError("can't start new thread"), "not enough memory (can't start new thread)"),
            (ImportError("no such symbol"), "unexpected ImportError"),
            (RuntimeError("x"), "RuntimeError: x"),
            (KeyError("x"), "KeyError: 'x'"),
        ]:
            broken(error)

            assert words in fail("broken")

    def test_show_their_traceback_when_debugging(self, broken, monkeypatch):
        broken(KeyError("x"))
        monkeypatch.setenv("KMOSAIC_DEBUG", "1")

        assert isinstance(CliRunner().invoke(main, ["broken"]).exception, KeyError)

    def test_control_characters_do_not_reach_the_terminal(self, broken, fail):
        broken(ValueError("\x1b[31mred"))

        assert "\x1b" not in fail("broken")

    def test_are_named_where_they_say_nothing(self):
        assert in_words(ValueError()) == "ValueError"

    def test_warnings_are_one_line(self, monkeypatch):
        @click.command("warns")
        def warns() -> None:
            import warnings

            warnings.warn("only 2 of n_clusters=3\nare distinct", UserWarning, stacklevel=1)

        monkeypatch.setitem(main.commands, "warns", warns)

        assert (
            CliRunner().invoke(main, ["warns"]).stderr
            == "kmosaic: warning: only 2 of n_clusters=3 are distinct\n"
        )


@pytest.fixture
def small_model(run) -> None:
    run("fit", "digits", "--clusters", "2", "-o", "m.kmosaic", "--quiet")


posix = pytest.mark.skipif(os.name == "nt", reason="the server of commands forks")


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@posix
def test_a_stdout_that_fails_loses_no_model(command: Path, tmp_path: Path) -> None:
    model, python = tmp_path / "m.kmosaic", f'"{sys.executable}" -m kmosaic'
    # Python itself must start without a stream that is closed.
    for program, redirect in [
        (python, ">&-"),
        (python, "2>&-"),
        (command, "> /dev/full"),
        (command, "| true"),
    ]:
        done = shell(f"{program} fit digits --clusters 3 -o {model} --quiet {redirect}")
        assert model.is_file(), (redirect, done.stderr)
        model.unlink()
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 1


@posix
@pytest.mark.usefixtures("small_model")
def test_stdout_that_is_closed_or_onto_a_full_disk(command: Path) -> None:
    for arguments in ["-h", "datasets", "predict m.kmosaic digits", "show m.kmosaic"]:
        done = shell(f"{command} {arguments} > /dev/full")
        assert done.returncode == 1
        assert re.match("kmosaic: error: .*output", done.stderr), arguments
        assert len(done.stderr.splitlines()) == 1
    closed = shell(f"{command} datasets | true")
    assert (closed.returncode, closed.stderr) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to this limit")
@pytest.mark.parametrize("mebibytes", [64, 195, 234, 275, 310])
def test_too_few_addresses_are_too_little_memory(mebibytes: int) -> None:
    """Whatever fails to be loaded, and whatever that library makes of it: OpenBLAS hung, or sent Ctrl-C."""
    line = (
        f'ulimit -v {mebibytes * 1024}; "{sys.executable}" -m kmosaic fit digits --clusters 3 -o m.kmosaic -q'
    )
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 1, done.stderr
    assert "memory" in done.stderr.lower()
    assert "bug" not in done.stderr
    assert not Path("m.kmosaic").exists()
