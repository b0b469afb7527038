//! Token sources: where a token is found, and which of several is used.

use http::Request;
use serde_json::json;
use tower_session_token::{
    ClientContext, RevocationStatus, Session, SessionError, SessionErrorKind as Kind, SessionLayer,
    TokenSource,
};

use crate::support::{NOW, Says, builder, good_token, request, see, see_session, token, verifier};

fn everywhere() -> SessionLayer {
    SessionLayer::new(verifier())
        .token_source(TokenSource::header(http::HeaderName::from_static(
            "x-session-token",
        )))
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

type Fields<'a> = &'a [(&'a str, &'a str)];

/// The user of the session that the handler sees, or the code of the rejection.
fn user(layer: &SessionLayer, fields: Fields<'_>) -> Result<Option<String>, Kind> {
    see_session(layer, request(fields))
        .map(|session| session.map(|session| session.user().id().to_string()))
}

/// A token of this user, and one that has expired.
fn of(user: &str) -> String {
    token(&json!({ "sub": user }))
}

fn expired() -> String {
    token(&json!({ "exp": NOW - 3000 }))
}

#[test]
fn the_same_token_in_several_explicit_sources_is_one_token() {
    let one = of("ann");
    let fields: Fields<'_> = &[
        ("authorization", &format!("Bearer {one}")),
        ("x-session-token", &one),
        ("x-session-token", &one),
        ("sec-websocket-protocol", &format!("bearer.{one}")),
    ];
    assert_eq!(user(&everywhere(), fields), Ok(Some("ann".into())));
}

/// The order of the fields decides nothing.
#[test]
fn one_token_in_two_sources_is_judged_as_of_both() {
    let (bad, good) = ("a.b.c!", good_token());
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let header = |token: &str| ("x-session-token", token.to_owned());
    for fields in [[bearer(bad), header(bad)], [header(bad), bearer(bad)]] {
        let fields = fields.each_ref().map(|(name, value)| (*name, &**value));
        assert_eq!(user(&everywhere(), &fields), Err(Kind::RequestInvalid));
    }
    for fields in [
        [bearer(&good), header(&good)],
        [header(&good), bearer(&good)],
    ] {
        let fields = fields.each_ref().map(|(name, value)| (*name, &**value));
        let answer = crate::support::send(&everywhere(), request(&fields));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("vary"), Some("x-session-token"));
    }
}

#[test]
fn two_different_explicit_tokens_are_rejected() {
    let (one, other) = (of("ann"), of("bob"));
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let header = |token: &str| ("x-session-token", token.to_owned());
    let protocol = |token: &str| ("sec-websocket-protocol", format!("bearer.{token}"));
    for pair in [
        [bearer(&one), header(&other)],
        [bearer(&one), header("x")],
        [bearer(&one), protocol(&other)],
        [header(&one), protocol(&other)],
        [header(&one), header(&other)],
        [protocol(&one), protocol(&other)],
        // A second field is rejected whatever is in it.
        [bearer(&one), bearer(&one)],
        [bearer(&one), ("authorization", "Basic eDp5".to_owned())],
    ] {
        let [(name, value), (other_name, other_value)] = &pair;
        let fields: Fields<'_> = &[(name, value), (other_name, other_value)];
        for layer in [everywhere(), everywhere().optional()] {
            assert_eq!(user(&layer, fields), Err(Kind::RequestInvalid), "{pair:?}");
        }
    }
}

#[test]
fn empty_fields_and_cookies_count_as_absent() {
    let good = of("ann");
    let bearer = format!("Bearer {good}");
    let cookie = format!("session=; session={good}");
    let quoted = format!("session=\"\"; session={good}");
    let protocol = format!("bearer., bearer.{good}");
    for fields in [
        &[("x-session-token", ""), ("authorization", &bearer)][..],
        &[("x-session-token", "  "), ("authorization", &bearer)],
        &[("x-session-token", ""), ("x-session-token", &good)],
        &[("authorization", ""), ("authorization", &bearer)],
        &[("authorization", &bearer), ("authorization", " ")],
        &[("authorization", ""), ("x-session-token", &good)],
        &[("authorization", &bearer), ("cookie", "session=")],
        &[("authorization", " "), ("cookie", &cookie)],
        &[("cookie", &quoted)],
        &[("cookie", "session"), ("cookie", &cookie)],
        &[("sec-websocket-protocol", &protocol)],
        &[
            ("sec-websocket-protocol", "bearer."),
            ("authorization", &bearer),
        ],
    ] {
        assert_eq!(
            user(&everywhere(), fields),
            Ok(Some("ann".into())),
            "{fields:?}"
        );
    }
    for fields in [
        &[("x-session-token", "")][..],
        &[("authorization", ""), ("cookie", "session=")],
        &[("authorization", " "), ("cookie", "session= ")],
        &[("cookie", "session=\"\"")],
        &[("cookie", "session")],
        &[("cookie", "")],
        &[("sec-websocket-protocol", "bearer.")],
        &[("sec-websocket-protocol", "")],
    ] {
        assert_eq!(
            user(&everywhere(), fields),
            Err(Kind::TokenMissing),
            "{fields:?}"
        );
        assert_eq!(
            user(&everywhere().optional(), fields),
            Ok(None),
            "{fields:?}"
        );
    }
}

