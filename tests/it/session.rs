//! Claims of each token type, and the session that they describe.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tower_session_token::{
    AccessLevel, ApplicationId, ClientKind, ClientSource, Limits, Session,
    SessionErrorKind as Kind, SessionId, SessionType, SessionVerifier, TokenType, User,
};

use crate::support::{
    AUDIENCE, ISSUER, NOW, builder, claims, good_token, header, now, rejection, session, sign,
    sign_raw, token, verifier,
};

#[test]
fn every_claim_reaches_its_member() {
    let session = session(&json!({
        "preferred_username": "ivan", "access_level": "administrator", "scope": "a b",
        "zoneinfo": "Europe/Moscow", "nbf": NOW - 60, "tenant": { "id": 5 },
    }));
    assert_eq!(
        session.id().to_string(),
        "0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e77"
    );
    assert!(session.id().as_uuid().is_some());
    assert_eq!(session.session_type(), SessionType::Server);
    assert_eq!(
        session.user().id().to_string(),
        "3f2b8a54-9d0c-4d5e-8f6a-7b1c2d3e4f50"
    );
    assert_eq!(session.user().name(), Some("Иван Петров"));
    assert_eq!(session.user().login(), Some("ivan"));
    assert!(session.user().is_administrator());
    assert_eq!(
        session.application_id(),
        Some(&ApplicationId::from("web-shop"))
    );
    assert!(session.is_web_client());
    assert_eq!(session.server_code(), Some("main"));
    assert_eq!(session.instance_name(), Some("default"));
    assert_eq!(session.client_culture().to_string(), "ru-RU");
    assert_eq!(session.client_ui_culture().to_string(), "en-US");
    assert_eq!(session.client_utc_offset().local_minus_utc(), 3 * 3600);
    assert_eq!(
        session.client_context().culture_source(),
        ClientSource::Token
    );
    assert!(session.actor().is_none());

    let token = session.token().unwrap();
    assert_eq!(token.token_type(), TokenType::Session);
    assert_eq!(
        token.id().unwrap().to_string(),
        "b6f2c7de-1a2b-4c3d-9e8f-0a1b2c3d4e5f"
    );
    assert_eq!(token.issuer(), Some(ISSUER));
    assert_eq!(token.audience().collect::<Vec<_>>(), [AUDIENCE]);
    assert_eq!(token.issued_at().unwrap().timestamp(), NOW - 60);
    assert_eq!(token.not_before().unwrap().timestamp(), NOW - 60);
    assert_eq!(token.expires_at().timestamp(), NOW + 3600);
    assert_eq!(token.scope().collect::<Vec<_>>(), ["a", "b"]);
    assert!(session.has_scope("b") && !session.has_scope("a b"));
    assert_eq!(
        token.claim::<Value>("tenant").unwrap(),
        Some(json!({ "id": 5 }))
    );
    assert!(token.claim::<String>("tenant").is_err());
    assert_eq!(
        token.claims::<Value>().unwrap()["sub"],
        "3f2b8a54-9d0c-4d5e-8f6a-7b1c2d3e4f50"
    );
}

#[test]
fn an_absent_claim_has_a_default() {
    let session = session(&json!({
        "client_kind": null, "name": null, "ui_locale": null, "utc_offset": null,
        "server": null, "instance": null,
    }));
    assert!(session.user().is_regular());
    assert_eq!(
        (session.user().name(), session.user().login()),
        (None, None)
    );
    assert!(session.is_not_web_or_desktop_client());
    assert_eq!(session.client_ui_culture().as_str(), "ru-RU");
    assert_eq!(session.client_utc_offset().local_minus_utc(), 0);
    assert_eq!(session.client_time_zone(), None);
    assert_eq!(
        (session.server_code(), session.instance_name()),
        (None, None)
    );
    let token = session.token().unwrap();
    assert_eq!((token.not_before(), token.scope().count()), (None, 0));
}

