"""What a contract suite says of an engine."""

from __future__ import annotations


def failing(suite, make):
    """The names of a suite's tests that fail over what `make` gives."""
    suite.make = make
    found = []
    for name in (name for name in dir(suite) if name.startswith("test_")):
        try:
            getattr(suite, name)()
        except Exception:  # an engine with a fault may fail in any way
            found.append(name)
    return found
