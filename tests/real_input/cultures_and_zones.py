"""Cultures and zones: which one is picked, and how the client's time is written."""

from datetime import datetime
from typing import Any

from bench import Bench
from report import expect, expect_same
from server import ExampleServer, Headers, bearer
from session import claims_without, sourced

SUMMER = 1_782_907_200  # 2026-07-01T12:00:00Z
# (supported cultures, default, Accept-Language, picked); without a list every culture is.
LOOKUPS: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (("zh", "en"), "fr", "zh-cmn-Hant-HK, en;q=0.4", "zh"),
    (("de-DE", "en-GB"), "fr", "de-AT,de;q=0.9,en;q=0.5", "de-DE"),
    (("de-DE", "en-GB"), "fr", "en-AU, de;q=0.3", "en-GB"),
    (("zh-Hans", "zh-Hant"), "fr", "zh-TW", "zh-Hant"),
    (("zh-Hans", "zh-Hant"), "fr", "zh-SG", "zh-Hans"),
    (("zh-Hans", "zh-Hant"), "fr", "zh_HK", "zh-Hant"),
    (("he", "en"), "fr", "iw-IL", "he"),
    (("id", "en"), "fr", "in-ID, en;q=0.1", "id"),
    (("nb", "en"), "fr", "no", "nb"),
    (("sr-Latn", "en"), "fr", "sr-RS, en;q=0.2", "en"),
    (("sr-Cyrl", "en"), "fr", "sr-RS, en;q=0.2", "sr-Cyrl"),
    (("en", "de"), "fr", "pl", "fr"),
    ((), "fr", "en_AU", "en-AU"),
    ((), "fr", "zh-hant-tw", "zh-Hant-TW"),
)
# (zone as the token has it, as the database spells it, UTC, RFC 3339 offset)
ZONES: tuple[tuple[str, str | None, str, str], ...] = (
    ("asia/tokyo", "Asia/Tokyo", "2026-07-01T12:00:00Z", "+09:00"),
    ("EUROPE/MOSCOW", "Europe/Moscow", "2026-07-01T12:00:00Z", "+03:00"),
    ("Europe/Berlin", "Europe/Berlin", "2026-07-01T12:00:00Z", "+02:00"),
    ("Europe/Berlin", "Europe/Berlin", "2026-12-01T12:00:00Z", "+01:00"),
    ("Europe/Berlin", "Europe/Berlin", "2100-06-30T12:00:00Z", "+02:00"),
    ("Europe/Berlin", "Europe/Berlin", "2100-12-30T12:00:00Z", "+01:00"),
    ("America/New_York", "America/New_York", "2150-07-01T12:00:00Z", "-04:00"),
    ("Asia/Kathmandu", "Asia/Kathmandu", "2026-07-01T12:00:00Z", "+05:45"),
    # A rule that IANA's release 2025b lacks.
    ("America/Vancouver", "America/Vancouver", "2026-11-28T20:00:00Z", "-07:00"),
    ("Nowhere/Atlantis", None, "2026-07-01T12:00:00Z", "+00:00"),
)
# (culture, zone, words that the text must have at SUMMER)
TEXTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("sv", "Europe/Stockholm", ("onsdag", "1 juli 2026", "14:00:00")),
    ("sv-FI", "Europe/Helsinki", ("onsdag", "juli", "15:00:00")),
    ("de-CH", "Europe/Zurich", ("Mittwoch", "1. Juli 2026", "14:00:00")),
    ("en-US", "America/New_York", ("Wednesday", "July 1, 2026", "8:00:00", "AM")),
    ("en-GB", "Europe/London", ("Wednesday", "1 July 2026", "13:00:00")),
    ("ru-RU", "Europe/Moscow", ("среда", "1 июля 2026", "15:00:00")),
    ("ja", "Asia/Tokyo", ("2026年7月1日", "水曜日", "21:00:00")),
    ("zh-Hant-TW", "Asia/Taipei", ("2026年7月1日", "星期三", "8:00:00")),
    ("sr-Latn", "Europe/Belgrade", ("sreda", "jul", "2026")),
    ("sr-Cyrl-RS", "Europe/Belgrade", ("среда", "јул", "2026")),
    ("pt-BR", "America/Sao_Paulo", ("quarta-feira", "julho", "09:00:00")),
    ("fa-IR", "Asia/Tehran", ("چهارشنبه", "۱۴۰۵")),
    ("th-TH", "Asia/Bangkok", ("กรกฎาคม", "2569")),
    ("uk", "Europe/Kyiv", ("середа", "липня")),
    ("", "Europe/Berlin", ("Wednesday", "July", "2026", "14:00:00")),
    ("qaa-QM", "Europe/Berlin", ("2026", "14:00:00")),
)


def run(bench: Bench) -> None:
    """A server for each list of cultures, and one for each instant."""
    for supported, default, accepted, picked in LOOKUPS:
        options = ["--call-context", "--default-culture", default]
        for culture in supported:
            options += ["--supported-culture", culture]
        listed = ", ".join(supported) or "any culture"
        with bench.jwks_server(f"{listed}, asked for {accepted}", *options) as server:
            with bench.report.check(f"culture: {accepted} of {listed} is {picked}"):
                token = _mint(bench, claims_without("locale", "ui_locale"))
                headers: Headers = [("Accept-Language", accepted)]
                answer = server.session(token, headers).json()
                source = "default" if picked == default else "accept-language"
                expect_same(answer["client_culture"], sourced(picked, source))
    for sent, spelled, utc, offset in ZONES:
        _check_zone(bench, sent, spelled, utc, offset)
    with bench.jwks_server("dates", "--now", str(SUMMER)) as server:
        for culture, zone, words in TEXTS:
            with bench.report.check(f"/time: {culture or 'the invariant culture'}"):
                claims = {"locale": culture, "zoneinfo": zone}
                text = _time(bench, server, SUMMER, **claims)["text"]
                missing = [word for word in words if word not in text]
                expect(not missing, f"{text!r} lacks {missing}")


def _check_zone(
    bench: Bench, sent: str, spelled: str | None, utc: str, offset: str
) -> None:
    now = int(datetime.fromisoformat(utc).timestamp())
    with bench.jwks_server(f"{sent} at {utc}", "--now", str(now)) as server:
        with bench.report.check(f"zone: {sent} at {utc} is {offset}"):
            answer = _time(bench, server, now, zoneinfo=sent)
            expect_same(answer["zone"], spelled)
            expect_same(answer["utc"], utc)
            expect(answer["client"].endswith(offset), f"it is {answer['client']!r}")


def _time(
    bench: Bench, server: ExampleServer, now: int, **claims: Any
) -> dict[str, Any]:
    times = {"iat": now - 5, "nbf": now - 5, "exp": now + 600, "auth_time": now - 5}
    token = _mint(bench, claims_without("utc_offset", **times, **claims))
    reply = server.get("/time", bearer(token))
    expect_same(reply.status, 200)
    return reply.json()


def _mint(bench: Bench, claims: dict[str, Any]) -> str:
    return bench.pyjwt.mint(bench.keys["EdDSA"], "session+jwt", claims)
