//! Nothing of a token, a key or a claim is shown.

use serde_json::json;
use tower_session_token::{
    KeySet, KeyStore, RevocationList, Session, SessionContext, SessionIssuer, SessionLayer,
    SessionToken, User, VerifyingKey,
};

use crate::support::{builder, session, signing_key, verifier};

#[test]
fn debug_shows_no_secret_and_no_claim() {
    let marker = "secretmarker";
    let secret = format!("{marker}{marker}{marker}");
    let key = VerifyingKey::hs256(&secret).unwrap();
    let session = session(&json!({
        "name": marker, "preferred_username": marker, "sid": marker, "jti": marker,
        "sub": marker, "client_id": marker, "server": marker, "instance": marker,
        "scope": marker, "x": marker,
    }));
    let token = session.token().unwrap();
    let list = RevocationList::new();
    list.revoke_session(marker, session.id(), chrono::Utc::now());
    let shown = [
        format!("{key:?}"),
        format!("{:?}", KeySet::new([key.clone()]).unwrap()),
        format!("{:?}", KeyStore::new(KeySet::new([key.clone()]).unwrap())),
        format!("{:?}", builder()),
        format!("{:?}", verifier()),
        format!(
            "{:?}",
            SessionLayer::new(verifier()).revocation(list.clone())
        ),
        format!("{:?}", SessionIssuer::new(signing_key())),
        format!("{list:?}"),
        format!("{session:?}"),
        format!("{token:?}"),
        format!(
            "{:?}",
            SessionToken::builder(User::new(marker)).claim(marker, marker)
        ),
        format!(
            "{:?}",
            session
                .nested(User::new(marker).with_name(marker))
                .scope(marker)
        ),
        format!("{:?}", SessionContext::scope(session.clone(), async {})),
        format!(
            "{:?}",
            User::new(marker).with_name(marker).with_login(marker)
        ),
        format!("{:?}", session.client_context()),
        format!("{:?}", Session::system(User::new(marker))),
    ];
    for text in shown {
        assert!(!text.contains(marker), "{text}");
        assert!(!text.contains("7, 7, 7"), "{text}");
    }
}

#[test]
fn errors_have_words_of_ours_alone() {
    let marker = "secretmarker";
    for changes in [
        json!({ "exp": marker }),
        json!({ "iss": marker }),
        json!({ "locale": marker }),
        json!({ "client_kind": marker }),
        json!({ "act": { marker: marker } }),
    ] {
        let token = crate::support::token(&changes);
        let error = verifier().verify(token.as_bytes()).unwrap_err();
        assert!(std::error::Error::source(&error).is_none());
        assert!(!format!("{error} {error:?}").contains(marker), "{error:?}");
    }
    let error = session(&json!({ "x": marker }))
        .token()
        .unwrap()
        .claim::<u8>("x")
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains(marker), "{error:?}");
    let error = VerifyingKey::hs256(marker).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(marker), "{error:?}");
}
