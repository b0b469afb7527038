"""The example server in front of a real OpenID provider: discovery, rotation, and failures."""

import threading
from pathlib import Path

import keys
from bench import Bench
from provider import Provider
from rejections import expect_bare
from report import expect, expect_same
from server import ExampleServer, Reply
from session import AUDIENCE, full_claims
from waiting import wait_for


def run(bench: Bench) -> None:
    """One provider, two, and one beside a login of our own."""
    _check_one(bench)
    _check_two(bench)
    _check_own_login(bench)


def _check_one(bench: Bench) -> None:
    """Tokens of a provider, whose keys change and which fails, while the server runs."""
    old, new, newer = (keys.generate("ES256", kid) for kid in ("old", "new", "newer"))
    with _provider(bench, "provider") as provider:
        with bench.report.check("provider: it gives an access token"):
            provider.start(old)
            token = provider.token()
        provider.stop()
        with _server(bench, provider) as server:
            with bench.report.check("provider down at the start: 503, and not ready"):
                _expect_unavailable(server.session(token))
                reply = server.get("/readyz")
                expect_same(reply.status, 503)
                expect(provider.issuer in reply.body.decode(), "whose keys are missing?")
            with bench.report.check("provider back: the server becomes ready"):
                provider.start(old)
                _wait_until_ready(server)
            with bench.report.check("provider: its token is a session"):
                session = _session(server.session(token))
                expect_same(session["token"]["issuer"], provider.issuer)
                expect_same(session["application_id"], "shop")
                expect_same(session["scope"], ["orders.read"])
            with bench.report.check("provider: a new key is found while requests run"):
                _check_rotation(server, provider, token, [new, old])
            with bench.report.check("provider down: known keys keep working"):
                fresh = provider.token()
                _session(server.session(fresh))
                provider.stop()
                _session(server.session(fresh))
                _session(server.session(token))
                expect_same(server.get("/readyz").status, 200)
            with bench.report.check("provider: a withdrawn key is not trusted any more"):
                provider.start(newer)
                _session(server.session(provider.token()))
                _wait_until_rejected(server, token)


def _check_two(bench: Bench) -> None:
    """The issuers of `--issuer` and `--also`, whose keys have the same id."""
    key, others = keys.generate("ES256", "same"), keys.generate("ES256", "same")
    with _provider(bench, "first") as first, _provider(bench, "second") as second:
        first.start(key)
        second.start(others)
        tokens = first.token(), second.token()
        second.stop()
        with _server(bench, first, "--also", second.issuer) as server:
            with bench.report.check("--also: a provider that is down leaves the other"):
                wait_for(
                    lambda: server.session(tokens[0]).status == 200,
                    "the other has no keys",
                )
                _expect_unavailable(server.session(tokens[1]))
                reply = server.get("/readyz")
                expect_same(reply.status, 503)
                unready = reply.body.decode()
                expect(second.issuer in unready, "the second is not named")
                expect(first.issuer not in unready, "the first is named")
            with bench.report.check("--also: tokens of both are sessions"):
                second.start(others)
                _wait_until_ready(server)
                issuers = [
                    _session(server.session(token))["token"]["issuer"]
                    for token in tokens
                ]
                expect_same(issuers, [first.issuer, second.issuer])
            with bench.report.check("--also: one's key does not sign for the other"):
                claims = bench.pyjwt.claims(tokens[0])
                forged = bench.pyjwt.mint(others, "at+jwt", claims)
                expect_bare(server.session(forged), 401, "signature_invalid")


def _check_own_login(bench: Bench) -> None:
    """Tokens that the server signs, and those of a provider."""
    with _provider(bench, "staff") as provider:
        provider.start(keys.generate("ES256", "staff"))
        types = ("--accept-type", "session+jwt", "--accept-type", "at+jwt")
        options = (*types, "--also", provider.issuer)
        with bench.secret_server("own login and provider", *options) as server:
            with bench.report.check("--also: a provider beside a login of our own"):
                _wait_until_ready(server)
                own = bench.pyjwt.mint(bench.secret_key, "session+jwt", full_claims())
                for token in (own, provider.token()):
                    _session(server.session(token))


def _provider(bench: Bench, name: str) -> Provider:
    return Provider(bench.provider_node, Path(bench.directory, f"{name}.json"))


def _server(bench: Bench, provider: Provider, *options: str) -> ExampleServer:
    return ExampleServer(
        bench.server_binary,
        bench.report,
        "in front of a provider",
        *("--discover", "--issuer", provider.issuer, "--audience", AUDIENCE),
        *("--accept-type", "at+jwt", *options),
    )


def _expect_unavailable(reply: Reply) -> None:
    expect_same(reply.status, 503)
    expect(reply.headers.get("Retry-After", "").isdigit(), "no Retry-After")


def _session(reply: Reply) -> dict:
    expect_same(reply.status, 200)
    return reply.json()


def _wait_until_ready(server: ExampleServer) -> None:
    wait_for(lambda: server.get("/readyz").status == 200, "not ready")


def _wait_until_rejected(server: ExampleServer, token: str) -> None:
    # 503 until the provider may be asked for this key again.
    replies: list[Reply] = []

    def is_decided() -> bool:
        replies.append(server.session(token))
        return replies[-1].status != 503

    wait_for(is_decided, "still 503")
    expect_bare(replies[-1], 401, "token_unacceptable")


def _check_rotation(
    server: ExampleServer, provider: Provider, token: str, rotated: list[keys.Key]
) -> None:
    """Every request with a valid token is 200 while the provider restarts with another key."""
    done = threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        while not done.is_set():
            statuses.append(server.session(token).status)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    try:
        provider.start(*rotated)
        replies = [server.session(provider.token()) for _ in range(8)]
    finally:
        done.set()
        for thread in asking:
            thread.join()
    for reply in replies:
        _session(reply)
    expect_same(sorted(set(statuses)), [200])
