//! Tokens of other issuers (`JWT`, `at+jwt`): claims that are only displayed degrade, claims that
//! decide fail closed. In tokens of our own types nothing degrades.

use serde_json::{Value, json};
use tower_session_token::{
    ClientSource, Session, SessionErrorKind as Kind, SessionVerifier, TokenType,
};

use crate::support::{NOW, builder, claims, sign};

fn verifier() -> SessionVerifier {
    let types = [
        TokenType::Session,
        TokenType::NestedSession,
        TokenType::AccessToken,
        TokenType::Jwt,
    ];
    let builder = types.into_iter().fold(builder(), |builder, token_type| {
        builder.accept_type(token_type)
    });
    builder.build().unwrap()
}

fn verify(typ: &str, changes: &Value) -> Result<Session, Kind> {
    let header = json!({ "alg": "HS256", "typ": typ });
    let mut claims = claims(changes);
    if typ == "nested-session+jwt" {
        claims["act"] = json!({ "sub": "parent" });
    }
    let token = sign(&header, &claims.to_string());
    verifier().verify(token).map_err(|error| error.kind())
}

const OTHERS: [&str; 2] = ["JWT", "at+jwt"];
const OURS: [&str; 2] = ["session+jwt", "nested-session+jwt"];

#[test]
fn an_odd_display_claim_counts_as_absent_in_another_issuer_s_token_and_is_rejected_in_ours() {
    let odd = [
        json!(null),
        json!(7),
        json!(true),
        json!(["de"]),
        json!({ "de": ["x", { "y": null }] }),
        json!("x".repeat(1025)),
    ];
    for name in [
        "name",
        "preferred_username",
        "locale",
        "ui_locale",
        "zoneinfo",
        "utc_offset",
    ] {
        for value in &odd {
            if name == "utc_offset" && *value == json!(7) {
                continue;
            }
            let mut changes = json!({ "locale": null, "ui_locale": null });
            // `null` in the helper's changes removes a claim, so it is written by hand.
            changes[name] = json!("@");
            let with = |typ: &str| {
                let header = json!({ "alg": "HS256", "typ": typ });
                let mut claims = claims(&changes);
                if typ == "nested-session+jwt" {
                    claims["act"] = json!({ "sub": "parent" });
                }
                claims[name] = value.clone();
                let token = sign(&header, &claims.to_string());
                verifier().verify(token).map_err(|error| error.kind())
            };
            for typ in OTHERS {
                let session =
                    with(typ).unwrap_or_else(|kind| panic!("{typ} {name} {value}: {kind:?}"));
                let context = session.client_context();
                let is_absent = match name {
                    "name" => session.user().name().is_none(),
                    "preferred_username" => session.user().login().is_none(),
                    "locale" => context.culture_source() == ClientSource::Default,
                    "ui_locale" => context.ui_culture_source() == ClientSource::Default,
                    "zoneinfo" => session.client_time_zone().is_none(),
                    _ => context.utc_offset_source() == ClientSource::Default,
                };
                assert!(is_absent, "{typ} {name} {value}");
            }
            for typ in OURS {
                assert_eq!(
                    with(typ).err(),
                    Some(Kind::ClaimInvalid),
                    "{typ} {name} {value}"
                );
            }
        }
    }
}

#[test]
fn ill_formed_display_claims_degrade_too() {
    for (name, value) in [
        ("locale", json!("")),
        ("locale", json!("not a tag")),
        ("locale", json!("x".repeat(65))),
        ("ui_locale", json!("!")),
        ("zoneinfo", json!("")),
        ("zoneinfo", json!("../etc/passwd")),
        ("utc_offset", json!(841)),
        ("utc_offset", json!(-841)),
        ("utc_offset", json!(1.5)),
        ("utc_offset", json!("60")),
        ("utc_offset", json!(i64::MAX)),
    ] {
        let mut changes = json!({ "locale": null, "ui_locale": null, "utc_offset": null });
        changes[name] = value.clone();
        for typ in OTHERS {
            let session =
                verify(typ, &changes).unwrap_or_else(|kind| panic!("{typ} {name}: {kind:?}"));
            let context = session.client_context();
            let sources = [
                context.culture_source(),
                context.ui_culture_source(),
                context.utc_offset_source(),
            ];
            assert_eq!(sources, [ClientSource::Default; 3], "{typ} {name} {value}");
        }
        // The invariant culture is a value in ours.
        if value != json!("") || name != "locale" {
            assert_eq!(
                verify("session+jwt", &changes).err(),
                Some(Kind::ClaimInvalid),
                "{name} {value}"
            );
        }
    }
}

#[test]
fn a_long_name_of_another_issuer_is_kept_up_to_1024_bytes() {
    for (bytes, others, ours) in [
        (256, true, true),
        (257, true, false),
        (1024, true, false),
        (1025, false, false),
    ] {
        let changes = json!({ "name": "x".repeat(bytes) });
        let name = |typ| verify(typ, &changes).map(|session| session.user().name().map(str::len));
        assert_eq!(name("JWT"), Ok(others.then_some(bytes)), "{bytes}");
        let want = if ours {
            Ok(Some(bytes))
        } else {
            Err(Kind::ClaimInvalid)
        };
        assert_eq!(name("session+jwt"), want, "{bytes}");
    }
}

