"""What a rejection must look like, and every code that the profile names."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives import serialization

import keys
from bench import Bench
from report import expect, expect_same
from server import ExampleServer, Headers, Reply, bearer
from session import claims_without, full_claims
from tokens import encode_json, sign_by_hand, tamper_payload, tamper_signature

CHALLENGE_ERROR = re.compile(r'\berror="([^"]*)"')
ERRORS = {400: "invalid_request", 401: "invalid_token", 403: "insufficient_scope"}
PROBLEM_MEMBERS = {"type", "title", "status", "code"}
HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class Rejected:
    """One bad request and the answer that it deserves."""

    name: str
    headers: Headers
    code: str
    status: int = 401
    path: str = "/session"


@dataclass(frozen=True)
class Forgery:
    """Mints the tokens of the table below."""

    bench: Bench
    algorithm: str = "ES256"
    typ: str = "session+jwt"

    def header(self, **claims: object) -> Headers:
        """A credential of the full claims with changes."""
        return bearer(self.token(full_claims(**claims)))

    def header_without(self, name: str) -> Headers:
        """A credential of the full claims but for one."""
        return bearer(self.token(claims_without(name)))

    def token(self, claims: dict[str, object]) -> str:
        """A token signed by the right key."""
        return self.bench.pyjwt.mint(self.bench.keys[self.algorithm], self.typ, claims)


def run(bench: Bench) -> None:
    """Every rejection, in the bare form and as problem details."""
    table = _table(bench)
    with bench.jwks_server("bare rejections") as server:
        _check_all(bench, server, table, expect_bare)
    with bench.jwks_server("problem details", "--problem-details") as server:
        _check_all(bench, server, table, expect_problem)


def expect_rejected(reply: Reply, status: int, code: str) -> None:
    """Checks the status and the challenge."""
    expect_same(reply.status, status)
    challenge = reply.headers.get("WWW-Authenticate", "")
    expect(challenge.startswith("Bearer realm="), f"the challenge is {challenge!r}")
    expected = None if code == "token_missing" else ERRORS[status]
    found = CHALLENGE_ERROR.search(challenge)
    expect_same(found and found[1], expected)


def expect_bare(reply: Reply, status: int, code: str) -> None:
    """Checks a rejection without a body."""
    expect_rejected(reply, status, code)
    expect_same(reply.body, b"")


def expect_problem(reply: Reply, status: int, code: str) -> None:
    """Checks a rejection in the form of RFC 9457."""
    expect_rejected(reply, status, code)
    expect_same(reply.headers.get_content_type(), "application/problem+json")
    problem = reply.json()
    expect_same(problem.get("code"), code)
    expect_same(problem.get("status"), status)
    missing = PROBLEM_MEMBERS - problem.keys()
    expect(not missing, f"the problem has no {sorted(missing)}")


def _check_all(
    bench: Bench,
    server: ExampleServer,
    table: list[Rejected],
    expect_form: Callable[[Reply, int, str], None],
) -> None:
    form = expect_form.__name__.removeprefix("expect_")
    for case in table:
        with bench.report.check(f"rejected, {form}: {case.name} is {case.code}"):
            reply = server.get(case.path, case.headers)
            expect_form(reply, case.status, case.code)


def _table(bench: Bench) -> list[Rejected]:
    forge = Forgery(bench)
    return [
        *_no_credential(forge),
        *_bad_form(bench),
        *_bad_signature(bench, forge),
        *_bad_times(forge),
        *_bad_claims(forge),
        *_unacceptable(bench, forge),
        *_forbidden(forge),
    ]


def _no_credential(forge: Forgery) -> list[Rejected]:
    one, other = forge.header(), forge.header()
    token = one[0][1].split()[1]
    return [
        Rejected("no token", [], "token_missing"),
        Rejected("another scheme", [("Authorization", "Basic dTpw")], "token_missing"),
        Rejected("two Authorization fields", one + other, "request_invalid", 400),
        Rejected("the same field twice", one + one, "request_invalid", 400),
        Rejected("no credential", [("Authorization", "Bearer")], "request_invalid", 400),
        Rejected("two credentials", bearer(f"{token} {token}"), "request_invalid", 400),
        Rejected(
            "a bad token where none is needed",
            bearer("not.a.token"),
            "token_malformed",
            path="/optional",
        ),
    ]


def _bad_form(bench: Bench) -> list[Rejected]:
    def by_hand(**members: object) -> Headers:
        key = bench.keys["HS256"]
        header = {"alg": "HS256", "kid": key.kid, "typ": "session+jwt"} | members
        return bearer(sign_by_hand(header, full_claims(), key.signing))

    return [
        Rejected("plain text", bearer("not-a-token"), "token_malformed"),
        Rejected("five parts", bearer("e30.e30.e30.e30.e30"), "token_malformed"),
        Rejected("9,000 bytes", bearer("e30." + "e" * 9000 + ".e30"), "token_malformed"),
        Rejected("a crit member", by_hand(crit=["exp"]), "token_malformed"),
        Rejected("b64", by_hand(b64=False), "token_malformed"),
        Rejected("a kid that is a number", by_hand(kid=1), "token_malformed"),
    ]


def _bad_signature(bench: Bench, forge: Forgery) -> list[Rejected]:
    token = forge.token(full_claims())
    stranger = keys.generate("ES256")
    strange = bench.pyjwt.mint(stranger, "session+jwt", full_claims())
    raised = tamper_payload(token, access_level="administrator")
    code = "signature_invalid"
    return [
        Rejected(
            "a signature changed in one bit", bearer(tamper_signature(token)), code
        ),
        Rejected("a claim changed after signing", bearer(raised), code),
        Rejected("a key of the right id that is not ours", bearer(strange), code),
    ]


def _bad_times(forge: Forgery) -> list[Rejected]:
    now = int(time.time())
    past = forge.header(iat=now - 2 * HOUR, nbf=now - 2 * HOUR, exp=now - HOUR)
    later = "token_not_yet_valid"
    return [
        Rejected("an hour after exp", past, "token_expired"),
        Rejected(
            "an hour before nbf", forge.header(nbf=now + HOUR, exp=now + DAY), later
        ),
        Rejected("iat in an hour", forge.header(iat=now + HOUR, exp=now + DAY), later),
    ]


def _bad_claims(forge: Forgery) -> list[Rejected]:
    code = "claim_invalid"
    return [
        Rejected(
            "another issuer", forge.header(iss="https://x.example"), "issuer_invalid"
        ),
        Rejected("another audience", forge.header(aud="payments"), "audience_invalid"),
        Rejected("another server", forge.header(server="other"), "server_mismatch"),
        Rejected("another instance", forge.header(instance="other"), "server_mismatch"),
        Rejected("no sid", forge.header_without("sid"), code),
        Rejected("no sub", forge.header_without("sub"), code),
        Rejected("an offset of 841 minutes", forge.header(utc_offset=841), code),
        Rejected("an offset in text", forge.header(utc_offset="180"), code),
        Rejected("a name that is null", forge.header(name=None), code),
        Rejected("an ill-formed culture", forge.header(locale="ru_RU"), code),
        Rejected("an ill-formed zone", forge.header(zoneinfo="../etc"), code),
        Rejected("an unknown client kind", forge.header(client_kind="toaster"), code),
        Rejected("a name of 257 bytes", forge.header(name="n" * 257), code),
    ]


def _unacceptable(bench: Bench, forge: Forgery) -> list[Rejected]:
    now = int(time.time())
    code = "token_unacceptable"

    def typed(typ: str) -> Headers:
        return Forgery(bench, typ=typ).header()

    return [
        Rejected("typ JWT", typed("JWT"), code),
        Rejected("typ at+jwt", typed("at+jwt"), code),
        Rejected("typ nested-session+jwt", typed("nested-session+jwt"), code),
        Rejected("an unknown kid", bearer(_with_kid(bench, "unknown")), code),
        Rejected("no kid among many keys", bearer(_with_kid(bench, None)), code),
        Rejected("alg none", bearer(_unsigned(bench)), code),
        Rejected("a public key used as a secret", bearer(_confused(bench)), code),
        Rejected("EdDSA for an Ed25519 key", bearer(_renamed(bench)), code),
        Rejected("an eight-day lifetime", forge.header(exp=now + 8 * DAY), code),
        Rejected("a bound token", forge.header(cnf={"jkt": "x"}), code),
        Rejected("an actor", forge.header(act={"sub": "somebody"}), code),
    ]


def _forbidden(forge: Forgery) -> list[Rejected]:
    web = forge.header(client_kind="web", access_level="regular")
    desktop = forge.header(client_kind="desktop")
    kind = "client_kind_forbidden"
    return [
        Rejected("web at /desktop", web, kind, 403, "/desktop"),
        Rejected("desktop at /web", desktop, kind, 403, "/web"),
        Rejected("regular at /admin", web, "access_level_insufficient", 403, "/admin"),
    ]


def _with_kid(bench: Bench, kid: str | None) -> str:
    secret = bench.keys["HS256"].signing
    header = {"alg": "HS256", "typ": "session+jwt"} | ({"kid": kid} if kid else {})
    return sign_by_hand(header, full_claims(), secret)


def _unsigned(bench: Bench) -> str:
    header = {"alg": "none", "kid": bench.keys["ES256"].kid, "typ": "session+jwt"}
    return f"{encode_json(header)}.{encode_json(full_claims())}.AA"


def _confused(bench: Bench) -> str:
    key = bench.keys["RS256"]
    pem = key.verifying.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"alg": "HS256", "kid": key.kid, "typ": "session+jwt"}
    return sign_by_hand(header, full_claims(), pem)


def _renamed(bench: Bench) -> str:
    older_name = replace(bench.keys["Ed25519"], algorithm="EdDSA")
    return bench.pyjwt.mint(older_name, "session+jwt", full_claims())
