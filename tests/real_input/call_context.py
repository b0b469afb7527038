"""Culture, offset and zone of one call, and what the response says of them."""

from datetime import datetime
from typing import Any

from bench import Bench
from report import expect, expect_same
from server import ExampleServer, Headers, bearer
from session import claims_without, expected_session, full_claims, sourced

CALL: Headers = [
    ("Client-Culture", "de-de"),
    ("Client-UI-Culture", "fr-FR"),
    ("Client-UTC-Offset", "+05:30"),
    ("Client-Time-Zone", "Asia/Kolkata"),
    ("Accept-Language", "sv-SE"),
]
FROM_CALL = {
    "client_culture": sourced("de-DE", "call"),
    "client_ui_culture": sourced("fr-FR", "call"),
    "client_utc_offset": sourced("+05:30", "call"),
    "client_time_zone": sourced("Asia/Kolkata", "call"),
}
SUMMER = 1_782_907_200  # 2026-07-01T12:00:00Z


def run(bench: Bench) -> None:
    """The same call to servers that listen to it, do not, and are choosy."""
    with bench.jwks_server("call context", "--call-context") as server:
        _check_headers(bench, server)
        _check_response_fields(bench, server)
    with bench.jwks_server("no call context") as server:
        _check_off_by_default(bench, server)
    supported = ("--supported-culture", "de", "--supported-culture", "en-US")
    choosy = ("--call-context", *supported, "--default-culture", "en-US")
    with bench.jwks_server("supported cultures", *choosy) as server:
        _check_supported(bench, server)
    with bench.jwks_server("fixed clock", "--now", str(SUMMER)) as server:
        _check_time(bench, server)


def _check_headers(bench: Bench, server: ExampleServer) -> None:
    cases: list[tuple[str, Headers, dict[str, Any]]] = [
        ("no header leaves the token's", [], {}),
        ("every header wins over the token", CALL, FROM_CALL),
        (
            "a culture stands for the UI culture",
            CALL[:1],
            {
                "client_culture": sourced("de-DE", "call"),
                "client_ui_culture": sourced("de-DE", "call"),
            },
        ),
        (
            "an offset alone drops the token's zone",
            CALL[2:3],
            {
                "client_utc_offset": sourced("+05:30", "call"),
                "client_time_zone": sourced(None),
            },
        ),
        ("Accept-Language comes after the token", CALL[4:], {}),
        (
            "bad values are ignored",
            [
                ("Client-Culture", "not a culture!"),
                ("Client-UTC-Offset", "+25:00"),
                ("Client-Time-Zone", "../../etc/passwd"),
            ],
            {},
        ),
    ]
    for name, headers, changes in cases:
        with bench.report.check(f"call context: {name}"):
            claims = full_claims()
            _expect_session(bench, server, claims, headers, changes)
    with bench.report.check("call context: Accept-Language where the token is silent"):
        headers = [("Accept-Language", "pt-BR;q=0.8, sv-SE, *;q=0.1")]
        found = sourced("sv-SE", "accept-language")
        changes = {"client_culture": found, "client_ui_culture": found}
        _expect_session(bench, server, _silent_claims(), headers, changes)


def _check_response_fields(bench: Bench, server: ExampleServer) -> None:
    token = _mint(bench, full_claims())
    for name, headers in {"with": CALL, "without": []}.items():
        with bench.report.check(f"call context: Vary {name} the headers"):
            varied = server.session(token, headers).list_header("Vary")
            missing = {field.lower() for field, _ in CALL} - varied
            expect(not missing, f"Vary lacks {sorted(missing)}")
    with bench.report.check("call context: Content-Language is the UI culture"):
        reply = server.session(token, CALL)
        expect_same(reply.headers.get_all("Content-Language"), ["fr-FR"])


def _check_off_by_default(bench: Bench, server: ExampleServer) -> None:
    with bench.report.check("call context: off by default"):
        _expect_session(bench, server, full_claims(), CALL, {})
    with bench.report.check("call context: no Vary and no Content-Language when off"):
        reply = server.session(_mint(bench, full_claims()), CALL)
        expect_same(reply.list_header("Vary") & {f.lower() for f, _ in CALL}, set())
        expect_same(reply.headers.get_all("Content-Language"), None)


def _check_supported(bench: Bench, server: ExampleServer) -> None:
    austrian: Headers = [("Client-Culture", "de-AT")]
    polish: Headers = [("Accept-Language", "pl, de-CH;q=0.5")]
    cases = [
        ("the call's, looked up", full_claims(), austrian, "de", "call"),
        ("the token's", full_claims(locale="de-CH"), [], "de", "token"),
        ("the next source's", full_claims(), polish, "de", "accept-language"),
        ("the default", full_claims(), [], "en-US", "default"),
    ]
    for name, claims, headers, culture, source in cases:
        with bench.report.check(f"supported cultures: {name}"):
            del claims["ui_locale"]
            found = sourced(culture, source)
            changes = {"client_culture": found, "client_ui_culture": found}
            _expect_session(bench, server, claims, headers, changes)
            reply = server.session(_mint(bench, claims), headers)
            expect_same(reply.headers.get_all("Content-Language"), [culture])


def _check_time(bench: Bench, server: ExampleServer) -> None:
    times = {"iat": SUMMER - 5, "nbf": SUMMER - 5, "exp": SUMMER + 600}
    with bench.report.check("a zone without an offset follows daylight saving"):
        claims = claims_without("utc_offset", zoneinfo="Europe/Berlin", **times)
        expected = expected_session(claims | {"utc_offset": 120})
        reply = server.session(_mint(bench, claims))
        expect_same(reply.status, 200)
        expect_same(reply.json(), expected)
    with bench.report.check("/time has the client's time"):
        token = _mint(bench, full_claims(**times))
        answer = server.get("/time", bearer(token)).json()
        moments = [datetime.fromisoformat(answer[name]) for name in ("utc", "client")]
        expect_same([int(moment.timestamp()) for moment in moments], [SUMMER] * 2)
        expect(answer["client"].endswith("+03:00"), f"it is {answer['client']!r}")
        expect_same(answer["zone"], "Europe/Moscow")


def _silent_claims() -> dict[str, Any]:
    return claims_without("locale", "ui_locale")


def _expect_session(
    bench: Bench,
    server: ExampleServer,
    claims: dict[str, Any],
    headers: Headers,
    changes: dict[str, Any],
) -> None:
    reply = server.session(_mint(bench, claims), headers)
    expect_same(reply.status, 200)
    expected = expected_session({"locale": ""} | claims, **changes)
    expect_same(reply.json(), expected)


def _mint(bench: Bench, claims: dict[str, Any]) -> str:
    return bench.pyjwt.mint(bench.keys["EdDSA"], "session+jwt", claims)