#[test]
fn a_display_claim_that_occurs_twice_or_is_not_json_is_malformed() {
    let header = |typ: &str| json!({ "alg": "HS256", "typ": typ });
    let claims = claims(&json!({ "name": "@" })).to_string();
    for (with, want) in [
        (r#""name":null,"name":null"#, Kind::TokenMalformed),
        (r#""name":"a","name":"a""#, Kind::TokenMalformed),
        (r#""name":[1,]"#, Kind::TokenMalformed),
        (r#""name":nul"#, Kind::TokenMalformed),
        (r#""name":"\ud800""#, Kind::TokenMalformed),
    ] {
        let claims = claims.replace(r#""name":"@""#, with);
        let error = verifier()
            .verify(sign(&header("JWT"), &claims))
            .unwrap_err();
        assert_eq!(error.kind(), want, "{with}");
    }
    let deep = format!(r#""name":{}{}"#, "[".repeat(40), "]".repeat(40));
    let claims = claims.replace(r#""name":"@""#, &deep);
    let error = verifier()
        .verify(sign(&header("JWT"), &claims))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::TokenMalformed, "nested too deeply");
}

#[test]
fn deciding_claims_fail_closed_in_every_type() {
    for (name, value) in [
        ("client_id", json!(7)),
        ("client_kind", json!("tablet")),
        ("access_level", json!(null)),
        ("access_level", json!("root")),
        ("scope", json!(7)),
        ("scope", json!(["a", 7])),
        ("roles", json!("admin")),
        ("roles", json!({ "admin": true })),
        ("roles", json!(["admin", 7])),
        ("roles", json!(["admin", null])),
        ("roles", json!(["x".repeat(257)])),
        ("roles", json!(vec!["x"; 65])),
        ("auth_time", json!("now")),
        ("auth_time", json!(-1)),
        ("server", json!(null)),
        ("instance", json!([])),
        ("sid", json!(1)),
    ] {
        let mut claims = claims(&json!({}));
        claims[name] = value.clone();
        for typ in ["JWT", "at+jwt", "session+jwt"] {
            let header = json!({ "alg": "HS256", "typ": typ });
            let error = verifier()
                .verify(sign(&header, &claims.to_string()))
                .unwrap_err();
            assert_eq!(error.kind(), Kind::ClaimInvalid, "{typ} {name} {value}");
        }
    }
}

#[test]
fn scope_may_be_an_array_in_another_issuer_s_token() {
    for (value, want) in [
        (json!("a b"), vec!["a", "b"]),
        (json!(["a", "b"]), vec!["a", "b"]),
        (json!(["a b", "c"]), vec!["a", "b", "c"]),
        (json!([]), vec![]),
        (json!(""), vec![]),
    ] {
        let changes = json!({ "scope": value });
        for typ in OTHERS {
            let session = verify(typ, &changes).unwrap();
            assert_eq!(session.scope().collect::<Vec<_>>(), want, "{typ} {value}");
            assert!(want.iter().all(|word| session.has_scope(word)));
        }
        if value.is_array() {
            assert_eq!(
                verify("session+jwt", &changes).err(),
                Some(Kind::ClaimInvalid)
            );
        }
    }
    // As long as if it were one string.
    let words = |bytes: usize| json!({ "scope": ["x".repeat(bytes), "y"] });
    assert!(verify("JWT", &words(4094)).is_ok());
    assert_eq!(verify("JWT", &words(4095)).err(), Some(Kind::ClaimInvalid));
}

#[test]
fn roles_are_read_in_order() {
    let session = verify(
        "session+jwt",
        &json!({ "roles": ["buyer", "\u{440}", "buyer"] }),
    )
    .unwrap();
    assert_eq!(
        session.roles().collect::<Vec<_>>(),
        ["buyer", "\u{440}", "buyer"]
    );
    assert!(session.has_role("\u{440}") && !session.has_role("Buyer"));
    assert_eq!(
        verify("JWT", &json!({ "roles": [] }))
            .unwrap()
            .roles()
            .count(),
        0
    );
    let most: Vec<_> = (0..64).map(|number| format!("{number:0>256}")).collect();
    assert_eq!(
        verify("JWT", &json!({ "roles": most })).err(),
        Some(Kind::TokenMalformed),
        "the token is too long"
    );
    let most: Vec<_> = (0..64).map(|number| number.to_string()).collect();
    assert_eq!(
        verify("JWT", &json!({ "roles": most }))
            .unwrap()
            .roles()
            .count(),
        64
    );
}

#[test]
fn a_date_is_parsed_exactly() {
    for (iat, nanos) in [
        ("1768478340.123", 123_000_000),
        ("1768478340.000000001", 1),
        ("1768478340.5", 500_000_000),
        ("1.76847834e9", 0),
        ("1768478340", 0),
    ] {
        let claims = claims(&json!({})).to_string();
        let claims = claims.replace(&format!("\"iat\":{}", NOW - 60), &format!("\"iat\":{iat}"));
        let header = json!({ "alg": "HS256", "typ": "session+jwt" });
        let session = verifier().verify(sign(&header, &claims)).unwrap();
        let issued_at = session.token().unwrap().issued_at().unwrap();
        assert_eq!(
            (issued_at.timestamp(), issued_at.timestamp_subsec_nanos()),
            (NOW - 60, nanos),
            "{iat}"
        );
    }
}

#[test]
fn a_certificate_in_the_header_is_ignored() {
    for (bytes, want) in [
        (800, None),
        (3900, None),
        (4100, Some(Kind::TokenMalformed)),
    ] {
        let header = json!({ "alg": "HS256", "typ": "session+jwt", "x5c": ["M".repeat(bytes)] });
        let token = sign(&header, &claims(&json!({})).to_string());
        assert_eq!(
            verifier().verify(token).err().map(|error| error.kind()),
            want,
            "{bytes}"
        );
    }
}
