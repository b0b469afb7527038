"""Compares the public API with docs/public-api.txt, and checks whose types show in it.

    python scripts/check_public_api.py [--update]

With --update, the listing is written instead of compared. Needs cargo-public-api in .tools/bin, where scripts/test
installs it. It reads what rustdoc writes as JSON, which a stable toolchain does if RUSTC_BOOTSTRAP asks it to.
"""

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LISTING = ROOT / "docs" / "public-api.txt"
TOOL = ROOT / ".tools" / "bin" / "cargo-public-api"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "public-api"

# Whose types a user may have to name.
ALLOWED = {
    "tower_session_token": "this crate",
    "core": "Rust",
    "alloc": "Rust",
    "std": "Rust",
    "http": "requests and responses",
    "tower_layer": "tower",
    "tower_service": "tower",
    "chrono": "instants and offsets",
    "uuid": "identifiers",
    "serde_core": "claims of the application's own types",
    "bytes": "the bodies that `ProblemDetails` can make: as in http-body",
    "axum_core": "extractors, behind the feature axum",
    "http_body": "bodies of fetched keys (feature remote_keys) and of logout requests",
    "jsonwebtoken": "conversions of keys, behind the feature jsonwebtoken",
    "pin_project_lite": "in implementations that its macro writes, which nobody names",
}


def foreign(line: str) -> set[str]:
    """The crates that a line of the listing names.

    >>> sorted(foreign("impl<S: core::marker::Sync> axum_core::extract::FromRequestParts<S> for a::B"))
    ['a', 'axum_core', 'core']
    """
    return set(re.findall(r"(?<![\w:])([a-z_]\w*)::", line))


def listing() -> str:
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1"}
    rustdoc = ["cargo", "rustdoc", "--quiet", "--locked", "--lib", "--all-features", "--target-dir", str(TARGET)]
    json = ["--", "-Z", "unstable-options", "--output-format", "json"]
    subprocess.run(rustdoc + json, cwd=ROOT, env=environment, check=True)
    path = TARGET / "doc" / "tower_session_token.json"
    tool = [str(TOOL), "public-api", "--rustdoc-json", str(path), "--omit", "blanket-impls,auto-trait-impls"]
    return subprocess.run(tool, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> int:
    text = listing()
    strangers = {crate: line for line in text.splitlines() for crate in foreign(line) if crate not in ALLOWED}
    for crate, line in strangers.items():
        print(f"a type of {crate} is public: {line}")
    if "--update" in sys.argv:
        LISTING.write_text(text)
    kept = LISTING.read_text() if LISTING.exists() else ""
    changes = list(difflib.unified_diff(kept.splitlines(), text.splitlines(), "kept", "found", lineterm="", n=0))
    for change in changes:
        print(change)
    if changes:
        print("the public API is not that of docs/public-api.txt; if it is meant, --update writes it")
    print(f"{len(text.splitlines())} public items, of {len(set().union(*map(foreign, text.splitlines())))} crates")
    return 1 if changes or strangers else 0


if __name__ == "__main__":
    sys.exit(main())
