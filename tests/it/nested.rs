//! Nested tokens: what they inherit, and what is rejected.

use std::time::Duration;

use chrono::FixedOffset;
use serde_json::{Value, json};
use tower_session_token::{
    AccessLevel, ClientHeaders, Limits, RequireAccessLevel, RequireScope, Session, SessionContext,
    SessionErrorKind as Kind, SessionIssuer, SessionLayer, SessionToken, TokenErrorKind, TokenType,
    User,
};

use crate::support::{
    NOW, bearer, builder, now, rejection, request, see_session, send, session, signing_key, token,
    verifier,
};

fn nest(parent: &Session, user: &str) -> SessionToken {
    parent
        .nested(User::new(user))
        .issued_at(now())
        .build()
        .unwrap()
}

#[test]
fn server_culture_and_clock_are_inherited() {
    let parent = session(&json!({ "zoneinfo": "Europe/Moscow", "scope": "a b" }));
    let nested = Session::in_process(nest(&parent, "bob"));
    assert_eq!(nested.user().id().to_string(), "bob");
    assert_eq!(nested.server_code(), parent.server_code());
    assert_eq!(nested.instance_name(), parent.instance_name());
    assert_eq!(nested.application_id(), parent.application_id());
    assert_eq!(nested.client_kind(), parent.client_kind());
    assert_eq!(nested.client_culture(), parent.client_culture());
    assert_eq!(nested.client_ui_culture(), parent.client_ui_culture());
    assert_eq!(nested.client_utc_offset(), parent.client_utc_offset());
    assert_eq!(nested.client_time_zone(), parent.client_time_zone());
    assert_eq!(nested.session_type(), parent.session_type());
    assert_ne!(nested.id(), parent.id());

    let (token, parents) = (nested.token().unwrap(), parent.token().unwrap());
    assert_eq!(token.token_type(), TokenType::NestedSession);
    assert_ne!(token.id(), parents.id());
    assert_eq!(token.issuer(), parents.issuer());
    assert!(token.audience().eq(parents.audience()));
    assert_eq!(token.expires_at(), parents.expires_at());
    assert_eq!(token.issued_at().unwrap().timestamp(), NOW);
    assert_eq!(token.scope().count(), 0, "none is asked for");
    assert!(nested.user().is_regular());

    let actor = nested.actor().unwrap();
    assert_eq!(actor.user_id(), parent.user().id());
    assert_eq!(actor.session_id(), Some(parent.id()));
    assert_eq!(actor.application_id(), parent.application_id());
    assert!(actor.actor().is_none());
}

#[test]
fn claims_absent_from_the_parent_stay_absent() {
    let parent = session(&json!({ "locale": null, "ui_locale": null, "utc_offset": null }));
    let claims: Value = nest(&parent, "bob").claims().unwrap();
    for name in ["locale", "ui_locale", "utc_offset", "zoneinfo"] {
        assert!(claims.get(name).is_none(), "{name}");
    }
}

#[test]
fn an_explicit_invariant_culture_is_inherited() {
    let parent = session(&json!({ "locale": "", "ui_locale": null }));
    let claims: Value = nest(&parent, "bob").claims().unwrap();
    assert_eq!(
        (&claims["locale"], &claims["ui_locale"]),
        (&json!("und"), &json!("und"))
    );
}

/// A nested token can state any culture, whatever chose it, within the size limit of its claims.
#[test]
fn a_culture_from_a_client_header_is_inherited() {
    let layer = SessionLayer::new(verifier()).client_headers(ClientHeaders::all());
    let parent = token(&json!({ "locale": null, "ui_locale": null }));
    let bearer = format!("Bearer {parent}");
    for (bytes, want) in [(64, true), (66, false)] {
        let tag = format!("en-x{}", "-a".repeat((bytes - 4) / 2));
        for name in ["accept-language", "client-culture"] {
            let request = request(&[("authorization", &bearer), (name, &tag)]);
            let parent = see_session(&layer, request).unwrap().unwrap();
            assert_eq!(parent.client_culture().to_string() == tag, want, "{name}");
            let nested = Session::in_process(nest(&parent, "bob"));
            assert_eq!(nested.client_culture(), parent.client_culture());
        }
    }
}

#[test]
fn a_builder_is_a_template() {
    let template = SessionToken::builder(User::new("ann"))
        .issuer("i")
        .audience("a")
        .application_id("c")
        .lifetime(Duration::from_secs(60));
    let one = template.clone().build().unwrap();
    let other = template.build().unwrap();
    assert_ne!(one.id(), other.id());
    assert_ne!(
        Session::in_process(one).id(),
        Session::in_process(other).id()
    );
}

