//! What a refused request is answered: the table of the profile, in its three forms.

use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower_session_token::{
    AccessLevel, CallHeaders, RequireAccessLevel, RequireScope, RevocationCheck, RevocationStatus,
    Session, SessionErrorKind as Kind, SessionLayer,
};

use crate::support::{
    NOW, bearer, builder, claims, good_token, request, send, sign, sign_raw, token, verifier,
};

/// One request for each row of the table that a layer with these options can answer.
fn rows() -> Vec<(Request<()>, Kind)> {
    let wrong_signature = {
        let mut token = good_token();
        let last = if token.ends_with('A') { 'E' } else { 'A' };
        token.pop();
        token.push(last);
        token
    };
    let two = {
        let mut request = bearer(&good_token());
        let second = request.headers()["authorization"].clone();
        request.headers_mut().append("authorization", second);
        request
    };
    let of_type = |header: Value| bearer(&sign(&header, &claims(&json!({})).to_string()));
    vec![
        (Request::new(()), Kind::TokenMissing),
        (two, Kind::RequestInvalid),
        (
            request(&[("authorization", "Bearer")]),
            Kind::RequestInvalid,
        ),
        (bearer("a.b"), Kind::TokenMalformed),
        (bearer(&"a".repeat(8193)), Kind::TokenMalformed),
        (bearer("e30.e30.A"), Kind::TokenMalformed),
        (
            bearer(&sign_raw(r#"{"alg":"HS256","alg":"HS256"}"#, b"{}")),
            Kind::TokenMalformed,
        ),
        (
            of_type(json!({ "alg": 1, "typ": "session+jwt" })),
            Kind::TokenMalformed,
        ),
        (
            of_type(json!({ "alg": "HS256", "typ": "session+jwt", "b64": true })),
            Kind::TokenMalformed,
        ),
        (bearer(&sign_raw("{}", b"{}")), Kind::TokenMalformed),
        (
            of_type(json!({ "alg": "HS256", "typ": "session+jwt", "crit": [] })),
            Kind::TokenMalformed,
        ),
        (
            of_type(json!({ "alg": "none", "typ": "session+jwt" })),
            Kind::TokenUnacceptable,
        ),
        (
            of_type(json!({ "alg": "HS512", "typ": "session+jwt" })),
            Kind::TokenUnacceptable,
        ),
        (
            of_type(json!({ "alg": "HS256", "typ": "JWT" })),
            Kind::TokenUnacceptable,
        ),
        (
            bearer(&token(&json!({ "cnf": {} }))),
            Kind::TokenUnacceptable,
        ),
        (bearer(&wrong_signature), Kind::SignatureInvalid),
        (
            bearer(&token(&json!({ "exp": NOW - 60 }))),
            Kind::TokenExpired,
        ),
        (
            bearer(&token(&json!({ "nbf": NOW + 61 }))),
            Kind::TokenNotYetValid,
        ),
        (bearer(&token(&json!({ "iss": "x" }))), Kind::IssuerInvalid),
        (
            bearer(&token(&json!({ "aud": "x" }))),
            Kind::AudienceInvalid,
        ),
        (
            bearer(&token(&json!({ "server": "x" }))),
            Kind::ServerMismatch,
        ),
        (bearer(&token(&json!({ "sub": null }))), Kind::ClaimInvalid),
    ]
}

fn layer() -> SessionLayer {
    SessionLayer::new(builder().server_code("main").build().unwrap())
}

#[test]
fn a_challenge_and_an_empty_body_by_default() {
    for (request, kind) in rows() {
        let answer = send(&layer(), request);
        let error = answer.error.unwrap();
        assert_eq!(error.kind(), kind);
        assert_eq!(answer.status, kind.status(), "{kind:?}");
        let challenge = match kind {
            Kind::TokenMissing => "Bearer realm=\"session\"",
            Kind::RequestInvalid => "Bearer realm=\"session\", error=\"invalid_request\"",
            _ => "Bearer realm=\"session\", error=\"invalid_token\"",
        };
        assert_eq!(
            answer.header("www-authenticate"),
            Some(challenge),
            "{kind:?}"
        );
        assert!(answer.body.is_empty() && answer.header("content-type").is_none());
    }
}

#[test]
fn problem_details_when_asked() {
    for (request, kind) in rows() {
        let answer = send(&layer().problem_details(), request);
        assert_eq!(answer.status, kind.status(), "{kind:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert!(answer.header("www-authenticate").is_some());
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "about:blank",
                "title": kind.status().canonical_reason(),
                "status": kind.status().as_u16(),
                "code": kind.code(),
            })
        );
    }
}