#[test]
fn an_explicit_credential_comes_before_cookies() {
    let (good, other) = (of("ann"), of("bob"));
    let bearer = format!("Bearer {good}");
    let protocol = format!("bearer.{good}");
    let stale = expired();
    for cookie in [
        format!("session={other}"),
        format!("session={stale}"),
        "session=deleted".to_owned(),
        format!("session={other}; session={good}"),
        (0..9).map(|at| format!("session={at};")).collect(),
    ] {
        for explicit in [
            ("authorization", &bearer),
            ("x-session-token", &good),
            ("sec-websocket-protocol", &protocol),
        ] {
            let explicit = (explicit.0, explicit.1.as_str());
            for fields in [
                [explicit, ("cookie", &cookie)],
                [("cookie", &cookie), explicit],
            ] {
                for layer in [everywhere(), everywhere().optional()] {
                    assert_eq!(user(&layer, &fields), Ok(Some("ann".into())), "{fields:?}");
                }
            }
        }
    }
    // An explicit credential that is bad is rejected, although the cookie is good.
    let cookie = format!("session={other}");
    for (bad, kind) in [
        ("Bearer", Kind::RequestInvalid),
        ("Bearer x", Kind::TokenMalformed),
    ] {
        let fields = [("authorization", bad), ("cookie", &cookie)];
        for layer in [everywhere(), everywhere().optional()] {
            assert_eq!(user(&layer, &fields), Err(kind), "{bad}");
        }
    }
    // Credentials of another scheme are ignored.
    let fields = [("authorization", "Basic eDp5"), ("cookie", &cookie)];
    assert_eq!(user(&everywhere(), &fields), Ok(Some("bob".into())));
}

fn two_cookies() -> SessionLayer {
    everywhere().token_source(TokenSource::cookie("old").unwrap())
}

#[test]
fn a_bad_cookie_does_not_hide_one_that_verifies() {
    let (good, stale) = (of("ann"), expired());
    let forged = format!("{}x", &good[..good.len() - 1]);
    for fields in [
        &[("cookie", format!("session={stale}; session={good}"))][..],
        &[("cookie", format!("session={good}; session={stale}"))],
        // The same cookie twice, and quoted, is one.
        &[("cookie", format!("session={good}; session={good}"))],
        &[("cookie", format!("session={good}; session=\"{good}\""))],
        &[("cookie", format!("session=\"{stale}\"; session=\"{good}\""))],
        // HTTP/2 may split them.
        &[
            ("cookie", format!("session={stale}")),
            ("cookie", format!("a=b; session={good}")),
        ],
        // Four different values, of which some occur twice.
        &[(
            "cookie",
            format!("session=a; session={forged}; session=a; session={stale}; session={good}"),
        )],
        // Cookies of two names.
        &[("cookie", format!("session={stale}; old={good}"))],
        &[("cookie", format!("old={good}; session=deleted"))],
        &[("cookie", format!("old={good}; session={good}"))],
    ] {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        for layer in [two_cookies(), two_cookies().optional()] {
            assert_eq!(user(&layer, &fields), Ok(Some("ann".into())), "{fields:?}");
        }
    }
}

/// A cookie that was rejected, and what an optional layer leaves in the request's extensions.
#[test]
fn cookies_are_rejected_and_an_optional_layer_makes_the_request_anonymous() {
    let (one, other, stale) = (of("ann"), of("bob"), expired());
    for (cookies, kind) in [
        (format!("session={stale}"), Kind::TokenExpired),
        ("session=deleted".to_owned(), Kind::TokenMalformed),
        (
            format!("session={stale}; session=a.b.c"),
            Kind::TokenExpired,
        ),
        (
            format!("session=a.b.c; session={stale}"),
            Kind::TokenMalformed,
        ),
        // The order of the sources comes before that of the cookies.
        (format!("old=a.b.c; session={stale}"), Kind::TokenExpired),
        (
            format!("session={one}; session={other}"),
            Kind::RequestInvalid,
        ),
        (format!("session={one}; old={other}"), Kind::RequestInvalid),
        (
            format!("session=a; session={one}; session={other}"),
            Kind::RequestInvalid,
        ),
        // A fifth value, good or not.
        (
            format!("session=a; session=b; session=c; session=d; session={one}"),
            Kind::RequestInvalid,
        ),
        (
            format!("session={one}; session=b; session=c; session=d; old=e"),
            Kind::RequestInvalid,
        ),
    ] {
        let fields = [("cookie", cookies.as_str())];
        assert_eq!(user(&two_cookies(), &fields), Err(kind), "{cookies}");
        let seen = see(&two_cookies().optional(), request(&fields), |request| {
            let extensions = request.extensions();
            assert!(extensions.get::<Session>().is_none());
            assert!(ClientContext::of(extensions).is_some());
            extensions.get::<SessionError>().map(SessionError::kind)
        });
        assert_eq!(seen.unwrap(), Some(kind), "{cookies}");
    }
}