#[test]
fn a_default_of_the_service_is_inherited() {
    let verifier = builder()
        .default_culture("de-CH")
        .default_utc_offset(FixedOffset::east_opt(3600).unwrap())
        .build()
        .unwrap();
    let plain = token(&json!({ "locale": null, "ui_locale": null, "utc_offset": null }));
    let parent = verifier.verify(plain.as_bytes()).unwrap();
    let nested = Session::in_process(nest(&parent, "bob"));
    assert_eq!(nested.client_culture().to_string(), "de-CH");
    assert_eq!(nested.client_utc_offset().local_minus_utc(), 3600);
}

#[test]
fn a_ui_culture_without_a_culture_is_inherited() {
    let parent = session(&json!({ "locale": null, "ui_locale": "en-US" }));
    assert!(parent.client_culture().is_invariant());
    let nested = Session::in_process(nest(&parent, "bob"));
    assert_eq!(nested.client_ui_culture().to_string(), "en-US");
}

#[test]
fn offset_and_zone_are_replaced_together() {
    let parent = session(&json!({ "zoneinfo": "Europe/Moscow" }));
    let builder = || parent.nested(User::new("bob")).issued_at(now());
    let offset = FixedOffset::west_opt(5 * 3600).unwrap();
    let nested = Session::in_process(builder().utc_offset(offset).build().unwrap());
    assert_eq!(nested.client_utc_offset(), offset);
    assert_eq!(nested.client_time_zone(), None);
    #[cfg(feature = "time_zone")]
    {
        let zone = "Asia/Kolkata".parse().unwrap();
        let nested = Session::in_process(builder().time_zone(zone).build().unwrap());
        assert_eq!(nested.client_time_zone(), Some(zone));
        assert_eq!(nested.client_utc_offset().local_minus_utc(), 19_800);
    }
    let odd = FixedOffset::east_opt(61).unwrap();
    let error = builder().utc_offset(odd).build().unwrap_err();
    assert_eq!(error.kind(), TokenErrorKind::ClaimInvalid);
}

#[test]
fn a_nested_token_never_outlives_its_parent() {
    let parent = session(&json!({}));
    let build = |lifetime| {
        let nested = parent
            .nested(User::new("bob"))
            .issued_at(now())
            .lifetime(lifetime);
        nested.build().unwrap().expires_at().timestamp()
    };
    assert_eq!(build(Duration::from_secs(60)), NOW + 60);
    assert_eq!(build(Duration::from_secs(86_400)), NOW + 3600);
    assert_eq!(build(Duration::MAX), NOW + 3600);
    // Nor beyond the maximum lifetime that a service has by default.
    let long = builder()
        .accept_type(TokenType::AccessToken)
        .build()
        .unwrap();
    let header = json!({ "alg": "HS256", "typ": "at+jwt" });
    let claims = crate::support::claims(&json!({ "exp": NOW + 30 * 86_400 }));
    let long = long
        .verify(crate::support::sign(&header, &claims.to_string()).as_bytes())
        .unwrap();
    assert_eq!(
        nest(&long, "bob").expires_at().timestamp(),
        NOW + 7 * 86_400
    );
}

#[test]
fn a_parent_expires_when_its_verifier_rejects_it() {
    const LEEWAY: u64 = 60;
    let parent = session(&json!({}));
    let nest = |late| {
        let issued_at = now() + Duration::from_secs(3600 + late);
        parent.nested(User::new("bob")).issued_at(issued_at).build()
    };
    for late in [0, LEEWAY - 1] {
        let expires_at = nest(late).unwrap().expires_at();
        assert_eq!(expires_at, parent.expires_at().unwrap(), "{late}");
    }
    for late in [LEEWAY, LEEWAY + 1, 86_400] {
        let error = nest(late).unwrap_err();
        assert_eq!(error.kind(), TokenErrorKind::ParentExpired, "{late}");
    }
}

#[test]
fn a_nested_token_can_be_for_another_service() {
    let parent = session(&json!({}));
    let token = parent
        .nested(User::new("bob"))
        .issued_at(now())
        .issuer("https://orders.example")
        .audience("billing")
        .application_id("orders")
        .build()
        .unwrap();
    assert_eq!(token.issuer(), Some("https://orders.example"));
    assert_eq!(token.audience().collect::<Vec<_>>(), ["billing"]);
    let nested = Session::in_process(token);
    assert_eq!(nested.application_id().unwrap(), "orders");
    let actor = nested.actor().unwrap();
    assert_eq!(actor.application_id(), parent.application_id());
}

