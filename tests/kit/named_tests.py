"""Tests that a table names, looked up in the source without running it, so that the table cannot go stale."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]


@cache
def functions_in(path: str) -> dict[str, tuple[str, ...]]:
    """The functions of one file, whose path is relative to tests/: name -> its decorators, as they are written.

    What marks a whole file (`pytestmark`) stands among the decorators of each. OSError if there is no such file.
    """
    module = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    of_all = tuple(_marks_of(module))
    return {
        node.name: (*of_all, *(ast.unparse(decorator) for decorator in node.decorator_list))
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def is_there(named: str) -> bool:
    """Whether `path::function`, or a whole file given by its `path` alone, exists and holds a test."""
    path, _, function = named.partition("::")
    if not (TESTS / path).is_file():
        return False
    functions = functions_in(path)
    return function in functions if function else any(name.startswith("test_") for name in functions)


def _marks_of(module: ast.Module) -> Iterator[str]:
    for node in module.body:
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == "pytestmark" for target in node.targets):
            yield ast.unparse(node.value)
