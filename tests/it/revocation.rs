//! Sessions that are rejected before their tokens expire.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::json;
use tower_session_token::{
    Revocation, RevocationCheck, RevocationList, RevocationStatus, Session,
    SessionErrorKind as Kind, SessionId, SessionIssuer, SessionLayer, SessionVerifier, TokenId,
    TokenType, User, UserId,
};

use crate::support::{
    AUDIENCE, ISSUER, NOW, bearer, builder, claims, now, see_session, send, session, sign,
    signing_key, token,
};

fn until() -> DateTime<Utc> {
    now() + Duration::from_secs(3600)
}

fn list() -> RevocationList {
    RevocationList::with_clock(now)
}

fn is_revoked(list: &RevocationList, changes: &serde_json::Value) -> bool {
    list.check(&session(changes)) == RevocationStatus::Revoked
}

#[test]
fn a_revoked_session_is_rejected_once_the_call_returns() {
    let list = list();
    let layer = SessionLayer::new(builder().revocation(list.clone()).build().unwrap());
    let mine = json!({});
    let another = json!({ "sid": "another" });
    assert!(see_session(&layer, bearer(&token(&mine))).is_ok());
    list.revoke(&Revocation::session(ISSUER, session(&mine).id(), until()));
    let rejected = see_session(&layer, bearer(&token(&mine))).unwrap_err();
    assert_eq!(rejected, Kind::SessionRevoked);
    assert!(see_session(&layer, bearer(&token(&another))).is_ok());
}

/// A check that panics when it is called.
struct Unasked;

impl RevocationCheck for Unasked {
    fn check(&self, _: &Session) -> RevocationStatus {
        unreachable!("only a session that is otherwise accepted is asked about")
    }
}

#[test]
fn revocation_is_checked_last() {
    let layer = SessionLayer::new(builder().revocation(Unasked).build().unwrap());
    for (changes, want) in [
        (json!({ "exp": NOW - 60 }), Kind::TokenExpired),
        (json!({ "aud": "x" }), Kind::AudienceInvalid),
        (json!({ "sid": 1 }), Kind::ClaimInvalid),
    ] {
        let rejected = see_session(&layer, bearer(&token(&changes))).unwrap_err();
        assert_eq!(rejected, want);
    }
}

#[test]
fn a_revoked_session_is_challenged_for_another_token() {
    let list = list();
    list.revoke(&Revocation::session(
        ISSUER,
        session(&json!({})).id(),
        until(),
    ));
    let layer = SessionLayer::new(builder().revocation(list).build().unwrap());
    let answer = send(&layer, bearer(&token(&json!({}))));
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"session\", error=\"invalid_token\"")
    );
}

#[test]
fn revoking_an_outer_session_revokes_its_nested_sessions() {
    let list = list();
    let outer = session(&json!({}));
    let nest = |session: &Session| {
        let nested = session.nested(User::new("bob")).issued_at(now());
        Session::in_process(nested.build().unwrap())
    };
    let inner = nest(&nest(&outer));
    assert_eq!(list.check(&inner), RevocationStatus::Valid);
    list.revoke(&Revocation::session(ISSUER, outer.id(), until()));
    assert_eq!(list.check(&inner), RevocationStatus::Revoked);
}

#[test]
fn revoking_a_user_ends_the_sessions_in_which_that_user_acts() {
    let outer = session(&json!({ "sub": "ann" }));
    let nest = |session: &Session, user| {
        let nested = session.nested(User::new(user)).issued_at(now());
        Session::in_process(nested.build().unwrap())
    };
    let inner = nest(&nest(&outer, "bob"), "cid");
    let is_revoked = |user: &str, before| {
        let list = list();
        let user = UserId::from(user);
        list.revoke(&Revocation::user_before(ISSUER, &user, before, until()));
        list.check(&inner) == RevocationStatus::Revoked
    };
    // All three began with the outermost.
    let began_at = outer.token().unwrap().issued_at().unwrap();
    let later = began_at + Duration::from_millis(1);
    for user in ["ann", "bob", "cid"] {
        assert!(is_revoked(user, later), "{user}");
        assert!(!is_revoked(user, began_at), "{user}");
    }
    assert!(!is_revoked("dan", later));
}

