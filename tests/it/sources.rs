//! Where a token is looked for, and what is no token.

use http::Request;
use serde_json::json;
use tower_session_token::{Session, SessionErrorKind as Kind, SessionLayer, TokenSource};

use crate::support::{good_token, request, see, see_session, token, verifier};

fn everywhere() -> SessionLayer {
    SessionLayer::new(verifier())
        .token_source(TokenSource::header("x-session-token").unwrap())
        .token_source(TokenSource::cookie("session").unwrap())
        .token_source(TokenSource::websocket_protocol("bearer.").unwrap())
}

#[test]
fn each_source_is_found() {
    let token = good_token();
    for (name, value) in [
        ("authorization", format!("Bearer {token}")),
        ("authorization", format!("bEARER   {token}")),
        ("x-session-token", token.clone()),
        ("cookie", format!("session={token}")),
        ("cookie", format!("a=b; session={token};c=d")),
        ("cookie", format!("a; session=\"{token}\"")),
        ("cookie", format!("a=b; session = {token} ; c=d")),
        ("cookie", format!("session ={token}")),
        ("cookie", format!("session= {token}")),
        ("cookie", format!("session={token} ;c=d")),
        ("cookie", format!("session= \"{token}\" ;c=d")),
        ("sec-websocket-protocol", format!("bearer.{token}")),
        (
            "sec-websocket-protocol",
            format!("chat, bearer.{token},other"),
        ),
    ] {
        let request = request(&[(name, &value)]);
        let got = see_session(&everywhere(), request).unwrap();
        assert!(got.is_some(), "{name}: {value}");
    }
}

#[test]
fn one_token_in_many_places_is_one_token() {
    let (one, other) = (good_token(), token(&json!({ "jti": "other" })));
    let everywhere = everywhere();
    let see = |headers: &[(&str, String)]| {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        see_session(&everywhere, request(&headers)).map(|session| session.is_some())
    };
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let cookie = |token: &str| ("cookie", format!("session={token}"));
    let header = |token: &str| ("x-session-token", token.to_owned());
    let protocol = |token: &str| ("sec-websocket-protocol", format!("bearer.{token}"));
    assert_eq!(
        see(&[bearer(&one), cookie(&one), header(&one), protocol(&one)]),
        Ok(true)
    );
    for pair in [
        [bearer(&one), cookie(&other)],
        [bearer(&one), header(&other)],
        [cookie(&one), protocol(&other)],
        [cookie(&one), cookie(&other)],
        [header(&one), header(&other)],
        [protocol(&one), protocol(&other)],
        // A second field is refused whatever is in it.
        [bearer(&one), bearer(&one)],
        [bearer(&one), ("authorization", "Basic eDp5".to_owned())],
    ] {
        assert_eq!(see(&pair), Err(Kind::RequestInvalid), "{pair:?}");
    }
    let twice = format!("session={one}; session={one}");
    assert_eq!(see(&[("cookie", twice)]), Ok(true));
    let differing = format!("session={one}; session={other}");
    assert_eq!(see(&[("cookie", differing)]), Err(Kind::RequestInvalid));
}

#[test]
fn what_is_no_credential() {
    let token = good_token();
    for (value, want) in [
        (format!("Basic {token}"), Kind::TokenMissing),
        (format!("Bearer{token}"), Kind::TokenMissing),
        (token.clone(), Kind::TokenMissing),
        (String::new(), Kind::TokenMissing),
        ("Bear".to_owned(), Kind::TokenMissing),
        (format!("Basic x, Bearer {token}"), Kind::TokenMissing),
        ("Bearer".to_owned(), Kind::RequestInvalid),
        ("Bearer ".to_owned(), Kind::RequestInvalid),
        (format!("Bearer: {token}"), Kind::RequestInvalid),
        (format!("Bearer\t{token}"), Kind::RequestInvalid),
        (format!("Bearer \t{token}"), Kind::RequestInvalid),
        (format!("Bearer {token} "), Kind::RequestInvalid),
        (format!("Bearer {token} x"), Kind::RequestInvalid),
        (format!("Bearer {token},"), Kind::RequestInvalid),
        (
            format!("Bearer {token}, Bearer {token}"),
            Kind::RequestInvalid,
        ),
        (format!("Bearer Bearer {token}"), Kind::RequestInvalid),
        (format!("Bearer \"{token}\""), Kind::RequestInvalid),
        ("Bearer =".to_owned(), Kind::RequestInvalid),
        ("Bearer a=b".to_owned(), Kind::RequestInvalid),
        // In the alphabet of credentials, but no token of ours.
        ("Bearer a=".to_owned(), Kind::TokenMalformed),
        ("Bearer +/~".to_owned(), Kind::TokenMalformed),
        ("Bearer a.=".to_owned(), Kind::TokenMalformed),
        ("Bearer .".to_owned(), Kind::TokenMalformed),
        ("Bearer a.b.c!".to_owned(), Kind::RequestInvalid),
        ("Bearer !.b.c".to_owned(), Kind::RequestInvalid),
        (format!("Bearer {token}=="), Kind::TokenMalformed),
    ] {
        let layer = SessionLayer::new(verifier());
        let got = see_session(&layer, request(&[("authorization", &value)]));
        assert_eq!(got.err(), Some(want), "{value:?}");
    }
}

#[test]
fn bytes_beyond_ascii_are_refused() {
    for (value, want) in [
        (&b"Bearer \xff"[..], Kind::RequestInvalid),
        (b"Bearer\xa0abc", Kind::RequestInvalid),
        // Another scheme, or none.
        (b"B\xebarer abc", Kind::TokenMissing),
        (b"\xff", Kind::TokenMissing),
    ] {
        let mut request = Request::new(());
        let field = http::HeaderValue::from_bytes(value).unwrap();
        request.headers_mut().insert("authorization", field);
        let got = see_session(&SessionLayer::new(verifier()), request);
        assert_eq!(got.err(), Some(want), "{}", value.escape_ascii());
    }
}

