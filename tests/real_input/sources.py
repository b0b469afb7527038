"""Every place of a request where a token may stand."""

from bench import Bench
from refusals import expect_bare
from report import expect_same
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
        if not name.startswith("Authorization"):
            with bench.report.check(f"source {name}: the same token twice is fine"):
                reply = server.get("/session", headers + places["Authorization"])
                expect_same(reply.status, 200)
            with bench.report.check(f"source {name}: a second token is refused"):
                two = headers + strange_places["Authorization"]
                expect_bare(server.get("/session", two), 400, "request_invalid")
    with bench.report.check("source cookie: two values are refused"):
        two = places["cookie"] + strange_places["cookie"]
        expect_bare(server.get("/session", two), 400, "request_invalid")


def _check_off_by_default(bench: Bench, server: ExampleServer) -> None:
    places = _places(_mint(bench, full_claims()))
    for name, headers in places.items():
        if not name.startswith("Authorization"):
            with bench.report.check(f"source {name}: not read unless turned on"):
                expect_bare(server.get("/session", headers), 401, "token_missing")


def _mint(bench: Bench, claims: dict[str, object]) -> str:
    return bench.pyjwt.mint(bench.keys["ES256"], "session+jwt", claims)