#[test]
fn an_anonymous_request_without_a_bad_cookie_has_no_error() {
    let mut stale = request(&[("cookie", "other=x")]);
    stale.extensions_mut().insert(SessionError::forbidden());
    for request in [request(&[]), stale] {
        let seen = see(&everywhere().optional(), request, |request| {
            request.extensions().get::<SessionError>().copied()
        });
        assert_eq!(seen.unwrap(), None);
    }
}

#[test]
fn a_cookie_whose_revocation_is_unknown_is_a_503_in_an_optional_layer_too() {
    let unknown = builder().revocation(Says(RevocationStatus::Unknown));
    let layer = SessionLayer::new(unknown.build().unwrap())
        .token_source(TokenSource::cookie("session").unwrap());
    let (good, stale) = (of("ann"), expired());
    for cookies in [
        format!("session={good}"),
        format!("session={good}; session={stale}"),
        // Whether there is a session is unknown.
        format!("session={stale}; session={good}"),
    ] {
        for layer in [layer.clone(), layer.clone().optional()] {
            let got = user(&layer, &[("cookie", &cookies)]);
            assert_eq!(got, Err(Kind::RevocationUnavailable), "{cookies}");
        }
    }
}

/// Whether the cookie that verifies is the only one is unknown.
#[test]
fn a_cookie_whose_revocation_is_unknown_is_a_503_beside_one_that_verifies() {
    let of_bob = |session: &Session| {
        if session.user().id() == "bob" {
            RevocationStatus::Unknown
        } else {
            RevocationStatus::Valid
        }
    };
    let verifier = builder().revocation(of_bob).build().unwrap();
    let layer = SessionLayer::new(verifier).token_source(TokenSource::cookie("session").unwrap());
    let (good, unknown) = (of("ann"), of("bob"));
    for cookies in [
        format!("session={good}; session={unknown}"),
        format!("session={unknown}; session={good}"),
    ] {
        for layer in [layer.clone(), layer.clone().optional()] {
            let got = user(&layer, &[("cookie", &cookies)]);
            assert_eq!(got, Err(Kind::RevocationUnavailable), "{cookies}");
        }
    }
}

#[test]
fn vary_names_the_source_of_a_token_with_a_culture() {
    let (with_culture, without) = (
        good_token(),
        token(&json!({ "locale": null, "ui_locale": null })),
    );
    for (fields, vary) in [
        (
            &[("cookie", format!("session={with_culture}"))][..],
            Some("cookie"),
        ),
        (&[("cookie", format!("session={without}"))], None),
        (
            &[("x-session-token", with_culture.clone())],
            Some("x-session-token"),
        ),
        (&[("authorization", format!("Bearer {with_culture}"))], None),
        // The cookie was not read.
        (
            &[
                ("authorization", format!("Bearer {with_culture}")),
                ("cookie", "session=x".to_owned()),
            ],
            None,
        ),
    ] {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = crate::support::send(&everywhere(), request(&fields));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("vary"), vary, "{fields:?}");
    }
}

#[test]
fn an_invalid_credential_is_rejected() {
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
        ("Bearer \t".to_owned(), Kind::RequestInvalid),
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
        // In the alphabet of credentials, but not a token.
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
fn bytes_beyond_ascii_are_rejected() {
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

#[test]
fn authorization_is_ignored_unless_it_is_a_source() {
    let both = request(&[
        ("authorization", "Bearer a.b.c!"),
        ("x-session-token", "a.b.c!"),
    ]);
    let header = TokenSource::header(http::HeaderName::from_static("x-session-token"));
    let alone = SessionLayer::new(verifier()).token_sources([header]);
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
fn a_subprotocol_is_removed_from_a_full_map() {
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
            field.map(|field| field.to_str().unwrap().to_owned())
        });
        assert_eq!(seen.unwrap().as_deref(), left);
    }
}

#[test]
fn fields_that_hold_a_token_are_sensitive() {
    let token = good_token();
    let backwards = SessionLayer::new(verifier()).token_sources([
        TokenSource::websocket_protocol("bearer.").unwrap(),
        TokenSource::cookie("session").unwrap(),
        TokenSource::header(http::HeaderName::from_static("x-session-token")),
        TokenSource::bearer(),
    ]);
    for layer in [everywhere(), backwards] {
        let request = request(&[
            ("sec-websocket-protocol", &format!("bearer.{token}, chat")),
            ("authorization", " "),
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
fn a_session_of_a_forwarded_request_is_removed() {
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
            let context = ClientContext::of(extensions).unwrap();
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
fn a_bad_bearer_token_is_rejected_in_an_optional_layer_too() {
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
