"""Checks that no dependency asks for a newer Rust than this crate promises.

    cargo metadata --format-version 1 --all-features | check_msrv.py

Normal and build dependencies of all features and targets count; dev-dependencies do
not reach users.
"""

import json
import sys
from typing import Any


def main() -> int:
    """Reads cargo's metadata from stdin; answers the exit code."""
    metadata = json.load(sys.stdin)
    packages = {package["id"]: package for package in metadata["packages"]}
    root = metadata["resolve"]["root"]
    promised = packages[root]["rust_version"]
    shipped = [packages[id_] for id_ in _reachable(metadata["resolve"]["nodes"], root)]
    newer = [p for p in shipped if _numbers(p["rust_version"]) > _numbers(promised)]
    for package in newer:
        name, version = package["name"], package["version"]
        print(f"{name} {version} needs Rust {package['rust_version']}")
    print(f"{len(shipped)} packages, {len(newer)} need a newer Rust than {promised}")
    return 1 if newer else 0


def _reachable(nodes: list[dict[str, Any]], root: str) -> set[str]:
    """The packages that a user's build compiles."""
    dependencies = {
        node["id"]: [d["pkg"] for d in node["deps"] if _is_shipped(d)] for node in nodes
    }
    found, waiting = {root}, [root]
    while waiting:
        fresh = set(dependencies[waiting.pop()]) - found
        found |= fresh
        waiting += fresh
    return found


def _is_shipped(dependency: dict[str, Any]) -> bool:
    return any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])


def _numbers(version: str | None) -> list[int]:
    """Compares as numbers; no promise means any Rust, and 1.85 is 1.85.0."""
    parts = [int(part) for part in (version or "0").split(".")]
    return parts + [0] * (3 - len(parts))


if __name__ == "__main__":
    sys.exit(main())