/// What is no credential of `Bearer` is a bad token all the same where another source holds it.
#[test]
fn authorization_is_not_looked_at_where_it_is_no_source() {
    let both = request(&[
        ("authorization", "Bearer a.b.c!"),
        ("cookie", "session=a.b.c!"),
    ]);
    let cookie = TokenSource::cookie("session").unwrap();
    let alone = SessionLayer::new(verifier()).token_sources([cookie]);
    for (layer, want) in [
        (alone, Kind::TokenMalformed),
        (everywhere(), Kind::RequestInvalid),
    ] {
        assert_eq!(see_session(&layer, both.clone()).err(), Some(want));
    }
}

#[test]
fn sources_can_be_replaced() {
    let layer = SessionLayer::new(verifier()).token_sources([TokenSource::cookie("s").unwrap()]);
    let token = good_token();
    let bearer = request(&[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(see_session(&layer, bearer).err(), Some(Kind::TokenMissing));
    let cookie = request(&[("cookie", &format!("s={token}"))]);
    assert!(see_session(&layer, cookie).unwrap().is_some());
}

#[test]
fn a_subprotocol_is_taken_out_of_a_full_map() {
    // As many as it holds.
    const MAX_FIELDS: usize = 24_576;
    let offered = format!("chat, bearer.{}", good_token());
    let mut request = request(&[("sec-websocket-protocol", &offered)]);
    let headers = request.headers_mut();
    for at in 1..MAX_FIELDS {
        let name: http::HeaderName = format!("x{at:x}").parse().unwrap();
        headers.insert(name, http::HeaderValue::from_static(""));
    }
    let seen = see(&everywhere(), request, |request| {
        let headers = request.headers();
        (headers.len(), headers["sec-websocket-protocol"].clone())
    });
    assert_eq!(
        seen.unwrap(),
        (MAX_FIELDS, http::HeaderValue::from_static("chat"))
    );
}

#[test]
fn no_handler_sees_a_token_as_a_subprotocol() {
    let token = good_token();
    for (offered, left) in [
        (format!("bearer.{token}"), None),
        (format!("chat, bearer.{token} ,other"), Some("chat, other")),
        (
            format!("chat,, bearer.{token}, ,other,"),
            Some("chat, other"),
        ),
        (format!(",bearer.{token},"), None),
    ] {
        let request = request(&[("sec-websocket-protocol", &offered)]);
        let seen = see(&everywhere(), request, |request| {
            let field = request.headers().get("sec-websocket-protocol");
            field.map(|it| it.to_str().unwrap().to_owned())
        });
        assert_eq!(seen.unwrap().as_deref(), left);
    }
}

#[test]
fn what_held_a_token_is_sensitive() {
    let token = good_token();
    let backwards = SessionLayer::new(verifier()).token_sources([
        TokenSource::websocket_protocol("bearer.").unwrap(),
        TokenSource::cookie("session").unwrap(),
        TokenSource::header("x-session-token").unwrap(),
        TokenSource::bearer(),
    ]);
    for layer in [everywhere(), backwards] {
        let request = request(&[
            ("sec-websocket-protocol", &format!("bearer.{token}, chat")),
            ("authorization", &format!("Bearer {token}")),
            // HTTP/2 may split them.
            ("cookie", "a=b"),
            ("cookie", &format!("session={token}")),
            ("x-session-token", &token),
            ("x-session-token", &token),
            ("x-other", "seen"),
        ]);
        let shown = see(&layer, request, |request| {
            format!("{:?}", request.headers())
        })
        .unwrap();
        assert!(shown.contains("seen"));
        assert!(!shown.contains(&token[..20]), "{shown}");
    }
}

#[test]
fn credentials_of_another_scheme_are_sensitive_too() {
    let optional = SessionLayer::new(verifier()).optional();
    let basic = request(&[("authorization", "Basic eDp5")]);
    let shown = see(&optional, basic, |request| {
        format!("{:?}", request.headers())
    })
    .unwrap();
    assert!(shown.contains("authorization"));
    assert!(!shown.contains("eDp5"), "{shown}");
}

#[test]
fn what_is_in_the_extensions_already_is_removed() {
    let stale = crate::support::session(&json!({ "sub": "forged" }));
    for layer in [
        SessionLayer::new(verifier()).optional(),
        everywhere().optional(),
    ] {
        let mut request = Request::new(());
        request.extensions_mut().insert(stale.clone());
        request
            .extensions_mut()
            .insert(stale.client_context().clone());
        let (session, culture) = see(&layer, request, |request| {
            let extensions = request.extensions();
            let context = extensions
                .get::<tower_session_token::ClientContext>()
                .unwrap();
            (
                extensions.get::<Session>().is_some(),
                context.culture().to_string(),
            )
        })
        .unwrap();
        assert_eq!((session, culture.as_str()), (false, "und"));
    }
}

#[test]
fn a_bad_token_is_refused_in_an_optional_layer_too() {
    let optional = SessionLayer::new(verifier()).optional();
    assert!(see_session(&optional, Request::new(())).unwrap().is_none());
    let basic = request(&[("authorization", "Basic eDp5")]);
    assert!(see_session(&optional, basic).unwrap().is_none());
    for (value, want) in [
        ("Bearer", Kind::RequestInvalid),
        ("Bearer x", Kind::TokenMalformed),
    ] {
        let bad = request(&[("authorization", value)]);
        assert_eq!(see_session(&optional, bad).err(), Some(want), "{value}");
    }
}