#[test]
fn a_nested_session_begins_when_its_parent_did() {
    let iat = parent_iat();
    for (changes, began_at) in [
        (json!({ "auth_time": iat - 600 }), iat - 600),
        (json!({}), iat),
        (json!({ "auth_time": iat + 600 }), iat),
    ] {
        let parent = session(&changes);
        let nested = Session::in_process(nest(&parent, "bob"));
        let inner = Session::in_process(nest(&nested, "cid"));
        for session in [&nested, &inner] {
            let own = session.token().unwrap().authenticated_at().unwrap();
            let actor = session.actor().unwrap().authenticated_at().unwrap();
            assert_eq!((own.timestamp(), actor.timestamp()), (began_at, began_at));
        }
    }
}

fn parent_iat() -> i64 {
    session(&json!({}))
        .token()
        .unwrap()
        .issued_at()
        .unwrap()
        .timestamp()
}

#[test]
fn more_access_than_the_parent_s_is_explicit() {
    let nested = |level: &str| {
        let parent = session(&json!({ "access_level": level }));
        parent.nested(User::new("bob")).issued_at(now())
    };
    let administrator = AccessLevel::Administrator;
    let error = nested("regular")
        .access_level(administrator)
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), TokenErrorKind::AccessLevelExceeded);
    let parent = session(&json!({}));
    let user = User::new("bob").with_access_level(administrator);
    let error = parent.nested(user).issued_at(now()).build().unwrap_err();
    assert_eq!(error.kind(), TokenErrorKind::AccessLevelExceeded);

    for (token, recorded) in [
        (nested("regular").elevated(administrator), Some(true)),
        (nested("administrator").access_level(administrator), None),
        (nested("administrator").elevated(administrator), None),
    ] {
        let token = token.build().unwrap();
        assert_eq!(token.claim::<bool>("elevated").unwrap(), recorded);
        assert!(Session::in_process(token).user().is_administrator());
    }
    let back = nested("regular")
        .elevated(administrator)
        .access_level(administrator);
    assert!(back.build().is_err(), "the last word counts");
}

#[test]
fn scope_is_a_subset() {
    let parent = session(&json!({ "scope": "a b c" }));
    let nested = |scope: &[&str]| {
        let nested = parent.nested(User::new("bob")).issued_at(now());
        scope
            .iter()
            .fold(nested, |nested, words| nested.scope(words))
            .build()
    };
    let token = nested(&["c", "a"]).unwrap();
    assert_eq!(token.scope().collect::<Vec<_>>(), ["c", "a"]);
    let token = nested(&["c", "a b"]).unwrap();
    assert_eq!(token.scope().collect::<Vec<_>>(), ["c", "a", "b"]);
    for scope in [&["a", "d"][..], &["a d"], &[""], &["a  b"]] {
        assert_eq!(
            nested(scope).unwrap_err().kind(),
            TokenErrorKind::ScopeExceeded
        );
    }
}

#[test]
fn an_in_process_session_needs_no_signature() {
    let parent = session(&json!({}));
    SessionContext::sync_scope(Session::in_process(nest(&parent, "bob")), || {
        let current = SessionContext::current().unwrap();
        assert_eq!(current.user().id().to_string(), "bob");
        assert_eq!(current.actor().unwrap().session_id(), Some(parent.id()));
    });
}

#[test]
fn access_is_decided_by_the_nested_user_alone() {
    let parent = session(&json!({ "access_level": "administrator", "scope": "a" }));
    let text = SessionIssuer::new(signing_key())
        .issue(&nest(&parent, "bob"))
        .unwrap();
    let receiver = builder()
        .accept_type(TokenType::NestedSession)
        .build()
        .unwrap();
    let guarded = (
        SessionLayer::new(receiver.clone()),
        RequireAccessLevel::new(AccessLevel::Administrator),
    );
    let rejected = send(&guarded, bearer(&text)).error.unwrap();
    assert_eq!(rejected.kind(), Kind::AccessLevelInsufficient);
    let guarded = (SessionLayer::new(receiver), RequireScope::new("a").unwrap());
    let rejected = send(&guarded, bearer(&text)).error.unwrap();
    assert_eq!(rejected.kind(), Kind::ScopeInsufficient);
}

#[test]
fn more_than_four_actors_are_rejected() {
    let mut session = session(&json!({}));
    for depth in 1..=4 {
        session = Session::in_process(nest(&session, &format!("user-{depth}")));
        assert_eq!(session.actor().unwrap().chain().count(), depth);
    }
    let error = session
        .nested(User::new("x"))
        .issued_at(now())
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), TokenErrorKind::TooManyActors);
    let system = Session::system(User::new("system"));
    let error = system.nested(User::new("x")).build().unwrap_err();
    assert_eq!(error.kind(), TokenErrorKind::ParentWithoutToken);
}

