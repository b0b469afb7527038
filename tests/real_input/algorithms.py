"""Tokens of every algorithm from both libraries, over real HTTP."""

from typing import Any

from bench import Bench
from keys import Key
from peers import Peer
from rejections import expect_bare
from report import expect, expect_same
from server import ExampleServer
from session import expected_session, full_claims
from tokens import tamper_signature


def run(bench: Bench) -> None:
    """One server holds a key of every algorithm."""
    with bench.jwks_server("every algorithm") as server:
        for key in bench.keys.values():
            for peer in bench.peers:
                if peer.knows(key.algorithm):
                    _check_algorithm(bench, server, key, peer)
                else:
                    print(f"note  {peer.name} knows no algorithm {key.algorithm}")
        _check_open_routes(bench, server)


def _check_algorithm(bench: Bench, server: ExampleServer, key: Key, peer: Peer) -> None:
    label = f"{key.algorithm} by {peer.name}"
    claims = full_claims()
    past = {name: claims[name] - 7200 for name in ("exp", "iat", "nbf")}
    with bench.report.check(f"{label}: the session is the claims"):
        _expect_session(server, peer.mint(key, "session+jwt", claims), claims)
    with bench.report.check(f"{label}: a changed signature is rejected"):
        token = tamper_signature(peer.mint(key, "session+jwt", claims))
        expect_bare(server.session(token), 401, "signature_invalid")
    with bench.report.check(f"{label}: an expired token is rejected"):
        token = peer.mint(key, "session+jwt", claims | past)
        expect_bare(server.session(token), 401, "token_expired")


def _expect_session(server: ExampleServer, token: str, claims: dict[str, Any]) -> None:
    reply = server.session(token)
    expect_same(reply.status, 200)
    expect_same(reply.json(), expected_session(claims))


def _check_open_routes(bench: Bench, server: ExampleServer) -> None:
    administrator = full_claims(client_kind="desktop", access_level="administrator")
    token = bench.pyjwt.mint(bench.keys["ES256"], "session+jwt", administrator)
    with bench.report.check("routes: an administrator at a desktop"):
        _expect_session(server, token, administrator)
        for path, status in {"/desktop": 200, "/admin": 200, "/web": 403}.items():
            reply = server.get(path, [("Authorization", f"bearer {token}")])
            expect_same({path: reply.status}, {path: status})
    with bench.report.check("routes: some need no token"):
        expect_same(server.get("/optional").json(), {"session": None})
        for path in ("/", "/healthz", "/readyz"):
            expect_same({path: server.get(path).status}, {path: 200})
        routes = server.get("/").body.decode()
        for path in ("/session", "/nested", "/time", "/readyz"):
            expect(path in routes, f"{path} is not in {routes!r}")
