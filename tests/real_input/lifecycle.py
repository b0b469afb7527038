"""How the example server starts, rejects to start, reads its files again, and stops."""

import json
import re
import socket
import subprocess
import time
from pathlib import Path

import keys
from bench import TRUST, Bench
from report import expect, expect_same
from server import ExampleServer
from session import full_claims

TIMEOUT_SECONDS = 15
BODY = json.dumps({"sub": "late", "name": "Late", "access_level": "regular"}).encode()


def run(bench: Bench) -> None:
    """Bad options, a rotation of keys, and a stop in the middle of a request."""
    for name, options, named in _bad_starts(bench):
        with bench.report.check(f"start: {name} is rejected"):
            _expect_rejected_start(bench.server_binary, options, named)
    rotated = keys.write_jwks(bench.directory / "rotated", [bench.keys["ES256"]])
    with bench.file_server("reads its keys again", rotated) as server:
        with bench.report.check("keys: a signal has them read again"):
            _check_rotation(bench, server, rotated)
    revoked = bench.directory / "revoked"
    revoked.touch()
    options = ["--revoked-sessions", str(revoked)]
    with bench.jwks_server("reads revocations again", *options) as server:
        with bench.report.check("revocation: a signal has the file read again"):
            _check_revocation(bench, server, revoked)
    with bench.secret_server("stops with a request in flight") as server:
        with bench.report.check("stop: a request in flight is finished"):
            _check_request_in_flight(bench, server)


def _bad_starts(bench: Bench) -> list[tuple[str, list[str], str]]:
    jwks, secret = ["--jwks", str(bench.jwks)], "--hs256-secret-file"
    missing = str(bench.directory / "missing")
    return [
        (
            "an unknown algorithm",
            [*jwks, "--jwks-algorithm", "XS1"],
            "--jwks-algorithm",
        ),
        ("an unreadable set", ["--jwks", missing], "--jwks"),
        ("an unreadable secret", [secret, missing], secret),
        ("a set that is no JSON", ["--jwks", _file(bench, "bad", b"{")], "--jwks"),
        ("an empty set", ["--jwks", _file(bench, "none", b'{"keys":[]}')], "--jwks"),
        ("a short secret", [secret, _file(bench, "short", b"s" * 31)], secret),
        ("an empty secret", [secret, _file(bench, "empty", b"")], secret),
        ("both key options", [*jwks, secret, str(bench.secret_file)], secret),
        ("an unknown token type", [*jwks, "--accept-type", "jwe"], "--accept-type"),
        ("too much leeway", [*jwks, "--leeway", "301"], "--leeway"),
        ("an address that is none", [*jwks, "--listen", "nowhere"], "--listen"),
        (
            "an ill-formed culture",
            [*jwks, "--default-culture", "e"],
            "--default-culture",
        ),
        (
            "an unreadable list of revocations",
            [*jwks, "--revoked-sessions", missing],
            "--revoked-sessions",
        ),
        ("an option without a value", [*jwks, "--issuer"], "--issuer"),
        ("an unknown option", [*jwks, "--frobnicate"], "--frobnicate"),
    ]


def _file(bench: Bench, name: str, content: bytes) -> str:
    path: Path = bench.directory / f"start-{name}"
    path.write_bytes(content)
    return str(path)


def _expect_rejected_start(binary: str, options: list[str], named: str) -> None:
    command = [binary, "--listen", "127.0.0.1:0", *TRUST, *options]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    expect(done.returncode > 0, f"exit code {done.returncode}")
    expect("listening" not in done.stdout, "it listened first")
    option = re.compile(re.escape(named) + r"(?![\w-])")
    expect(bool(option.search(done.stderr)), f"{named} is not in {done.stderr!r}")
    expect("panicked" not in done.stderr, f"it panicked: {done.stderr!r}")


def _check_rotation(bench: Bench, server: ExampleServer, path: Path) -> None:
    old, new = (bench.keys[name] for name in ("ES256", "EdDSA"))

    def statuses() -> list[int]:
        mint = bench.pyjwt.mint
        tokens = [mint(key, "session+jwt", full_claims()) for key in (old, new)]
        return [server.session(token).status for token in tokens]

    for names, wanted in (
        ([old], [200, 401]),
        ([old, new], [200, 200]),
        ([new], [401, 200]),
    ):
        keys.write_jwks(path, names)
        server.reload("keys of generation")
        expect_same(statuses(), wanted)
    path.write_text("{")
    server.reload("the keys in force stay")
    expect_same(statuses(), [401, 200])


def _check_revocation(bench: Bench, server: ExampleServer, path: Path) -> None:
    claims, others = full_claims(), full_claims()
    tokens = [
        bench.pyjwt.mint(bench.keys["EdDSA"], "session+jwt", it)
        for it in (claims, others)
    ]

    def statuses() -> list[int]:
        return [server.session(token).status for token in tokens]

    expect_same(statuses(), [200, 200])
    path.write_text(f"{claims['sid']}\n")
    server.reload("1 sessions are revoked")
    expect_same(statuses(), [401, 200])
    path.unlink()
    server.reload("nothing more is revoked")
    expect_same(statuses(), [401, 200])


def _check_request_in_flight(bench: Bench, server: ExampleServer) -> None:
    token = bench.pyjwt.mint(bench.secret_key, "session+jwt", full_claims())
    head = [
        "POST /nested HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
        "Expect: 100-continue",
        "Connection: close",
    ]
    with socket.create_connection(server.address, TIMEOUT_SECONDS) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        # The handler asks for the body: from here on the request is in flight.
        interim = connection.recv(4096)
        expect(b" 100 " in interim.split(b"\r\n")[0], f"no 100 but {interim!r}")
        server.terminate()
        _wait_until_closed(server.address)
        connection.sendall(BODY)
        status_line = connection.makefile("rb").readline().split()
        expect_same(status_line[1:2], [b"200"])
    server.expect_clean_exit()


def _wait_until_closed(address: tuple[str, int]) -> None:
    """Waits until the server takes no new connection: it has heard the signal."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            return
        time.sleep(0.02)
    raise TimeoutError("the server still takes connections")
