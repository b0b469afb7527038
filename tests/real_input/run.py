"""Tries the example programs with tokens that PyJWT and jose mint and verify.

    run.py --server PATH --mint PATH --fleet PATH [--node PATH] [--redis-server PATH]

The last line is the total, and the exit code is 0 only if nothing failed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import algorithms
import bench
import call_context
import claim_names
import cultures_and_zones
import fleet
import identity_provider
import issuer
import jwks_uri
import key_sets
import lifecycle
import nested
import other_issuers
import protected_resource
import rejections
import sources
import token_types
from report import Report

GROUPS = (
    algorithms,
    rejections,
    token_types,
    other_issuers,
    claim_names,
    key_sets,
    sources,
    call_context,
    cultures_and_zones,
    nested,
    issuer,
    protected_resource,
    jwks_uri,
    identity_provider,
    fleet,
    lifecycle,
)


def main() -> int:
    """Runs every group; answers the exit code."""
    options = _parse_options()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="real-input-") as directory:
        with report.guard("the set-up"):
            ready = bench.prepare(report, options, Path(directory))
            for group in GROUPS:
                with report.guard(f"the group {group.__name__}"):
                    group.run(ready)
    return report.close()


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True, help="the example server")
    parser.add_argument("--mint", required=True, help="the example mint_token")
    parser.add_argument("--fleet", required=True, help="the example fleet")
    parser.add_argument("--node", default="node", help="the Node.js that runs jose")
    parser.add_argument(
        "--redis-server", default="redis-server", help="the engine of the fleet"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
