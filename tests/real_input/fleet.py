"""Ten servers behind one engine: log-outs at an OpenID provider and at one of them, and what may fail."""

import contextlib
import http.client
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import keys
from bench import Bench
from provider import SignInProvider
from report import expect, expect_same
from server import ExampleServer, bearer
from session import AUDIENCE
from waiting import wait_for

COUNT = 10
MAX_AGE_SECONDS = 8
STOP_SECONDS = 15

Start = Callable[[str], ExampleServer]


class Engine:
    """An engine that keeps what it acknowledges, as a context manager."""

    def __init__(self, program: str, folder: Path) -> None:
        folder.mkdir()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{port}"
        self._command = [
            *(program, "--port", str(port), "--bind", "127.0.0.1"),
            *("--dir", str(folder), "--appendonly", "yes", "--save", ""),
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Runs it, with what it had kept."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        """Ends it as `kill -9` does."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)


def run(bench: Bench) -> None:
    """Ten servers, and those that start later."""
    key = keys.generate("ES256", "provider")
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(
            Engine(bench.redis_server, Path(bench.directory, "engine"))
        )
        provider = SignInProvider(
            bench.provider_node, bench.directory / "sign-in.json", bench.secret_file
        )
        stack.enter_context(provider)
        jwks = keys.write_jwks(bench.directory / "sign-in-public.json", [key])
        options = (
            *("--redis", engine.url, "--hs256-secret-file", str(bench.secret_file)),
            *("--max-revocation-age", str(MAX_AGE_SECONDS)),
            *("--issuer", provider.issuer, "--audience", AUDIENCE),
            *("--logout-jwks", str(jwks), "--logout-client-id", "shop"),
        )

        def start(name: str) -> ExampleServer:
            server = ExampleServer(bench.fleet_binary, bench.report, name, *options)
            return stack.enter_context(server)

        fleet = [start(f"{number} of a fleet") for number in range(1, COUNT + 1)]
        _wait_until_ready(fleet)
        host, port = fleet[1].address
        provider.notify(f"http://{host}:{port}/backchannel-logout")
        provider.start(key)
        _check_provider(bench, provider, fleet, start)
        _check_processes(bench, engine, fleet, start)


def _check_provider(
    bench: Bench, provider: SignInProvider, fleet: list[ExampleServer], start: Start
) -> None:
    """The provider tells one server of a log-out."""
    ann, bob = provider.browser(), provider.browser()
    with bench.report.check("fleet: each server accepts a session of a provider"):
        token, kept = ann.sign_in("ann"), bob.sign_in("bob")
        sid = bench.pyjwt.claims(token)["sid"]
        for server in fleet:
            session = server.session(token).json()
            expect_same(session["id"], sid)
            expect_same(session["token"]["type"], "at+jwt")
        _expect_all(fleet, kept, 200)
    with bench.report.check("fleet: a log-out at the provider ends it in each"):
        _expect_all(fleet, token, 200)
        ann.log_out()
        _wait_until_rejected(fleet, token)
    with bench.report.check("fleet: that log-out ends no other session"):
        # One revocation, by which alone the token is rejected.
        for server in fleet:
            expect_same(server.get("/readyz").json()["entries"], 1)
        _expect_all(fleet, kept, 200)
        _expect_all(fleet, ann.sign_in("ann"), 200)
    with bench.report.check("fleet: a server that starts later rejects it too"):
        newcomer = [start("that starts later")]
        _wait_until_ready(newcomer)
        _expect_all(newcomer, token, 401)
        _expect_all(newcomer, kept, 200)


def _check_processes(
    bench: Bench, engine: Engine, fleet: list[ExampleServer], start: Start
) -> None:
    """Users sign in and log out at servers, of which one is stopped, and the engine is killed."""
    stopped, others = fleet[4], fleet[:4] + fleet[5:]
    with bench.report.check("fleet: a log-out at one server ends a session in each"):
        ann, bob, carol, dave = (_sign_in(fleet[0], name) for name in "abcd")
        for token in (ann, bob, carol, dave):
            _expect_all(fleet, token, 200)
        _log_out(fleet[7], ann, 204)
        _expect_all(fleet[7:8], ann, 401)
        _wait_until_rejected(fleet, ann)
        _expect_all(fleet, bob, 200)
    with bench.report.check("fleet: a log-out while a server is stopped is published"):
        stopped.pause()
        stopped_at = time.monotonic()
        _log_out(fleet[0], carol, 204)
        _wait_until_rejected(others, carol)
    with bench.report.check("fleet: an engine that is killed loses no log-out"):
        engine.kill()
        # It is queued, and enforced here.
        _log_out(fleet[2], bob, 503)
        _expect_all(fleet[2:3], bob, 401)
        engine.start()
        _wait_until_rejected(others, bob)
        _wait_until_ready(others)
        newcomer = [start("behind an engine that was killed")]
        _wait_until_ready(newcomer)
        for token in (ann, bob, carol):
            _wait_until_rejected(newcomer, token)
        _expect_all([*others, *newcomer], dave, 200)
    with bench.report.check("fleet: a server that was stopped accepts no log-out"):
        wait_for(
            lambda: time.monotonic() - stopped_at > MAX_AGE_SECONDS + 1, "time stands"
        )
        # Sent while it is stopped, so that it answers them before it has read.
        asking = [_ask(stopped, carol) for _ in range(16)]
        stopped.resume()
        statuses = {connection.getresponse().status for connection in asking}
        expect(statuses <= {401, 503}, f"it answered {statuses}")
        for connection in asking:
            connection.close()
        _wait_until_ready([stopped])
        for token in (ann, bob, carol):
            _wait_until_rejected([stopped], token)
        _expect_all([stopped], dave, 200)


def _sign_in(server: ExampleServer, user: str) -> str:
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    return server.send("POST", "/login", form, f"sub={user}").json()["token"]


def _log_out(server: ExampleServer, token: str, status: int) -> None:
    expect_same(server.send("POST", "/logout", bearer(token)).status, status)


def _ask(server: ExampleServer, token: str) -> http.client.HTTPConnection:
    """Sends a request, and reads no answer."""
    connection = http.client.HTTPConnection(*server.address, timeout=STOP_SECONDS)
    connection.request("GET", "/session", headers=dict(bearer(token)))
    return connection


def _expect_all(servers: list[ExampleServer], token: str, status: int) -> None:
    statuses = [server.session(token).status for server in servers]
    expect_same(statuses, [status] * len(servers))


def _wait_until_ready(servers: list[ExampleServer]) -> None:
    for server in servers:
        wait_for(lambda server=server: server.get("/readyz").status == 200, "not ready")


def _wait_until_rejected(servers: list[ExampleServer], token: str) -> None:
    for server in servers:
        wait_for(
            lambda server=server: server.session(token).status == 401, "not rejected"
        )
