"""Every place of a request where a token may stand."""

import time

from bench import Bench
from rejections import expect_bare
from report import expect, expect_same
from server import ExampleServer, Headers, bearer
from session import expected_session, full_claims

COOKIE = "session_token"
HEADER = "X-Session-Token"
PREFIX = "session-token."


def run(bench: Bench) -> None:
    """A server that takes tokens from four sources."""
    options = ("--cookie", COOKIE, "--header", HEADER, "--websocket-prefix", PREFIX)
    with bench.jwks_server("token sources", *options) as server:
        _check_sources(bench, server)
        _check_cookies(bench, server)
    with bench.jwks_server("a cookie's culture", "--call-context", *options) as server:
        _check_vary(bench, server)
    with bench.jwks_server("header only") as server:
        _check_off_by_default(bench, server)


def _places(token: str) -> dict[str, Headers]:
    return {
        "Authorization": bearer(token),
        "Authorization, scheme in capitals": [("Authorization", f"BEARER {token}")],
        "cookie": [("Cookie", f"theme=dark; {COOKIE}={token}; lang=ru")],
        "own header": [(HEADER, token)],
        "websocket subprotocol": [("Sec-WebSocket-Protocol", f"chat, {PREFIX}{token}")],
    }


def _check_sources(bench: Bench, server: ExampleServer) -> None:
    claims = full_claims()
    places = _places(_mint(bench, claims))
    strange_places = _places(_mint(bench, full_claims()))
    for name, headers in places.items():
        with bench.report.check(f"source {name}: the session"):
            reply = server.get("/session", headers)
            expect_same(reply.status, 200)
            expect_same(reply.json(), expected_session(claims))
        if name == "cookie" or name.startswith("Authorization"):
            continue
        with bench.report.check(f"source {name}: the same token twice is fine"):
            reply = server.get("/session", headers + places["Authorization"])
            expect_same(reply.status, 200)
        with bench.report.check(f"source {name}: a second token is rejected"):
            two = headers + strange_places["Authorization"]
            expect_bare(server.get("/session", two), 400, "request_invalid")
    with bench.report.check("source own header: an empty one counts as absent"):
        reply = server.get("/session", [(HEADER, ""), *places["Authorization"]])
        expect_same(reply.status, 200)


def _check_cookies(bench: Bench, server: ExampleServer) -> None:
    now = int(time.time())
    claims = full_claims()
    good, other = _mint(bench, claims), _mint(bench, full_claims())
    stale = _mint(bench, full_claims(exp=now - 3600, iat=now - 7200, nbf=now - 7200))
    accepted = {
        "a bearer token comes before an expired cookie": (
            bearer(good) + _cookies(stale)
        ),
        "a bearer token comes before another good cookie": (
            bearer(good) + _cookies(other)
        ),
        "a stale cookie stands before a good one": _cookies(stale, good),
        "a good cookie stands before a stale one": _cookies(good, stale),
        "one value in two cookies": _cookies(good, good),
        "an empty cookie stands before a good one": _cookies("", good),
        "four values, one of them good": _cookies("a", "b", stale, good),
    }
    for name, headers in accepted.items():
        with bench.report.check(f"source cookie: {name}"):
            reply = server.get("/session", headers)
            expect_same(reply.status, 200)
            expect_same(reply.json(), expected_session(claims))
    rejected = [
        ("two that verify", _cookies(good, other), 400, "request_invalid"),
        (
            "five values",
            _cookies("a", "b", "c", stale, good),
            400,
            "request_invalid",
        ),
        ("none that verifies", _cookies(stale, "a"), 401, "token_expired"),
        ("an empty cookie", _cookies(""), 401, "token_missing"),
    ]
    for name, headers, status, code in rejected:
        with bench.report.check(f"source cookie: {name} is {code}"):
            expect_bare(server.get("/session", headers), status, code)
    with bench.report.check("source cookie: a page for all stays open to a stale one"):
        reply = server.get("/optional", _cookies(stale))
        expect_same(reply.status, 200)
        expect_same(reply.json(), {"session": None})
    with bench.report.check("source cookie: a stale bearer token is rejected there"):
        reply = server.get("/optional", bearer(stale))
        expect_bare(reply, 401, "token_expired")


def _check_vary(bench: Bench, server: ExampleServer) -> None:
    """A cache has to know what the culture came from."""
    places = _places(_mint(bench, full_claims()))
    for name, field in {"cookie": "cookie", "own header": HEADER.lower()}.items():
        with bench.report.check(f"source {name}: it is in Vary"):
            reply = server.get("/session", places[name])
            varied = reply.list_header("Vary")
            expect(field in varied, f"Vary is {sorted(varied)}")


def _cookies(*values: str) -> Headers:
    return [("Cookie", "; ".join(f"{COOKIE}={value}" for value in values))]


def _check_off_by_default(bench: Bench, server: ExampleServer) -> None:
    places = _places(_mint(bench, full_claims()))
    for name, headers in places.items():
        if not name.startswith("Authorization"):
            with bench.report.check(f"source {name}: not read unless turned on"):
                expect_bare(server.get("/session", headers), 401, "token_missing")


def _mint(bench: Bench, claims: dict[str, object]) -> str:
    return bench.pyjwt.mint(bench.keys["ES256"], "session+jwt", claims)