#[test]
fn a_sign_in_right_after_log_out_everywhere_is_accepted() {
    let issuer = SessionIssuer::new(signing_key())
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .lifetime(Duration::from_secs(600));
    let sign_in = || {
        let token = issuer.token(User::new("ann")).application_id("web-shop");
        issuer.issue(&token.build().unwrap()).unwrap()
    };
    let list = RevocationList::new();
    // The system's clock.
    let verifier = SessionVerifier::builder()
        .key(signing_key().verifying_key())
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .leeway(Duration::ZERO)
        .revocation(list.clone())
        .build()
        .unwrap();
    let verify = |token: &str| verifier.verify(token).map_err(|error| error.kind());
    for _ in 0..100 {
        let old = sign_in();
        verify(&old).unwrap();
        // The clock has advanced once its millisecond has.
        let issued_at = verify(&old).unwrap().token().unwrap().issued_at().unwrap();
        while Utc::now() < issued_at + Duration::from_millis(1) {
            std::hint::spin_loop();
        }
        let now = Utc::now();
        let (ann, until) = (UserId::from("ann"), now + Duration::from_secs(600));
        list.revoke(&Revocation::user_before(ISSUER, &ann, now, until));
        assert_eq!(verify(&old).err(), Some(Kind::SessionRevoked));
        verify(&sign_in()).unwrap();
    }
}

#[test]
fn a_session_began_at_the_earlier_of_authentication_and_issue_in_our_own_types() {
    let iat = session(&json!({})).token().unwrap().issued_at().unwrap();
    let authenticated_at = iat - Duration::from_secs(600);
    let changes = json!({ "auth_time": authenticated_at.timestamp() });
    let others = {
        let verifier = builder().accept_type(TokenType::Jwt).build().unwrap();
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        verifier
            .verify(sign(&header, &claims(&changes).to_string()))
            .unwrap()
    };
    for (session, began_at) in [(session(&changes), authenticated_at), (others, iat)] {
        let user = session.user().id();
        for (before, want) in [
            (began_at, RevocationStatus::Valid),
            // What is issued here has milliseconds.
            (
                began_at + Duration::from_nanos(999_999),
                RevocationStatus::Valid,
            ),
            (
                began_at + Duration::from_millis(1),
                RevocationStatus::Revoked,
            ),
        ] {
            let list = list();
            list.revoke(&Revocation::user_before(ISSUER, user, before, until()));
            assert_eq!(list.check(&session), want);
            let list = self::list();
            list.revoke(&Revocation::issuer_before(ISSUER, before, until()));
            assert_eq!(list.check(&session), want);
        }
    }
}

#[test]
fn a_revocation_survives_its_text_form() {
    let (session, token, user) = ("s \"1\"\n", "t\u{1f600}", "auth0|5f7c");
    let mut all = vec![
        Revocation::session(ISSUER, &session.into(), until()),
        Revocation::token("", &token.into(), until()),
        Revocation::user_before(ISSUER, &user.into(), now(), until()),
        Revocation::issuer_before(ISSUER, now(), DateTime::<Utc>::MAX_UTC),
    ];
    let list = list();
    for revocation in &all {
        let text = revocation.to_string();
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(text.parse().as_ref(), Ok(revocation), "{text}");
        assert!(list.revoke(revocation), "{text}");
        assert!(
            !list.revoke(revocation),
            "the second time it says nothing new"
        );
    }
    let mut listed = Vec::new();
    list.for_each(|revocation| listed.push(revocation.to_string()));
    let mut all: Vec<_> = all
        .drain(..)
        .map(|revocation| revocation.to_string())
        .collect();
    all.sort();
    listed.sort();
    assert_eq!(listed, all);
}