#[test]
fn grpc_hears_it_in_grpc() {
    for (mut request, kind) in rows() {
        make_grpc(&mut request, "application/grpc+proto");
        let answer = send(&layer().problem_details(), request);
        assert_eq!(answer.status, StatusCode::OK, "{kind:?}");
        assert_eq!(answer.header("grpc-status"), Some("16"), "{kind:?}");
        assert_eq!(answer.header("content-type"), Some("application/grpc"));
        assert!(answer.body.is_empty() && answer.header("www-authenticate").is_none());
        assert_eq!(answer.error.unwrap().kind(), kind);
    }
}

fn make_grpc(request: &mut Request<()>, content_type: &str) {
    *request.method_mut() = Method::POST;
    let content_type = content_type.parse().unwrap();
    request.headers_mut().insert("content-type", content_type);
}

/// A proxy that asks with `GET` and the client's headers takes 200 for a yes.
#[test]
fn what_is_not_grpc_never_hears_200() {
    let guard = RequireScope::new("orders.read").unwrap();
    for (method, content_type) in [
        (Method::GET, "application/grpc"),
        (Method::HEAD, "application/grpc-web"),
        (Method::PUT, "application/grpc+proto"),
        (Method::POST, "application/grpcx"),
        (Method::POST, "application/grpc-"),
        (Method::POST, "application/grpc-web-text-x"),
        (Method::POST, "application/grp"),
        (Method::POST, "text/application/grpc"),
        (Method::POST, "application/json;application/grpc"),
        (Method::POST, ""),
    ] {
        let mut asked = request(&[("content-type", content_type)]);
        *asked.method_mut() = method;
        for answer in [send(&layer(), asked.clone()), send(&guard, asked)] {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{content_type}");
            assert_eq!(answer.header("grpc-status"), None, "{content_type}");
            assert!(answer.header("www-authenticate").is_some());
        }
    }
}

#[test]
fn every_kind_of_grpc_is_answered_in_kind() {
    for (asked, answered) in [
        ("application/grpc", Some("application/grpc")),
        ("Application/gRPC+json", Some("application/grpc")),
        ("application/grpc;charset=utf-8", Some("application/grpc")),
        ("application/grpc ;x", Some("application/grpc")),
        ("application/grpc-web+proto", Some("application/grpc-web")),
        (
            "application/grpc-web-text",
            Some("application/grpc-web-text"),
        ),
        ("application/json", None),
    ] {
        let guard = RequireScope::new("orders.read").unwrap();
        let mut request = Request::new(());
        make_grpc(&mut request, asked);
        for answer in [send(&layer(), request.clone()), send(&guard, request)] {
            let status = answered.map_or(StatusCode::UNAUTHORIZED, |_| StatusCode::OK);
            assert_eq!(answer.status, status, "{asked}");
            assert_eq!(answer.header("content-type"), answered, "{asked}");
            let code = answered.map(|_| "16");
            assert_eq!(answer.header("grpc-status"), code, "{asked}");
        }
    }
}

#[test]
fn an_answer_of_ones_own() {
    for (request, kind) in rows() {
        let layer = layer().on_reject(|head, error| {
            assert_eq!(head.status(), error.status());
            assert!(head.headers().contains_key("www-authenticate"));
            head.map(|()| format!("<{}>", error.code()).into())
        });
        let answer = send(&layer, request);
        assert_eq!(answer.body, format!("<{}>", kind.code()));
        assert_eq!(
            answer.error.unwrap().kind(),
            kind,
            "it is there all the same"
        );
    }
}

struct Says(RevocationStatus);

impl RevocationCheck for Says {
    fn check(&self, _: &Session) -> RevocationStatus {
        self.0
    }
}

#[test]
fn an_unknown_revocation_asks_to_try_again() {
    let asked = |status| builder().revocation(Says(status));
    let layer = SessionLayer::new(asked(RevocationStatus::Unknown).build().unwrap());
    let answer = send(&layer, bearer(&good_token()));
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.header("www-authenticate").is_none());
    assert_eq!(answer.error.unwrap().kind(), Kind::RevocationUnavailable);

    let mut grpc = bearer(&good_token());
    make_grpc(&mut grpc, "application/grpc");
    assert_eq!(send(&layer, grpc).header("grpc-status"), Some("14"));

    let open = |status| {
        let builder = asked(status).accept_unknown_revocation();
        SessionLayer::new(builder.build().unwrap())
    };
    let unknown = open(RevocationStatus::Unknown);
    assert_eq!(send(&unknown, bearer(&good_token())).status, StatusCode::OK);
    let revoked = open(RevocationStatus::Revoked);
    assert_eq!(
        send(&revoked, bearer(&good_token())).error.unwrap().kind(),
        Kind::SessionRevoked
    );
}

