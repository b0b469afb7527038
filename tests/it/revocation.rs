//! Sessions that are refused before their tokens expire.

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
    RevocationCheck, RevocationList, RevocationStatus, Session, SessionErrorKind as Kind,
    SessionId, SessionLayer, TokenId, TokenType, User, UserId,
};

use crate::support::{
    ISSUER, NOW, bearer, builder, claims, now, see_session, send, session, sign, token,
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
fn a_revoked_session_is_refused_from_the_call_s_return_on() {
    let list = list();
    let layer = SessionLayer::new(builder().revocation(list.clone()).build().unwrap());
    let mine = json!({});
    let another = json!({ "sid": "another" });
    assert!(see_session(&layer, bearer(&token(&mine))).is_ok());
    list.revoke_session(ISSUER, session(&mine).id(), until());
    let refused = see_session(&layer, bearer(&token(&mine))).unwrap_err();
    assert_eq!(refused, Kind::SessionRevoked);
    assert!(see_session(&layer, bearer(&token(&another))).is_ok());
}

/// Panics when it is asked.
struct Unasked;

impl RevocationCheck for Unasked {
    fn check(&self, _: &Session) -> RevocationStatus {
        unreachable!("only a session that is otherwise accepted is asked about")
    }
}

#[test]
fn only_a_session_that_is_otherwise_accepted_is_asked_about() {
    let layer = SessionLayer::new(builder().revocation(Unasked).build().unwrap());
    for (changes, want) in [
        (json!({ "exp": NOW - 60 }), Kind::TokenExpired),
        (json!({ "aud": "x" }), Kind::AudienceInvalid),
        (json!({ "sid": 1 }), Kind::ClaimInvalid),
    ] {
        let refused = see_session(&layer, bearer(&token(&changes))).unwrap_err();
        assert_eq!(refused, want);
    }
}

#[test]
fn a_revoked_session_is_challenged_for_another_token() {
    let list = list();
    list.revoke_session(ISSUER, session(&json!({})).id(), until());
    let layer = SessionLayer::new(builder().revocation(list).build().unwrap());
    let answer = send(&layer, bearer(&token(&json!({}))));
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"session\", error=\"invalid_token\"")
    );
}

#[test]
fn a_session_ends_with_those_that_it_is_nested_in() {
    let list = list();
    let outer = session(&json!({}));
    let nest = |session: &Session| {
        let nested = session.nested(User::new("bob")).issued_at(now());
        Session::from(nested.build().unwrap())
    };
    let inner = nest(&nest(&outer));
    assert_eq!(list.check(&inner), RevocationStatus::Valid);
    list.revoke_session(ISSUER, outer.id(), until());
    assert_eq!(list.check(&inner), RevocationStatus::Revoked);
}

#[test]
fn who_is_revoked_acts_for_nobody() {
    let outer = session(&json!({ "sub": "ann" }));
    let nest = |session: &Session, user| {
        let nested = session.nested(User::new(user)).issued_at(now());
        Session::from(nested.build().unwrap())
    };
    let inner = nest(&nest(&outer, "bob"), "cid");
    let revoked_before = |user: &str, before| {
        let list = list();
        list.revoke_user_before(ISSUER, &UserId::from(user), before, until());
        list.check(&inner) == RevocationStatus::Revoked
    };
    let later = now() + Duration::from_secs(1);
    for user in ["ann", "bob", "cid"] {
        assert!(revoked_before(user, later), "{user}");
        // What was issued since then is another matter.
        assert!(!revoked_before(user, now()), "{user}");
    }
    assert!(!revoked_before("dan", later));
}

#[test]
fn an_issuer_s_entries_are_its_own() {
    let list = list();
    list.revoke_session("https://other.example", session(&json!({})).id(), until());
    assert!(!is_revoked(&list, &json!({})));
}

#[test]
fn tokens_and_users_are_revoked() {
    let list = list();
    list.revoke_token(ISSUER, &TokenId::from("t-1"), until());
    assert!(is_revoked(&list, &json!({ "jti": "t-1" })));
    assert!(!is_revoked(&list, &json!({ "jti": "t-2" })));
    // An id of one kind is none of another.
    assert!(!is_revoked(&list, &json!({ "sid": "t-1", "jti": "t-2" })));

    let ann = UserId::from("ann");
    list.revoke_user_before(ISSUER, &ann, now(), until());
    assert!(is_revoked(&list, &json!({ "sub": "ann", "iat": NOW - 1 })));
    assert!(!is_revoked(&list, &json!({ "sub": "ann", "iat": NOW })));
    assert!(!is_revoked(&list, &json!({ "sub": "bob", "iat": NOW - 1 })));
    // An earlier moment takes nothing back.
    list.revoke_user_before(ISSUER, &ann, now() - Duration::from_secs(60), until());
    assert!(is_revoked(&list, &json!({ "sub": "ann", "iat": NOW - 1 })));
}

#[test]
fn a_token_that_hides_its_age_counts_as_old() {
    let list = list();
    list.revoke_user_before(ISSUER, &UserId::from("ann"), now(), until());
    let verifier = builder().accept_type(TokenType::Jwt).build().unwrap();
    let claims = claims(&json!({ "sub": "ann", "iat": null }));
    let token = sign(&json!({ "alg": "HS256" }), &claims.to_string());
    let session = verifier.verify(token.as_bytes()).unwrap();
    assert_eq!(list.check(&session), RevocationStatus::Revoked);
}

#[test]
fn entries_are_forgotten_when_their_tokens_have_expired() {
    let time = Arc::new(AtomicI64::new(NOW));
    let clock = Arc::clone(&time);
    let list = RevocationList::with_clock(move || {
        DateTime::from_timestamp(clock.load(Ordering::SeqCst), 0).unwrap()
    });
    for number in 0..10_000 {
        list.revoke_session(ISSUER, &SessionId::from(format!("s-{number}")), until());
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
fn a_later_end_is_kept() {
    let list = list();
    let id = SessionId::from("s");
    list.revoke_session(ISSUER, &id, until());
    list.revoke_session(ISSUER, &id, now() - Duration::from_secs(86_400));
    assert_eq!(list.len(), 1);
}