#[test]
fn escaped_strings_are_decoded() {
    let payload = claims(&json!({ "scope": "read write" }))
        .to_string()
        .replace("Иван", r"\u0418\u0432\u0430\u043d")
        .replace(ISSUER, r"https:\/\/id.example.com")
        .replace(AUDIENCE, r"\u006frders")
        .replace("read", r"\u0072ead")
        .replace("\"sub\"", r#""\u0073ub""#);
    let session = verifier()
        .verify(sign(&header(), &payload).as_bytes())
        .unwrap();
    let token = session.token().unwrap();
    assert_eq!(session.user().name(), Some("Иван Петров"));
    assert_eq!(token.issuer(), Some(ISSUER));
    assert_eq!(token.audience().collect::<Vec<_>>(), [AUDIENCE]);
    assert_eq!(token.scope().collect::<Vec<_>>(), ["read", "write"]);
    assert_eq!(
        token.claim::<String>("iss").unwrap().as_deref(),
        Some(ISSUER)
    );
}

#[test]
fn a_bad_claim_is_rejected_with_its_reason() {
    let long = |len: usize| "x".repeat(len);
    for (changes, want) in [
        (json!({}), None),
        // Missing.
        (json!({ "iss": null }), Some(Kind::ClaimInvalid)),
        (json!({ "aud": null }), Some(Kind::ClaimInvalid)),
        (json!({ "sub": null }), Some(Kind::ClaimInvalid)),
        (json!({ "exp": null }), Some(Kind::ClaimInvalid)),
        (json!({ "iat": null }), Some(Kind::ClaimInvalid)),
        (json!({ "jti": null }), Some(Kind::ClaimInvalid)),
        (json!({ "sid": null }), Some(Kind::ClaimInvalid)),
        (json!({ "client_id": null }), Some(Kind::ClaimInvalid)),
        // Wrong type.
        (json!({ "sub": 1 }), Some(Kind::ClaimInvalid)),
        (json!({ "sub": "" }), Some(Kind::ClaimInvalid)),
        (json!({ "exp": "1" }), Some(Kind::ClaimInvalid)),
        (json!({ "exp": -1 }), Some(Kind::ClaimInvalid)),
        (
            json!({ "exp": 253_402_300_800_u64 }),
            Some(Kind::ClaimInvalid),
        ),
        (json!({ "iat": true }), Some(Kind::ClaimInvalid)),
        (json!({ "aud": [1] }), Some(Kind::ClaimInvalid)),
        (json!({ "aud": {} }), Some(Kind::ClaimInvalid)),
        (json!({ "name": ["x"] }), Some(Kind::ClaimInvalid)),
        (json!({ "scope": ["a"] }), Some(Kind::ClaimInvalid)),
        (json!({ "azp": 1 }), Some(Kind::ClaimInvalid)),
        (json!({ "client_kind": "Web" }), Some(Kind::ClaimInvalid)),
        (json!({ "access_level": "root" }), Some(Kind::ClaimInvalid)),
        (json!({ "utc_offset": 840 }), None),
        (json!({ "utc_offset": -840 }), None),
        (json!({ "utc_offset": 841 }), Some(Kind::ClaimInvalid)),
        (json!({ "utc_offset": -841 }), Some(Kind::ClaimInvalid)),
        (json!({ "utc_offset": 60.0 }), Some(Kind::ClaimInvalid)),
        (json!({ "utc_offset": "60" }), Some(Kind::ClaimInvalid)),
        (json!({ "locale": "" }), None),
        (json!({ "locale": "ru_RU" }), Some(Kind::ClaimInvalid)),
        (
            json!({ "ui_locale": "i-klingon" }),
            Some(Kind::ClaimInvalid),
        ),
        (json!({ "zoneinfo": "" }), Some(Kind::ClaimInvalid)),
        (json!({ "zoneinfo": "../etc" }), Some(Kind::ClaimInvalid)),
        (json!({ "zoneinfo": "Mars/Olympus" }), None),
        // Size.
        (json!({ "sub": long(255) }), None),
        (json!({ "sub": long(256) }), Some(Kind::ClaimInvalid)),
        (json!({ "name": long(256) }), None),
        (json!({ "name": long(257) }), Some(Kind::ClaimInvalid)),
        (json!({ "name": "й".repeat(129) }), Some(Kind::ClaimInvalid)),
        (json!({ "zoneinfo": long(65) }), Some(Kind::ClaimInvalid)),
        (json!({ "scope": long(4096) }), None),
        (json!({ "scope": long(4097) }), Some(Kind::ClaimInvalid)),
        (json!({ "tenant": long(5000) }), None),
        // Addressed to another service.
        (
            json!({ "act": { "sub": "x" } }),
            Some(Kind::TokenUnacceptable),
        ),
        (
            json!({ "cnf": { "jkt": "x" } }),
            Some(Kind::TokenUnacceptable),
        ),
        (json!({ "cnf": false }), Some(Kind::TokenUnacceptable)),
        (
            json!({ "iss": "https://id.example.com/" }),
            Some(Kind::IssuerInvalid),
        ),
        (json!({ "aud": "Orders" }), Some(Kind::AudienceInvalid)),
        (json!({ "aud": [] }), Some(Kind::AudienceInvalid)),
        (json!({ "aud": ["x", "orders"] }), None),
        // Time, with a leeway of 60 seconds.
        (json!({ "exp": NOW - 59, "iat": NOW - 100 }), None),
        (
            json!({ "exp": NOW - 60, "iat": NOW - 100 }),
            Some(Kind::TokenExpired),
        ),
        (json!({ "exp": 1_768_478_340.5 }), None),
        (json!({ "nbf": NOW + 60 }), None),
        (json!({ "nbf": NOW + 61 }), Some(Kind::TokenNotYetValid)),
        (json!({ "iat": NOW + 60 }), None),
        (json!({ "iat": NOW + 61 }), Some(Kind::TokenNotYetValid)),
        (json!({ "exp": NOW - 60 + 7 * 86_400 }), None),
        (
            json!({ "exp": NOW - 59 + 7 * 86_400 }),
            Some(Kind::TokenUnacceptable),
        ),
    ] {
        assert_eq!(rejection(&verifier(), &token(&changes)), want, "{changes}");
    }
}

#[test]
fn a_missing_required_claim_is_rejected_in_each_type() {
    let all = [
        "iss",
        "aud",
        "sub",
        "exp",
        "iat",
        "jti",
        "client_id",
        "sid",
        "act",
    ];
    for (typ, required) in [
        ("session+jwt", &all[..8]),
        ("nested-session+jwt", &all[..]),
        ("at+jwt", &all[..7]),
        ("JWT", &all[..4]),
    ] {
        let accepting = builder().accept_type(typ.parse().unwrap()).build().unwrap();
        for name in all {
            let mut claims = claims(&json!({ "act": { "sub": "x" } }));
            if typ == "session+jwt" {
                claims.as_object_mut().unwrap().remove("act");
            }
            claims.as_object_mut().unwrap().remove(name);
            let token = sign(&json!({ "alg": "HS256", "typ": typ }), &claims.to_string());
            let want = required.contains(&name).then_some(Kind::ClaimInvalid);
            assert_eq!(rejection(&accepting, &token), want, "{typ} without {name}");
        }
    }
}

/// `claims` takes `null` as absence, so these are written out.
#[test]
fn null_is_a_wrong_type() {
    for name in [
        "iss",
        "aud",
        "sub",
        "exp",
        "nbf",
        "iat",
        "jti",
        "sid",
        "client_id",
        "azp",
        "client_kind",
        "name",
        "preferred_username",
        "access_level",
        "locale",
        "ui_locale",
        "utc_offset",
        "zoneinfo",
        "server",
        "instance",
        "scope",
        "act",
    ] {
        let mut claims = claims(&json!({}));
        claims[name] = Value::Null;
        let token = sign(&header(), &claims.to_string());
        assert_eq!(
            rejection(&verifier(), &token),
            Some(Kind::ClaimInvalid),
            "{name}"
        );
    }
}

#[test]
fn a_duplicate_claim_is_rejected() {
    for extra in [
        r#""exp":1"#,
        r#""x":1,"x":2"#,
        r#""x":1,"\u0078":2"#,
        r#""act":{"sub":"a","sub":"b"}"#,
    ] {
        let payload = claims(&json!({})).to_string();
        let payload = format!("{},{extra}}}", payload.strip_suffix('}').unwrap());
        let token = sign(&header(), &payload);
        assert_eq!(
            rejection(&verifier(), &token),
            Some(Kind::TokenMalformed),
            "{extra}"
        );
    }
}

#[test]
fn a_payload_that_is_not_strict_json_is_rejected() {
    let good = claims(&json!({})).to_string();
    let deep = |levels: usize| {
        let value = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        format!("{},\"x\":{value}}}", good.strip_suffix('}').unwrap())
    };
    for (name, payload, want) in [
        ("white space", format!(" {good}\n").into_bytes(), None),
        ("31 levels in it", deep(31).into_bytes(), None),
        (
            "32 levels in it",
            deep(32).into_bytes(),
            Some(Kind::TokenMalformed),
        ),
        (
            "5,000 levels in it",
            deep(2500).into_bytes(),
            Some(Kind::TokenMalformed),
        ),
        (
            "trailing words",
            format!("{good}x").into_bytes(),
            Some(Kind::TokenMalformed),
        ),
        (
            "a byte order mark",
            format!("\u{feff}{good}").into_bytes(),
            Some(Kind::TokenMalformed),
        ),
        (
            "no UTF-8",
            good.replace("Иван", "?")
                .into_bytes()
                .iter()
                .map(|b| if *b == b'?' { 0xff } else { *b })
                .collect(),
            Some(Kind::TokenMalformed),
        ),
        (
            "a lone surrogate",
            good.replace("Иван", r"\ud800").into_bytes(),
            Some(Kind::TokenMalformed),
        ),
        (
            "a control character",
            good.replace("Иван", "\n").into_bytes(),
            Some(Kind::TokenMalformed),
        ),
        ("an array", b"[]".to_vec(), Some(Kind::TokenMalformed)),
        (
            "a moment beyond all numbers",
            good.replace(&(NOW + 3600).to_string(), "1e999")
                .into_bytes(),
            Some(Kind::ClaimInvalid),
        ),
        (
            "an offset with an exponent",
            good.replace(r#""utc_offset":180"#, r#""utc_offset":18e1"#)
                .into_bytes(),
            Some(Kind::ClaimInvalid),
        ),
        ("nothing", Vec::new(), Some(Kind::TokenMalformed)),
    ] {
        let token = sign_raw(&header().to_string(), &payload);
        assert_eq!(rejection(&verifier(), &token), want, "{name}");
    }
}

#[test]
fn a_token_is_accepted_as_its_own_type_alone() {
    let typed = |typ: &str, changes: &Value| {
        sign(
            &json!({ "alg": "HS256", "typ": typ }),
            &claims(changes).to_string(),
        )
    };
    let act = json!({ "act": { "sub": "x" } });
    let all = ["session+jwt", "nested-session+jwt", "at+jwt", "JWT"];
    for accepted in all {
        let verifier = builder()
            .accept_type(accepted.parse().unwrap())
            .build()
            .unwrap();
        for typ in all {
            let changes = if typ == "session+jwt" {
                json!({})
            } else {
                act.clone()
            };
            let want = (typ != accepted).then_some(Kind::TokenUnacceptable);
            assert_eq!(
                rejection(&verifier, &typed(typ, &changes)),
                want,
                "{typ} at {accepted}"
            );
        }
    }
    let nested = builder()
        .accept_type(TokenType::NestedSession)
        .build()
        .unwrap();
    assert_eq!(
        rejection(&nested, &typed("nested-session+jwt", &json!({}))),
        Some(Kind::ClaimInvalid)
    );
}

#[test]
fn header_parameters_for_keys_and_content_are_ignored() {
    let jwk = json!({ "kty": "oct", "k": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE" });
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://attacker.example/keys")),
        ("x5u", json!("https://attacker.example/chain")),
        ("x5c", json!(["AAAA"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("iss", json!("https://attacker.example")),
        ("ours", json!({ "x": [1] })),
    ] {
        let mut header = header();
        header[name] = value;
        let token = sign(&header, &claims(&json!({})).to_string());
        assert_eq!(rejection(&verifier(), &token), None, "{name}");
    }
}

#[test]
fn a_bound_token_is_rejected_in_every_type() {
    for typ in ["session+jwt", "nested-session+jwt", "at+jwt", "JWT"] {
        let accepting = builder().accept_type(typ.parse().unwrap());
        let changes = match typ {
            "nested-session+jwt" => json!({ "cnf": {}, "act": { "sub": "x" } }),
            _ => json!({ "cnf": {} }),
        };
        let header = json!({ "alg": "HS256", "typ": typ });
        let token = sign(&header, &claims(&changes).to_string());
        let rejected = rejection(&accepting.build().unwrap(), &token);
        assert_eq!(rejected, Some(Kind::TokenUnacceptable), "{typ}");
    }
}

#[test]
fn only_our_own_types_have_a_maximum_lifetime_by_default() {
    for (typ, is_ours) in [
        ("session+jwt", true),
        ("nested-session+jwt", true),
        ("at+jwt", false),
        ("JWT", false),
    ] {
        let accepting = builder().accept_type(typ.parse().unwrap()).build().unwrap();
        let rejected = |seconds: i64| {
            let mut changes = json!({ "iat": NOW, "exp": NOW + seconds });
            if typ == "nested-session+jwt" {
                changes["act"] = json!({ "sub": "x" });
            }
            let header = json!({ "alg": "HS256", "typ": typ });
            rejection(&accepting, &sign(&header, &claims(&changes).to_string()))
        };
        let week = 7 * 86_400;
        assert_eq!(rejected(week), None, "{typ}");
        let want = is_ours.then_some(Kind::TokenUnacceptable);
        assert_eq!(rejected(week + 1), want, "{typ}");
        assert_eq!(rejected(1000 * week), want, "{typ}");
    }
}

#[test]
fn tokens_of_other_issuers_are_parsed_leniently() {
    let verifier = builder()
        .accept_type(TokenType::Jwt)
        .accept_type(TokenType::AccessToken)
        .application_kind(ApplicationId::from("known"), ClientKind::Desktop)
        .build()
        .unwrap();
    let jwt = |changes: &Value| {
        let header = json!({ "alg": "HS256" });
        verifier.verify(sign(&header, &claims(changes).to_string()).as_bytes())
    };
    let bare = json!({
        "iat": null, "jti": null, "sid": null, "client_id": null, "client_kind": null,
        "azp": "known", "locale": "en_US", "ui_locale": "not a tag", "zoneinfo": "a".repeat(65),
    });
    let session = jwt(&bare).unwrap();
    assert_eq!(
        session.application_id(),
        Some(&ApplicationId::from("known"))
    );
    assert_eq!(session.client_kind(), ClientKind::Desktop, "by the table");
    assert_eq!(session.client_culture().to_string(), "en-US");
    assert_eq!(session.client_ui_culture().to_string(), "en-US");
    assert!(session.token().unwrap().id().is_none());
    let name = format!("{ISSUER}\n{}\n\n{}", session.user().id(), NOW + 3600);
    let derived = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes());
    assert_eq!(session.id(), &SessionId::from(derived));

    let mut with_jti = bare.clone();
    with_jti["jti"] = json!("t-1");
    assert_eq!(jwt(&with_jti).unwrap().id(), &SessionId::from("t-1"));

    let access = json!({ "alg": "HS256", "typ": "at+jwt" });
    let claims = claims(&json!({ "sid": null, "azp": "known", "client_kind": null }));
    let session = verifier
        .verify(sign(&access, &claims.to_string()).as_bytes())
        .unwrap();
    assert_eq!(
        session.id().to_string(),
        "b6f2c7de-1a2b-4c3d-9e8f-0a1b2c3d4e5f"
    );
    assert_eq!(
        session.application_id(),
        Some(&ApplicationId::from("web-shop")),
        "not azp"
    );
    assert!(session.is_not_web_or_desktop_client());
}

#[test]
fn a_token_s_own_claims_take_precedence_over_fallbacks() {
    for typ in ["at+jwt", "JWT"] {
        let verifier = builder()
            .accept_type(typ.parse().unwrap())
            .application_kind(ApplicationId::from("web-shop"), ClientKind::Desktop)
            .build()
            .unwrap();
        let claims = claims(&json!({ "azp": "other" }));
        let token = sign(&json!({ "alg": "HS256", "typ": typ }), &claims.to_string());
        let session = verifier.verify(token.as_bytes()).unwrap();
        let (sid, application) = (&claims["sid"], ApplicationId::from("web-shop"));
        assert_eq!(session.id().to_string(), *sid, "{typ}: not `jti`");
        assert_eq!(
            session.application_id(),
            Some(&application),
            "{typ}: not `azp`"
        );
        assert_eq!(
            session.client_kind(),
            ClientKind::Web,
            "{typ}: not the table"
        );
    }
}

#[test]
fn an_ill_formed_display_claim_of_another_issuer_counts_as_absent() {
    let long = "a".repeat(65);
    for typ in ["at+jwt", "JWT"] {
        let accepting = builder().accept_type(typ.parse().unwrap()).build().unwrap();
        for zone in ["", "../etc", "Europe/New York", "Mars/Olympus", &long] {
            let claims =
                claims(&json!({ "locale": "en_US", "ui_locale": "not a tag", "zoneinfo": zone }));
            let token = sign(&json!({ "alg": "HS256", "typ": typ }), &claims.to_string());
            let session = accepting.verify(token.as_bytes()).unwrap();
            assert_eq!(session.client_culture().as_str(), "en-US", "{typ}");
            assert_eq!(session.client_ui_culture().as_str(), "en-US", "{typ}");
            assert_eq!(session.client_time_zone(), None, "{typ}: {zone}");
        }
    }
    let unknown = session(&json!({ "zoneinfo": "Mars/Olympus" }));
    assert_eq!(unknown.client_time_zone(), None);
}

#[test]
fn a_derived_id_uses_whole_seconds() {
    let verifier = builder().accept_type(TokenType::Jwt).build().unwrap();
    let (iat, exp) = ((NOW - 60).to_string(), (NOW + 3600).to_string());
    let fractions = json!({ "iat": 1_768_478_340.75, "exp": 1_768_482_000.5 });
    for (changes, iat) in [
        (json!({}), &*iat),
        (fractions, &*iat),
        (json!({ "iat": null }), ""),
    ] {
        let mut claims = claims(&json!({ "jti": null, "sid": null }));
        crate::support::change(&mut claims, &changes);
        let token = sign(&json!({ "alg": "HS256" }), &claims.to_string());
        let session = verifier.verify(token.as_bytes()).unwrap();
        let name = format!("{ISSUER}\n{}\n{iat}\n{exp}", session.user().id());
        let derived = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes());
        assert_eq!(session.id(), &SessionId::from(derived), "{changes}");
    }
}

#[test]
fn a_lifetime_without_iat_is_measured_from_now() {
    let verifier = builder()
        .accept_type(TokenType::Jwt)
        .max_lifetime(Duration::from_secs(3600))
        .build()
        .unwrap();
    for (exp, want) in [
        (NOW + 3600, None),
        (NOW + 3660, None),
        (NOW + 3661, Some(Kind::TokenUnacceptable)),
    ] {
        let claims = claims(&json!({ "iat": null, "exp": exp }));
        let token = sign(&json!({ "alg": "HS256" }), &claims.to_string());
        assert_eq!(rejection(&verifier, &token), want, "{exp}");
    }
}

#[test]
fn the_first_failed_check_determines_the_error() {
    let ours = builder().server_code("main").build().unwrap();
    let parts = |token: &str| -> Vec<String> { token.split('.').map(str::to_owned).collect() };
    let good = parts(&good_token());
    let join = |a: &str, b: &str, c: &str| format!("{a}.{b}.{c}");
    let none = crate::support::base64(br#"{"alg":"none","kid":"x","typ":"x"}"#);
    let old = |changes: Value| {
        let mut claims = json!({ "exp": NOW - 61, "iat": NOW - 100 });
        crate::support::change(&mut claims, &changes);
        token(&claims)
    };
    for (name, token, want) in [
        (
            "alphabet before key",
            join(&none, "!", &good[2]),
            Kind::TokenMalformed,
        ),
        (
            "alphabet before signature",
            join(&good[0], "!", &good[2]),
            Kind::TokenMalformed,
        ),
        (
            "alphabet of a long signature",
            join(&none, &good[1], &"!".repeat(2000)),
            Kind::TokenMalformed,
        ),
        (
            "key before signature",
            join(&none, &good[1], "AAAA"),
            Kind::TokenUnacceptable,
        ),
        (
            "signature before claims",
            join(&good[0], &good[2], "AAAA"),
            Kind::SignatureInvalid,
        ),
        (
            "form before time",
            old(json!({ "sub": 1 })),
            Kind::ClaimInvalid,
        ),
        (
            "`typ` before signature",
            join(
                &crate::support::base64(br#"{"alg":"HS256","typ":"x"}"#),
                &good[1],
                "AAAA",
            ),
            Kind::TokenUnacceptable,
        ),
        (
            "`exp` before `nbf`",
            old(json!({ "nbf": NOW + 61 })),
            Kind::TokenExpired,
        ),
        (
            "`iat` before `iss`",
            token(&json!({ "iat": NOW + 61, "iss": "x" })),
            Kind::TokenNotYetValid,
        ),
        (
            "`exp` before `iss`",
            old(json!({ "iss": "x" })),
            Kind::TokenExpired,
        ),
        (
            "`iss` before `aud`",
            token(&json!({ "iss": "x", "aud": "x" })),
            Kind::IssuerInvalid,
        ),
        (
            "`aud` before `server`",
            token(&json!({ "aud": "x", "server": "x" })),
            Kind::AudienceInvalid,
        ),
    ] {
        assert_eq!(rejection(&ours, &token), Some(want), "{name}");
    }
}

#[test]
fn server_and_instance_are_compared_if_both_sides_name_them() {
    let plain = builder().build().unwrap();
    let ours = builder()
        .server_code("main")
        .instance_name("default")
        .build()
        .unwrap();
    for (changes, want) in [
        (json!({}), None),
        (json!({ "server": null, "instance": null }), None),
        (json!({ "server": "Main" }), Some(Kind::ServerMismatch)),
        (json!({ "instance": "" }), Some(Kind::ServerMismatch)),
    ] {
        assert_eq!(rejection(&ours, &token(&changes)), want, "{changes}");
        assert_eq!(rejection(&plain, &token(&changes)), None, "{changes}");
    }
}

#[test]
fn any_issuer_and_any_audience_are_explicit() {
    let verifier = SessionVerifier::builder()
        .key(tower_session_token::VerifyingKey::hs256(crate::support::SECRET).unwrap())
        .any_issuer()
        .any_audience()
        .clock(now)
        .build()
        .unwrap();
    assert_eq!(
        rejection(&verifier, &token(&json!({ "iss": null, "aud": null }))),
        None
    );
    assert_eq!(
        rejection(&verifier, &token(&json!({ "iss": "x", "aud": "y" }))),
        None
    );
    assert_eq!(
        rejection(&verifier, &token(&json!({ "iss": 1 }))),
        Some(Kind::ClaimInvalid)
    );
}

#[test]
fn limits_can_be_raised_and_lowered() {
    let with = |limits| builder().limits(limits).build().unwrap();
    let token = good_token();
    let exact = with(Limits::default().with_token_bytes(token.len()));
    assert_eq!(rejection(&exact, &token), None);
    let short = with(Limits::default().with_token_bytes(token.len() - 1));
    assert_eq!(rejection(&short, &token), Some(Kind::TokenMalformed));
    let narrow = with(Limits::default().with_claim_bytes(10));
    assert_eq!(rejection(&narrow, &token), Some(Kind::ClaimInvalid));
    let large = crate::support::token(&json!({ "tenant": "x".repeat(20_000) }));
    assert_eq!(rejection(&verifier(), &large), Some(Kind::TokenMalformed));
    assert_eq!(
        rejection(&with(Limits::default().with_token_bytes(65_536)), &large),
        None
    );
}

#[test]
fn a_token_of_more_than_8192_bytes_is_rejected() {
    // Some lengths cannot be base64url.
    let mut lengths = Vec::new();
    for pad in 5_670..5_700 {
        let text = token(&json!({ "tenant": "x".repeat(pad) }));
        let rejected = rejection(&verifier(), &text);
        let want = (text.len() > 8192).then_some(Kind::TokenMalformed);
        assert_eq!(rejected, want, "{} bytes", text.len());
        lengths.push(text.len());
    }
    assert!(
        lengths.contains(&8192) && lengths.contains(&8194),
        "{lengths:?}"
    );
}

#[test]
fn each_claim_limit_can_be_raised_and_lowered() {
    let nested = |levels: usize| {
        let value = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        json!({ "x": serde_json::from_str::<Value>(&value).unwrap() })
    };
    let text = |name: &str, bytes: usize| json!({ name: "x".repeat(bytes) });
    let tag = |bytes: usize| json!({ "locale": format!("en-x{}", "-a".repeat((bytes - 4) / 2)) });
    for (limits, inside, outside, want) in [
        (
            Limits::default().with_nesting(40),
            nested(39),
            nested(40),
            Kind::TokenMalformed,
        ),
        (
            Limits::default().with_nesting(3),
            nested(2),
            nested(3),
            Kind::TokenMalformed,
        ),
        (
            Limits::default().with_claim_bytes(300),
            text("name", 300),
            text("name", 301),
            Kind::ClaimInvalid,
        ),
        (
            Limits::default().with_scope_bytes(5000),
            text("scope", 5000),
            text("scope", 5001),
            Kind::ClaimInvalid,
        ),
        (
            Limits::default().with_scope_bytes(3),
            text("scope", 3),
            text("scope", 4),
            Kind::ClaimInvalid,
        ),
        (
            Limits::default().with_locale_bytes(100),
            tag(100),
            tag(102),
            Kind::ClaimInvalid,
        ),
        (
            Limits::default().with_locale_bytes(8),
            tag(8),
            tag(10),
            Kind::ClaimInvalid,
        ),
        (Limits::default(), tag(64), tag(66), Kind::ClaimInvalid),
    ] {
        let verifier = builder().limits(limits.clone()).build().unwrap();
        assert_eq!(rejection(&verifier, &token(&inside)), None, "{limits:?}");
        let rejected = rejection(&verifier, &token(&outside));
        assert_eq!(rejected, Some(want), "{limits:?}");
    }
}

#[test]
fn a_system_session_has_no_token() {
    let user = User::new("system").with_access_level(AccessLevel::Administrator);
    let session = Session::system(user);
    assert!(session.token().is_none() && session.application_id().is_none());
    assert!(session.id().as_uuid().is_some());
    assert_ne!(session.id(), Session::system(User::new("system")).id());
    assert!(session.client_culture().is_invariant());
    assert_eq!(
        session.client_context().culture_source(),
        ClientSource::Default
    );
}

#[test]
fn sessions_are_cheap_to_move_between_threads() {
    fn is_plain<T: Clone + Send + Sync + Unpin + 'static>() {}
    is_plain::<Session>();
    is_plain::<SessionVerifier>();
    is_plain::<tower_session_token::SessionLayer>();
    assert!(size_of::<Session>() <= 3 * size_of::<usize>());
}

proptest! {
    #[test]
    fn exactly_one_kind_of_client_holds(
        kind in proptest::option::of(proptest::sample::select(vec!["desktop", "web", "other"])),
        application in "[a-z]{0,8}",
    ) {
        let session = session(&json!({ "client_kind": kind, "client_id": application }));
        let holds = [
            session.is_desktop_client(),
            session.is_web_client(),
            session.is_not_web_or_desktop_client(),
        ];
        prop_assert_eq!(holds.iter().filter(|holds| **holds).count(), 1);
        prop_assert_eq!(session.client_kind().as_str(), kind.unwrap_or("other"));
    }

    #[test]
    fn a_changed_byte_is_rejected(at in 0..700_usize, with in any::<u8>()) {
        let mut token = good_token().into_bytes();
        let at = at % token.len();
        prop_assume!(token[at] != with);
        token[at] = with;
        prop_assert!(verifier().verify(&token).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(verifier().verify(&bytes).is_err());
    }
}
