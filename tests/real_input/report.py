"""Counts named checks, and tells where two JSON values differ."""

import contextlib
from collections.abc import Iterator
from typing import Any


class Report:
    """Collects the outcome of every check; one failure does not stop the rest."""

    def __init__(self) -> None:
        self.passed = 0
        self.failures: list[str] = []

    @contextlib.contextmanager
    def check(self, name: str) -> Iterator[None]:
        """Runs one check: an exception fails it."""
        with self.guard(name):
            yield
            self.passed += 1
            print(f"ok    {name}", flush=True)

    @contextlib.contextmanager
    def guard(self, name: str) -> Iterator[None]:
        """Turns an exception into a failure of this name, and counts no pass."""
        try:
            yield
        except Exception as error:  # a check may fail in any way
            failure = f"FAIL  {name}: {type(error).__name__}: {error}"
            self.failures.append(failure)
            print(failure, flush=True)

    def close(self) -> int:
        """Prints the failures again and the total; answers the exit code."""
        if self.failures:
            print("\nfailures:", *self.failures, sep="\n")
        print(f"\n{self.passed} passed, {len(self.failures)} failed", flush=True)
        return 1 if self.failures or not self.passed else 0


def expect(holds: bool, message: str) -> None:
    """Fails the check with `message` unless the condition holds."""
    if not holds:
        raise AssertionError(message)


def expect_same(actual: Any, expected: Any) -> None:
    """Compares two JSON values member by member."""
    differences = list(_differences("$", actual, expected))
    expect(not differences, "; ".join(differences))


def _differences(path: str, actual: Any, expected: Any) -> Iterator[str]:
    if isinstance(actual, dict) and isinstance(expected, dict):
        for name in sorted(actual.keys() | expected.keys()):
            if name not in actual:
                yield f"{path}.{name} is missing"
            elif name not in expected:
                yield f"{path}.{name} is not expected: {actual[name]!r}"
            else:
                yield from _differences(f"{path}.{name}", actual[name], expected[name])
    elif type(actual) is not type(expected) or actual != expected:
        yield f"{path} is {actual!r}, expected {expected!r}"
