"""Claims of others' tokens: what degrades, what is rejected, and the same in ours."""

from typing import Any

from bench import Bench
from rejections import expect_bare
from report import expect_same
from server import ExampleServer
from session import expected_session, full_claims, sourced
from tokens import sign_by_hand

OTHERS = ("JWT", "at+jwt")
OWN = "session+jwt"
# Each is rejected in our own types and counts as absent in others'.
DISPLAY: tuple[tuple[str, Any], ...] = (
    ("name", None),
    ("name", 7),
    ("name", "n" * 1025),
    ("preferred_username", None),
    ("preferred_username", ["anna"]),
    ("locale", None),
    ("locale", ["ru-RU"]),
    ("locale", "not a culture"),
    ("ui_locale", {}),
    ("ui_locale", "e"),
    ("zoneinfo", None),
    ("zoneinfo", 3),
    ("zoneinfo", "../../etc/passwd"),
    ("zoneinfo", "Z" * 65),
    ("utc_offset", None),
    ("utc_offset", "180"),
    ("utc_offset", 841),
)
# Each is rejected everywhere.
DECIDING: tuple[tuple[str, Any], ...] = (
    ("sub", None),
    ("sub", ""),
    ("sid", None),
    ("client_id", 7),
    ("client_kind", None),
    ("access_level", None),
    ("access_level", "root"),
    ("scope", None),
    ("scope", 7),
    ("scope", ["orders.read", 7]),
    ("roles", None),
    ("roles", "clerk"),
    ("roles", ["clerk", None]),
    ("roles", ["r"] * 65),
    ("roles", ["r" * 257]),
    ("auth_time", None),
    ("auth_time", "1790000000"),
)
WORDS = ["orders.read", "orders.write"]
ABSENT = {
    "locale": {"client_culture": sourced("en-US", "default")},
    "ui_locale": {"client_ui_culture": sourced("ru-RU")},
    "zoneinfo": {"client_time_zone": sourced(None)},
    # The zone that stays has an offset.
    "utc_offset": {},
}


def run(bench: Bench) -> None:
    """One server for our own types, one for each type that others mint."""
    with bench.jwks_server("our own claims", "--accept-type", OWN) as server:
        for name, value in (*DISPLAY, *DECIDING, ("scope", WORDS)):
            _check_rejected(bench, server, OWN, name, value)
    for typ in OTHERS:
        options = ("--accept-type", typ, "--default-culture", "en-US")
        with bench.jwks_server(f"claims of {typ}", *options) as server:
            for name, value in DISPLAY:
                _check_absent(bench, server, typ, name, value)
            for name, value in DECIDING:
                _check_rejected(bench, server, typ, name, value)
            _check_shapes(bench, server, typ)


def _check_absent(
    bench: Bench, server: ExampleServer, typ: str, name: str, value: Any
) -> None:
    with bench.report.check(f"{typ}: {name} of {_short(value)} counts as absent"):
        claims = full_claims(**{name: value})
        read = {k: v for k, v in claims.items() if k != name}
        # In place of what is absent the table has the member.
        read = {"locale": "en-US", "utc_offset": 180} | read
        expected = expected_session(read, typ, **ABSENT.get(name, {}))
        _expect_session(bench, server, typ, claims, expected)


def _check_rejected(
    bench: Bench, server: ExampleServer, typ: str, name: str, value: Any
) -> None:
    with bench.report.check(f"{typ}: {name} of {_short(value)} is rejected"):
        token = _mint(bench, typ, full_claims(**{name: value}))
        expect_bare(server.session(token), 401, "claim_invalid")


def _check_shapes(bench: Bench, server: ExampleServer, typ: str) -> None:
    cases: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("a list of words as scope", {"scope": WORDS}, {"scope": WORDS}),
        ("an empty list as scope", {"scope": []}, {"scope": []}),
        ("no roles", {"roles": []}, {"roles": []}),
        ("64 roles", {"roles": [f"r{n}" for n in range(64)]}, {}),
        (
            "an underscore in a culture",
            {"locale": "en_US"},
            {"client_culture": sourced("en-US")},
        ),
        (
            "a name of 1,024 bytes",
            {"name": "n" * 1024},
            {},
        ),
    ]
    for name, changes, session in cases:
        with bench.report.check(f"{typ}: {name} is read"):
            claims = full_claims(**changes)
            expected = expected_session(claims, typ, **session)
            _expect_session(bench, server, typ, claims, expected)


def _expect_session(
    bench: Bench,
    server: ExampleServer,
    typ: str,
    claims: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    reply = server.session(_mint(bench, typ, claims))
    expect_same(reply.status, 200)
    expect_same(reply.json(), expected)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 24 else f"{text[:20]}… ({len(value)})"


def _mint(bench: Bench, typ: str, claims: dict[str, Any]) -> str:
    # By hand: the libraries check some claims before they sign.
    key = bench.keys["HS256"]
    header = {"alg": key.algorithm, "kid": key.kid, "typ": typ}
    return sign_by_hand(header, claims, key.signing)
