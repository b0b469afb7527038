"""Servers behind one engine, and an OpenID provider whose log-out ends a session in all of them."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import keys
from bench import Bench
from provider import SignInProvider
from report import expect_same
from server import ExampleServer
from session import AUDIENCE
from waiting import wait_for

COUNT = 3
STOP_SECONDS = 15


def run(bench: Bench) -> None:
    """Three servers, and one that starts after the log-out."""
    key = keys.generate("ES256", "provider")
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(_engine(bench))
        provider = SignInProvider(
            bench.provider_node, bench.directory / "sign-in.json", bench.secret_file
        )
        stack.enter_context(provider)
        jwks = keys.write_jwks(bench.directory / "sign-in-public.json", [key])
        options = (
            *("--redis", redis, "--hs256-secret-file", str(bench.secret_file)),
            *("--issuer", provider.issuer, "--audience", AUDIENCE),
            *("--logout-jwks", str(jwks), "--logout-client-id", "shop"),
        )

        def start(name: str) -> ExampleServer:
            server = ExampleServer(bench.fleet_binary, bench.report, name, *options)
            stack.enter_context(server)
            wait_for(
                lambda: server.get("/readyz").status == 200, f"{name} is not ready"
            )
            return server

        fleet = [start(f"{number} of a fleet") for number in range(1, COUNT + 1)]
        host, port = fleet[1].address
        provider.notify(f"http://{host}:{port}/backchannel-logout")
        provider.start(key)
        ann, bob = provider.browser(), provider.browser()
        with bench.report.check("fleet: each server accepts a session of a provider"):
            token, kept = ann.sign_in("ann"), bob.sign_in("bob")
            for server in fleet:
                session = server.session(token).json()
                claims = bench.pyjwt.claims(token)
                expect_same(session["id"], claims["sid"])
                expect_same(session["token"]["type"], "at+jwt")
                expect_same(server.session(kept).status, 200)
        with bench.report.check("fleet: a log-out at the provider ends it in each"):
            for server in fleet:
                expect_same(server.session(token).status, 200)
            ann.log_out()
            for server in fleet:
                wait_for(
                    lambda server=server: server.session(token).status != 200,
                    "it is accepted still",
                )
                expect_same(server.session(token).status, 401)
        with bench.report.check("fleet: that log-out ends no other session"):
            again = ann.sign_in("ann")
            for server in fleet:
                # One revocation, by which alone the token is rejected.
                expect_same(server.get("/readyz").json()["entries"], 1)
                expect_same(server.session(kept).status, 200)
                expect_same(server.session(again).status, 200)
        with bench.report.check("fleet: a server that starts later rejects it too"):
            newcomer = start("that starts later")
            expect_same(newcomer.session(token).status, 401)
            expect_same(newcomer.session(kept).status, 200)


@contextlib.contextmanager
def _engine(bench: Bench) -> Iterator[str]:
    """The address of an engine, until the end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    folder = Path(bench.directory, "engine")
    folder.mkdir()
    engine = subprocess.Popen(
        [
            *(bench.redis_server, "--port", str(port), "--bind", "127.0.0.1"),
            *("--dir", str(folder), "--appendonly", "yes", "--save", ""),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        engine.kill()
        engine.wait(STOP_SECONDS)