#[test]
fn an_invalid_revocation_text_is_rejected() {
    let good = r#"{"kind":"session","iss":"i","id":"s","until":1768482000000}"#;
    assert!(good.parse::<Revocation>().is_ok());
    for (from, to) in [
        ("session", "sessions"),
        (r#""id":"s","#, ""),
        (r#""id":"s","#, r#""id":"s","before":1,"#),
        (r#""id":"s","#, r#""id":"s","id":"s","#),
        (r#""id":"s","#, r#""id":null,"#),
        ("1768482000000", "-1"),
        ("1768482000000", "253402300799001"),
        ("1768482000000", "1.5"),
        ("1768482000000", "\"1768482000000\""),
        ("session", "user_before"),
        ("session", "issuer_before"),
        ("}", "} x"),
    ] {
        let text = good.replacen(from, to, 1);
        let error = text.parse::<Revocation>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "not the text form of a revocation",
            "{text}"
        );
    }
}

#[test]
fn closures_and_pointers_are_revocation_checks() {
    fn status(check: &impl RevocationCheck, session: &Session) -> RevocationStatus {
        check.check(session)
    }
    let session = session(&json!({}));
    let list = list();
    let boxed: Box<dyn RevocationCheck> = Box::new(list.clone());
    assert_eq!(status(&boxed, &session), RevocationStatus::Valid);
    assert_eq!(status(&Arc::new(list), &session), RevocationStatus::Valid);
    let revoked = |_: &Session| RevocationStatus::Revoked;
    assert_eq!(status(&revoked, &session), RevocationStatus::Revoked);
}

#[test]
fn a_revocation_applies_to_its_issuer_alone() {
    let list = list();
    list.revoke(&Revocation::session(
        "https://other.example",
        session(&json!({})).id(),
        until(),
    ));
    assert!(!is_revoked(&list, &json!({})));
}

#[test]
fn tokens_and_users_are_revoked() {
    let list = list();
    list.revoke(&Revocation::token(ISSUER, &TokenId::from("t-1"), until()));
    assert!(is_revoked(&list, &json!({ "jti": "t-1" })));
    assert!(!is_revoked(&list, &json!({ "jti": "t-2" })));
    // Ids of different kinds are distinct.
    assert!(!is_revoked(&list, &json!({ "sid": "t-1", "jti": "t-2" })));

    let ann = UserId::from("ann");
    list.revoke(&Revocation::user_before(ISSUER, &ann, now(), until()));
    assert!(is_revoked(&list, &json!({ "sub": "ann", "iat": NOW - 1 })));
    assert!(!is_revoked(&list, &json!({ "sub": "ann", "iat": NOW })));
    assert!(!is_revoked(&list, &json!({ "sub": "bob", "iat": NOW - 1 })));
    // An earlier instant does not shorten a revocation.
    list.revoke(&Revocation::user_before(
        ISSUER,
        &ann,
        now() - Duration::from_secs(60),
        until(),
    ));
    assert!(is_revoked(&list, &json!({ "sub": "ann", "iat": NOW - 1 })));
}

#[test]
fn a_token_without_iat_counts_as_old() {
    let list = list();
    list.revoke(&Revocation::user_before(
        ISSUER,
        &UserId::from("ann"),
        now(),
        until(),
    ));
    let verifier = builder().accept_type(TokenType::Jwt).build().unwrap();
    let claims = claims(&json!({ "sub": "ann", "iat": null }));
    let token = sign(&json!({ "alg": "HS256" }), &claims.to_string());
    let session = verifier.verify(token.as_bytes()).unwrap();
    assert_eq!(list.check(&session), RevocationStatus::Revoked);
}

#[test]
fn entries_are_removed_when_their_tokens_have_expired() {
    let time = Arc::new(AtomicI64::new(NOW));
    let clock = Arc::clone(&time);
    let list = RevocationList::with_clock(move || {
        DateTime::from_timestamp(clock.load(Ordering::SeqCst), 0).unwrap()
    });
    for number in 0..10_000 {
        list.revoke(&Revocation::session(
            ISSUER,
            &SessionId::from(format!("s-{number}")),
            until(),
        ));
    }
    assert_eq!(list.len(), 10_000);
    assert!(is_revoked(&list, &json!({ "sid": "s-77" })));
    time.store(NOW + 3600 + 299, Ordering::SeqCst);
    assert_eq!(list.len(), 10_000, "a leeway may still let them in");
    time.store(NOW + 3600 + 300, Ordering::SeqCst);
    assert!(list.is_empty());
    assert!(!is_revoked(&list, &json!({ "sid": "s-77" })));
}

#[test]
fn the_later_end_of_two_revocations_is_kept() {
    let list = list();
    let id = SessionId::from("s");
    list.revoke(&Revocation::session(ISSUER, &id, until()));
    list.revoke(&Revocation::session(
        ISSUER,
        &id,
        now() - Duration::from_secs(86_400),
    ));
    assert_eq!(list.len(), 1);
}