#[test]
fn a_realm_is_quoted() {
    let layer = SessionLayer::new(verifier()).realm(r#"a "b" \c"#).unwrap();
    let answer = send(&layer, Request::new(()));
    assert_eq!(
        answer.header("www-authenticate"),
        Some(r#"Bearer realm="a \"b\" \\c""#)
    );
    for realm in ["a\nb", "é", "\u{7f}"] {
        let error = SessionLayer::new(verifier()).realm(realm).unwrap_err();
        assert_eq!(error.option(), "realm");
    }
}

#[test]
fn no_answer_echoes_the_request() {
    let marker = "c2VjcmV0bWFya2Vy";
    for header in [
        format!("Bearer {marker}"),
        format!("Bearer {marker}.{marker}.{marker}"),
        format!("Bearer {}", sign(&json!({ "alg": marker }), "{}")),
        format!("Bearer {}", token(&json!({ "iss": marker }))),
        format!("{marker} x"),
    ] {
        for grpc in [false, true] {
            let mut request = request(&[("authorization", &header)]);
            if grpc {
                make_grpc(&mut request, "application/grpc");
            }
            let answer = send(&layer().problem_details(), request);
            assert!(answer.error.is_some());
            assert!(!format!("{answer:?}").contains(marker), "{answer:?}");
        }
    }
}

#[test]
fn no_refusal_further_in_names_the_language_of_the_request() {
    let marker = "en-x-zq7mark";
    let outer = SessionLayer::new(verifier())
        .client_context(CallHeaders::all())
        .optional();
    let guard = RequireAccessLevel::new(AccessLevel::Administrator).problem_details();
    let bearer = format!("Bearer {}", good_token());
    let culture = [("client-culture", marker), ("authorization", &*bearer)];
    let language = [("accept-language", marker)];
    for (answer, kind) in [
        (
            send(&(outer.clone(), guard), request(&culture)),
            Kind::AccessLevelInsufficient,
        ),
        (
            send(&(outer.clone(), layer()), request(&language)),
            Kind::TokenMissing,
        ),
    ] {
        assert_eq!(answer.error.unwrap().kind(), kind);
        assert!(!format!("{answer:?}").contains(marker), "{answer:?}");
        // What caches have to know stays.
        assert!(answer.header("vary").unwrap().contains("client-culture"));
    }
    let accepted = send(&outer, request(&culture));
    assert_eq!(accepted.header("content-language"), Some(marker));
}

#[test]
fn guards_answer_in_the_same_forms() {
    let guard = RequireScope::new("orders.read orders.write").unwrap();
    let both = |request| {
        let layers = (SessionLayer::new(verifier()), guard.clone());
        send(&layers, request)
    };
    let answer = both(bearer(&token(&json!({ "scope": "orders.read" }))));
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(
        answer.header("www-authenticate"),
        Some(
            "Bearer realm=\"session\", error=\"insufficient_scope\", scope=\"orders.read orders.write\""
        )
    );
    assert_eq!(answer.error.unwrap().kind(), Kind::ScopeInsufficient);
    let enough = token(&json!({ "scope": "orders.write x orders.read" }));
    assert_eq!(both(bearer(&enough)).status, StatusCode::OK);

    // With no session in front of it.
    let alone = send(&guard.clone().problem_details(), Request::new(()));
    assert_eq!(alone.status, StatusCode::UNAUTHORIZED);
    assert!(String::from_utf8_lossy(&alone.body).contains("token_missing"));
    let mut grpc = bearer(&good_token());
    make_grpc(&mut grpc, "application/grpc");
    assert_eq!(both(grpc).header("grpc-status"), Some("7"));
}

/// The names of members are JSON texts, and compared exactly.
#[test]
fn a_name_is_not_another_that_begins_as_it_does() {
    // A control character has to be escaped (RFC 8259 §7).
    let with_nul = "{\"alg\0\0\":\"HS256\",\"typ\":\"session+jwt\"}";
    let payload = claims(&json!({})).to_string();
    let in_header = sign_raw(with_nul, payload.as_bytes());
    assert_eq!(
        crate::support::refusal(&verifier(), &in_header),
        Some(Kind::TokenMalformed)
    );
    let payload = payload.replace("\"name\"", "\"name\0\"");
    let in_claims = sign(&json!({ "alg": "HS256", "typ": "session+jwt" }), &payload);
    assert_eq!(
        crate::support::refusal(&verifier(), &in_claims),
        Some(Kind::TokenMalformed)
    );
}

#[test]
fn claims_of_an_application_may_begin_like_one_of_the_profile() {
    let own = json!({
        "instance": null, "instance_id": "i-7", "zoneinfo": null, "zoneinfo_source": "Europe/Berlin",
    });
    let session = crate::support::session(&own);
    assert_eq!(session.instance_name(), None);
    assert_eq!(session.client_time_zone(), None);
}