#[test]
fn a_nested_token_is_signed_with_its_own_type() {
    let issuer = SessionIssuer::new(signing_key());
    let text = issuer.issue(&nest(&session(&json!({})), "bob")).unwrap();
    assert_eq!(rejection(&verifier(), &text), Some(Kind::TokenUnacceptable));

    let receiver = builder()
        .accept_type(TokenType::NestedSession)
        .build()
        .unwrap();
    let layer = SessionLayer::new(receiver.clone());
    let session = see_session(&layer, bearer(&text)).unwrap().unwrap();
    assert_eq!(session.user().id().to_string(), "bob");
    assert_eq!(session.actor().unwrap().chain().count(), 1);
    let good = crate::support::good_token();
    assert_eq!(rejection(&receiver, &good), Some(Kind::TokenUnacceptable));
}

#[test]
fn an_invalid_actor_is_rejected() {
    let actor = |inner: Value| json!({ "sub": "a", "sid": "s", "client_id": "c", "act": inner });
    let receiver = builder()
        .accept_type(TokenType::NestedSession)
        .build()
        .unwrap();
    let header = json!({ "alg": "HS256", "typ": "nested-session+jwt" });
    let one = json!({ "sub": "a" });
    let four = actor(actor(actor(one.clone())));
    for (act, want) in [
        (one, None),
        (json!({ "sub": "a", "iss": 1, "other": { "x": [] } }), None),
        (four.clone(), None),
        (actor(four), Some(Kind::ClaimInvalid)),
        (json!({}), Some(Kind::ClaimInvalid)),
        (json!({ "sub": "" }), Some(Kind::ClaimInvalid)),
        (json!({ "sub": 1 }), Some(Kind::ClaimInvalid)),
        (json!({ "sub": "a", "sid": 1 }), Some(Kind::ClaimInvalid)),
        (json!({ "sub": "a", "act": [] }), Some(Kind::ClaimInvalid)),
        (json!("a"), Some(Kind::ClaimInvalid)),
        (json!({ "sub": "x".repeat(257) }), Some(Kind::ClaimInvalid)),
    ] {
        let claims = crate::support::claims(&json!({ "act": act }));
        let token = crate::support::sign(&header, &claims.to_string());
        assert_eq!(rejection(&receiver, &token), want, "{act}");
    }
}

#[test]
fn the_actor_limit_can_be_raised_and_lowered() {
    let header = json!({ "alg": "HS256", "typ": "nested-session+jwt" });
    for limit in [1, 2, 6] {
        let receiver = builder()
            .accept_type(TokenType::NestedSession)
            .limits(Limits::default().with_actors(limit))
            .build()
            .unwrap();
        for actors in 1..=7 {
            let act = (1..actors).fold(
                json!({ "sub": "a" }),
                |act, _| json!({ "sub": "a", "act": act }),
            );
            let claims = crate::support::claims(&json!({ "act": act }));
            let token = crate::support::sign(&header, &claims.to_string());
            let want = (actors > limit).then_some(Kind::ClaimInvalid);
            assert_eq!(rejection(&receiver, &token), want, "{actors} of {limit}");
        }
    }
}

#[test]
fn the_builder_enforces_the_rules_of_received_tokens() {
    let good = || {
        SessionToken::builder(User::new("ann"))
            .issuer("https://id.example.com")
            .audience("orders")
            .application_id("web-shop")
            .issued_at(now())
            .lifetime(Duration::from_secs(60))
    };
    assert!(good().build().is_ok());
    let bob = || SessionToken::builder(User::new("bob"));
    for (name, builder) in [
        (
            "no expiry",
            bob().issuer("x").audience("y").application_id("z"),
        ),
        (
            "no issuer",
            bob()
                .audience("y")
                .application_id("z")
                .lifetime(Duration::from_secs(1)),
        ),
        (
            "no audience",
            bob()
                .issuer("x")
                .application_id("z")
                .lifetime(Duration::from_secs(1)),
        ),
        (
            "no application",
            bob()
                .issuer("x")
                .audience("y")
                .lifetime(Duration::from_secs(1)),
        ),
        ("a long name", good().server_code("x".repeat(257))),
        ("a claim of the profile", good().claim("exp", 1)),
        ("another", good().claim("zoneinfo", "x")),
        ("the record of elevation", good().claim("elevated", true)),
        ("a scope word with a space", good().scopes(["a b"])),
        ("two spaces", good().scope("a  b")),
        (
            "an odd offset",
            good().utc_offset(FixedOffset::east_opt(61).unwrap()),
        ),
        (
            "a far offset",
            good().utc_offset(FixedOffset::east_opt(15 * 3600).unwrap()),
        ),
        (
            "a nested token without an actor",
            good().token_type(TokenType::NestedSession),
        ),
        ("an endless life", good().lifetime(Duration::MAX)),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), TokenErrorKind::ClaimInvalid, "{name}");
    }
    let text = SessionIssuer::new(signing_key())
        .issue(&good().build().unwrap())
        .unwrap();
    assert_eq!(rejection(&verifier(), &text), None);
}
