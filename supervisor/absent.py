"""Importing a package without what it would take along if it found it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(module: str) -> Iterator[None]:
    """
    Let `module` look as if it were not installed, for the imports in a with-block; one that is loaded stays so.

    Where somebody else imports it in that moment, in another thread, he is told that it is not there: so this is for
    the imports at a program's start.
    """
    if module in sys.modules:
        yield
        return
    # None is the import system's own word for what is not to be found.
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
