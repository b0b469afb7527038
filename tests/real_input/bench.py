"""What every group of checks shares: keys, peers, the programs under test."""

import argparse
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

import keys
from keys import Key
from peers import Jose, Peer, PyJwt
from report import Report
from server import ExampleServer
from session import AUDIENCE, INSTANCE, ISSUER, SERVER

TRUST = (
    *("--issuer", ISSUER, "--audience", AUDIENCE),
    *("--server", SERVER, "--instance", INSTANCE),
)


@dataclass(frozen=True)
class Bench:
    """The set-up of one run."""

    report: Report
    server_binary: str
    mint_binary: str
    fleet_binary: str
    redis_server: str
    directory: Path
    pyjwt: PyJwt
    jose: Jose
    keys: dict[str, Key]
    jwks: Path
    secret_key: Key
    secret_file: Path
    provider_node: str

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Both foreign libraries."""
        return self.pyjwt, self.jose

    def jwks_server(self, name: str, *options: str) -> ExampleServer:
        """A server that trusts the key of every algorithm."""
        return self.file_server(name, self.jwks, *options)

    def file_server(self, name: str, path: Path, *options: str) -> ExampleServer:
        """A server that trusts the keys of a file."""
        return self._server(name, "--jwks", str(path), *options)

    def secret_server(self, name: str, *options: str) -> ExampleServer:
        """A server that verifies and signs with one HS256 secret."""
        return self._server(
            name, "--hs256-secret-file", str(self.secret_file), *options
        )

    def _server(self, name: str, *options: str) -> ExampleServer:
        return ExampleServer(self.server_binary, self.report, name, *TRUST, *options)


def prepare(report: Report, options: argparse.Namespace, directory: Path) -> Bench:
    """Makes the keys and their files."""
    every_key = {name: keys.generate(name) for name in keys.ALGORITHMS}
    secret = secrets.token_bytes(32)
    secret_file = directory / "secret.bin"
    secret_file.write_bytes(secret)
    return Bench(
        report=report,
        server_binary=options.server,
        mint_binary=options.mint,
        fleet_binary=options.fleet,
        redis_server=options.redis_server,
        directory=directory,
        pyjwt=PyJwt(),
        jose=Jose(options.node),
        keys=every_key,
        jwks=keys.write_jwks(directory / "jwks.json", list(every_key.values())),
        secret_key=keys.symmetric("HS256", secret),
        secret_file=secret_file,
        provider_node=_node_22(options.node),
    )


def _node_22(node: str) -> str:
    """A Node.js of version 22 or newer, which the provider wants: the given one, else npm's."""
    version = subprocess.check_output([node, "--version"], text=True)
    if int(version.removeprefix("v").split(".")[0]) >= 22:
        return node
    modules = Path(__file__).parent / "node_modules"
    return str(next(modules.glob("node-linux-*/bin/node")))
