"""Checks the licence of every package in the whole dependency tree.

    cargo metadata --format-version 1 --all-features | check_licenses.py DENY_TOML

All members, features, targets and dev-dependencies count. The allowed licences are `licenses.allow` of deny.toml,
and for single crates its `licenses.exceptions`. cargo-deny reads the same, and takes more minutes to build than all
other tools together.
"""

import json
import re
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path

WORD = re.compile(r"\s*([()/]|[A-Za-z0-9.+:-]+)")


def is_allowed(expression: str, allowed: Collection[str]) -> bool:
    """Evaluates an SPDX expression; AND binds tighter than OR, and "/" is an old OR.

    >>> is_allowed("MIT OR GPL-3.0-only", {"MIT"})
    True
    >>> is_allowed("MIT AND GPL-3.0-only", {"MIT"})
    False
    >>> is_allowed("GPL-3.0-only or MIT", {"MIT"})
    True
    >>> is_allowed("MIT/Apache-2.0", {"Apache-2.0"})
    True
    >>> is_allowed("GPL-3.0-only OR MIT AND ISC", {"MIT"})
    False
    >>> is_allowed("(GPL-3.0-only OR MIT) AND ISC", {"MIT", "ISC"})
    True
    >>> is_allowed("Apache-2.0 WITH LLVM-exception", {"Apache-2.0"})
    False
    >>> is_allowed("Apache-2.0 WITH LLVM-exception OR MIT", {"MIT"})
    True
    >>> is_allowed("MIT Apache-2.0", {"MIT", "Apache-2.0"})
    Traceback (most recent call last):
    ValueError: unexpected 'Apache-2.0' in 'MIT Apache-2.0'
    """
    return _Parser(expression, allowed).parse()


class _Parser:
    def __init__(self, expression: str, allowed: Collection[str]) -> None:
        self._expression = expression
        self._allowed = allowed
        self._words = _split(expression)

    def parse(self) -> bool:
        verdict = self._any_of()
        if self._words:
            raise self._unexpected(self._words[-1])
        return verdict

    def _any_of(self) -> bool:
        verdict = self._all_of()
        while self._take("OR", "/"):
            verdict = self._all_of() or verdict
        return verdict

    def _all_of(self) -> bool:
        verdict = self._one()
        while self._take("AND"):
            verdict = self._one() and verdict
        return verdict

    def _one(self) -> bool:
        if self._take("("):
            verdict = self._any_of()
            if not self._take(")"):
                raise self._unexpected("the end")
            return verdict
        name = self._name()
        if self._take("WITH"):
            name = f"{name} WITH {self._name()}"
        return name in self._allowed

    def _name(self) -> str:
        word = self._words.pop() if self._words else "the end"
        if word in ("AND", "OR", "WITH", "(", ")", "/", "the end"):
            raise self._unexpected(word)
        return word

    def _take(self, *words: str) -> bool:
        if self._words and self._words[-1] in words:
            self._words.pop()
            return True
        return False

    def _unexpected(self, word: str) -> ValueError:
        return ValueError(f"unexpected {word!r} in {self._expression!r}")


def _split(expression: str) -> list[str]:
    """The words from the last to the first."""
    words, position, text = [], 0, expression.rstrip()
    while position < len(text):
        found = WORD.match(text, position)
        if not found:
            raise ValueError(f"unexpected {text[position]!r} in {expression!r}")
        # SPDX 3 takes operators in lower case too.
        word = found[1]
        words.append(word.upper() if word in ("and", "or", "with") else word)
        position = found.end()
    return words[::-1]


def main(deny_toml: str) -> int:
    """Reads cargo's metadata from stdin; answers the exit code."""
    policy = tomllib.loads(Path(deny_toml).read_text())
    allowed = policy["licenses"]["allow"]
    exceptions = {rule["crate"]: rule["allow"] for rule in policy["licenses"]["exceptions"]}
    packages = json.load(sys.stdin)["packages"]
    rejected = [
        f"{package['name']} {package['version']}: {package['license']}"
        for package in packages
        if not package["license"] or not is_allowed(package["license"], allowed + exceptions.get(package["name"], []))
    ]
    for line in rejected:
        print(f"licence not allowed: {line}")
    print(
        f"{len(packages)} packages, {len(rejected)} with a licence that is not allowed"
    )
    return 1 if rejected else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
