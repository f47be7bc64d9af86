"""Tests pin numbers, names and key words of a message, not its prose: a better sentence breaks none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
MOST_CHARACTERS = 60
MOST_WORDS_IN_A_ROW = 4


def text_of(node: ast.AST) -> str:
    """What a text literal holds; of an f-string, the parts between its values."""
    if isinstance(node, ast.JoinedStr):
        return "0".join(text_of(part) for part in node.values if isinstance(part, ast.Constant))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def expected_texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and text of every match= and of every text that an assertion compares with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "match":
            yield node.value.lineno, text_of(node.value)
        if isinstance(node, ast.Assert):
            for compared in ast.walk(node.test):
                if isinstance(compared, ast.Compare):
                    for side in (compared.left, *compared.comparators):
                        yield side.lineno, text_of(side)


def words_in_a_row(text: str) -> int:
    runs = re.split(r"[^A-Za-z' ,;]+", text)
    return max(len(run.split()) for run in runs)


def test_no_test_pins_a_sentence() -> None:
    pinned = [
        f"{path.relative_to(TESTS)}:{line}: {text}"
        for path in sorted(TESTS.rglob("*.py"))
        for line, text in expected_texts(ast.parse(path.read_text(encoding="utf-8")))
        if words_in_a_row(text) > MOST_WORDS_IN_A_ROW
    ]
    assert pinned == []


def test_patterns_of_messages_are_short() -> None:
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "match":
                assert len(text_of(node.value)) <= MOST_CHARACTERS, (path.name, node.value.lineno)
