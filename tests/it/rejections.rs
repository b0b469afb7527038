//! The response to a rejected request: the table of the profile, in its three forms.

use futures_executor::block_on;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_session_token::{
    AccessLevel, ClientHeaders, RejectionBody, Require, RequireAccessLevel, RequireRole,
    RequireScope, RequireSession, RevocationStatus, Session, SessionError,
    SessionErrorKind as Kind, SessionLayer, TokenSource,
};

use crate::support::{
    Answer, Body, NOW, Says, answer, bearer, builder, claims, good_token, request, send, sign,
    sign_raw, token, verifier,
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
fn the_default_rejection_has_a_challenge_and_an_empty_body() {
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
fn problem_details_are_returned_when_configured() {
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
                "detail": answer.error.unwrap().to_string(),
            })
        );
    }
}

#[test]
fn a_grpc_request_gets_a_grpc_status() {
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

/// A proxy that authorizes by a `GET` with the client's headers takes 200 as admission.
#[test]
fn a_request_that_is_not_grpc_never_gets_200() {
    let guarded = (
        SessionLayer::new(verifier()).optional(),
        RequireScope::new("orders.read").unwrap(),
    );
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
        for answer in [send(&layer(), asked.clone()), send(&guarded, asked)] {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{content_type}");
            assert_eq!(answer.header("grpc-status"), None, "{content_type}");
            assert!(answer.header("www-authenticate").is_some());
        }
    }
}

#[test]
fn each_grpc_content_type_is_answered_with_its_own() {
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
        let guarded = (
            SessionLayer::new(verifier()).optional(),
            RequireScope::new("orders.read").unwrap(),
        );
        let mut request = Request::new(());
        make_grpc(&mut request, asked);
        for answer in [send(&layer(), request.clone()), send(&guarded, request)] {
            let status = answered.map_or(StatusCode::UNAUTHORIZED, |_| StatusCode::OK);
            assert_eq!(answer.status, status, "{asked}");
            assert_eq!(answer.header("content-type"), answered, "{asked}");
            let code = answered.map(|_| "16");
            assert_eq!(answer.header("grpc-status"), code, "{asked}");
        }
    }
}

#[test]
fn an_application_makes_its_own_response() {
    for (request, kind) in rows() {
        let layer = layer().on_reject(|request, head, error| {
            assert_eq!(request.uri, "/");
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
    for (realm, quoted) in [
        (r#"a "b" \c"#, r#"Bearer realm="a \"b\" \\c""#),
        ("a\nb\u{7f}", r#"Bearer realm="a?b?""#),
        ("Bücher", r#"Bearer realm="B?cher""#),
    ] {
        let answer = send(
            &SessionLayer::new(verifier()).realm(realm),
            Request::new(()),
        );
        assert_eq!(answer.header("www-authenticate"), Some(quoted));
    }
}

#[test]
fn no_response_echoes_the_request() {
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
fn no_rejection_behind_the_layer_names_the_language_of_the_request() {
    let marker = "en-x-zq7mark";
    let outer = SessionLayer::new(verifier())
        .client_headers(ClientHeaders::all())
        .optional();
    let guard = RequireAccessLevel::new(AccessLevel::Administrator);
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
        // Fields for caches stay.
        assert!(answer.header("vary").unwrap().contains("client-culture"));
    }
    let accepted = send(&outer, request(&culture));
    assert_eq!(accepted.header("content-language"), Some(marker));
}

/// Sends a request to a handler that rejects every request.
fn send_to_rejecting<R>(layer: &SessionLayer<R>, request: Request<()>) -> Answer
where
    R: RejectionBody<Body>,
{
    let handler = service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(SessionError::forbidden().to_response::<Body>())
    });
    answer(block_on(layer.layer(handler).oneshot(request)).unwrap())
}

#[test]
fn guards_and_handlers_answer_in_the_form_of_the_layer() {
    let scope = RequireScope::new("orders.read orders.write").unwrap();
    let little = || bearer(&token(&json!({ "scope": "orders.read" })));
    let layer = || SessionLayer::new(verifier()).realm("shop");

    let plain = "Bearer realm=\"shop\", error=\"insufficient_scope\"";
    let named = format!("{plain}, scope=\"orders.read orders.write\"");
    for (answer, kind, challenge) in [
        (
            send(&(layer(), scope.clone()), little()),
            Kind::ScopeInsufficient,
            &*named,
        ),
        (
            send(&(layer(), RequireRole::new("a")), little()),
            Kind::Forbidden,
            plain,
        ),
        (
            send_to_rejecting(&layer(), little()),
            Kind::Forbidden,
            plain,
        ),
    ] {
        assert_eq!(answer.error.unwrap().kind(), kind);
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
        assert!(answer.body.is_empty());
    }

    let problem = || layer().problem_details();
    for (answer, code) in [
        (
            send(&(problem(), scope.clone()), little()),
            "scope_insufficient",
        ),
        (send_to_rejecting(&problem(), little()), "forbidden"),
        (
            send(
                &(problem().optional(), RequireSession::new()),
                Request::new(()),
            ),
            "token_missing",
        ),
    ] {
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["code"], code);
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer realm=\"shop\""),
            "{challenge}"
        );
    }

    let mut grpc = little();
    make_grpc(&mut grpc, "application/grpc");
    for answer in [
        send(&(problem(), scope.clone()), grpc.clone()),
        send_to_rejecting(&problem(), grpc),
    ] {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("grpc-status"), Some("7"));
        assert_eq!(answer.header("content-type"), Some("application/grpc"));
        assert!(answer.body.is_empty() && answer.header("www-authenticate").is_none());
    }
}

#[test]
fn a_custom_response_gets_the_head_of_the_request() {
    let layer = SessionLayer::new(verifier())
        .token_source(TokenSource::cookie("session").unwrap())
        .on_reject(|request, response, error| {
            let headers = format!("{:?}", request.headers);
            assert!(
                !headers.contains("eyJ"),
                "the token is sensitive: {headers}"
            );
            let user = request
                .extensions
                .get::<Session>()
                .map(|session| session.user().id());
            let seen = (
                &request.method,
                request.uri.path(),
                &request.headers["x-seen"],
                user,
            );
            response.map(|()| format!("{seen:?} {}", error.code()).into())
        });
    let with_path = |mut request: Request<()>| {
        *request.uri_mut() = "/cart?item=1".parse().unwrap();
        request
            .headers_mut()
            .insert("x-seen", "yes".parse().unwrap());
        request
    };
    let guard = RequireRole::new("clerk");
    let good = || with_path(bearer(&token(&json!({ "sub": "ann" }))));
    let bad = with_path(bearer(&token(&json!({ "exp": 1 }))));
    for (answer, body) in [
        (
            send(&layer, with_path(Request::new(()))),
            "(GET, \"/cart\", \"yes\", None) token_missing",
        ),
        (
            send(&layer, bad),
            "(GET, \"/cart\", \"yes\", None) token_expired",
        ),
        (
            send(&(layer.clone(), guard), good()),
            "(GET, \"/cart\", \"yes\", Some(UserId(ann))) forbidden",
        ),
        (
            send_to_rejecting(&layer, good()),
            "(GET, \"/cart\", \"yes\", Some(UserId(ann))) forbidden",
        ),
    ] {
        assert_eq!(answer.body, body);
    }
}

#[test]
fn headers_that_layers_in_between_added_stay_and_those_of_the_old_body_go() {
    let handler = service_fn(async |_: Request<()>| {
        let mut response = SessionError::insufficient_scope().to_response::<Body>();
        for (name, value) in [
            ("x-request-id", "7"),
            ("content-length", "0"),
            ("content-type", "text/plain"),
        ] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        Ok::<_, std::convert::Infallible>(response)
    });
    let layer = SessionLayer::new(verifier());
    let formed = layer.clone().problem_details().layer(handler);
    let formed = answer(block_on(formed.oneshot(bearer(&good_token()))).unwrap());
    assert_eq!(formed.header("x-request-id"), Some("7"));
    assert_eq!(formed.header("content-length"), None);
    assert_eq!(
        formed.header("content-type"),
        Some("application/problem+json")
    );
    let bare = answer(block_on(layer.layer(handler).oneshot(bearer(&good_token()))).unwrap());
    assert_eq!(bare.header("content-type"), None);
}

/// A service may hide its resources behind a 404.
#[test]
fn a_response_whose_status_was_replaced_keeps_its_own_form() {
    let handler = service_fn(async |_: Request<()>| {
        let mut response = SessionError::forbidden().to_response::<Body>();
        *response.status_mut() = StatusCode::NOT_FOUND;
        Ok::<_, std::convert::Infallible>(response.map(|_| "no such order".into()))
    });
    let service = SessionLayer::new(verifier())
        .problem_details()
        .layer(handler);
    let answer = answer(block_on(service.oneshot(bearer(&good_token()))).unwrap());
    assert_eq!(
        (answer.status, &*answer.body),
        (StatusCode::NOT_FOUND, &b"no such order"[..])
    );
}

#[test]
fn a_rejection_without_a_layer_has_status_and_challenge() {
    let forbidden = answer(SessionError::forbidden().to_response());
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
    let error = verifier().verify("x").unwrap_err();
    let challenge = "Bearer realm=\"session\", error=\"invalid_token\"";
    let malformed = answer(error.to_response());
    assert_eq!(malformed.status, StatusCode::UNAUTHORIZED);
    assert_eq!(malformed.header("www-authenticate"), Some(challenge));
    assert_eq!(malformed.error, Some(error));
}

/// Two layers in one stack: the inner one would hide the session of the outer one.
#[test]
fn an_inner_layer_reports_the_session_of_an_outer_layer() {
    let outer = || SessionLayer::new(verifier());
    let inner = || SessionLayer::new(verifier()).optional();
    let cookie = TokenSource::cookie("session").unwrap();
    let by_cookie = || inner().token_source(cookie.clone());
    for answer in [
        send(&(outer(), inner()), bearer(&good_token())),
        send(&(outer(), by_cookie()), bearer(&good_token())),
        send(
            &(by_cookie(), outer().problem_details()),
            bearer(&good_token()),
        ),
    ] {
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        let error = answer.error.unwrap();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Misconfigured, "misconfigured")
        );
        assert!(error.to_string().contains("two `SessionLayer`s"), "{error}");
        assert!(answer.header("www-authenticate").is_none());
    }
    // An outer layer that found no session has none to hide.
    let session = format!("session={}", good_token());
    let answer = send(&(inner(), by_cookie()), request(&[("cookie", &session)]));
    assert_eq!(answer.status, StatusCode::OK);
}

/// A session of another request's scope, or of none, is one of a forwarded request.
#[test]
fn a_session_of_another_stack_is_removed_silently() {
    use tower_session_token::SessionContext;

    let stale = crate::support::session(&json!({}));
    let ambient = crate::support::session(&json!({}));
    let layer = SessionLayer::new(verifier());
    let ask = || {
        let mut request = bearer(&good_token());
        request.extensions_mut().insert(stale.clone());
        send(&layer, request).status
    };
    assert_eq!(ask(), StatusCode::OK);
    assert_eq!(SessionContext::sync_scope(ambient, ask), StatusCode::OK);
    let same = SessionContext::sync_scope(stale.clone(), ask);
    assert_eq!(same, StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn a_predicate_decides_by_the_session() {
    let main = Require::new(|session| session.server_code() == Some("main"));
    let layers = (SessionLayer::new(verifier()), main);
    assert_eq!(send(&layers, bearer(&good_token())).status, StatusCode::OK);
    let other = send(&layers, bearer(&token(&json!({ "server": "other" }))));
    assert_eq!(other.error.unwrap().kind(), Kind::Forbidden);
}

/// Member names are JSON strings, and compared exactly.
#[test]
fn a_member_name_is_compared_whole() {
    // A control character has to be escaped (RFC 8259 §7).
    let with_nul = "{\"alg\0\0\":\"HS256\",\"typ\":\"session+jwt\"}";
    let payload = claims(&json!({})).to_string();
    let in_header = sign_raw(with_nul, payload.as_bytes());
    assert_eq!(
        crate::support::rejection(&verifier(), &in_header),
        Some(Kind::TokenMalformed)
    );
    let payload = payload.replace("\"name\"", "\"name\0\"");
    let in_claims = sign(&json!({ "alg": "HS256", "typ": "session+jwt" }), &payload);
    assert_eq!(
        crate::support::rejection(&verifier(), &in_claims),
        Some(Kind::TokenMalformed)
    );
}

#[test]
fn an_application_claim_may_share_a_prefix_with_a_profile_claim() {
    let own = json!({
        "instance": null, "instance_id": "i-7", "zoneinfo": null, "zoneinfo_source": "Europe/Berlin",
    });
    let session = crate::support::session(&own);
    assert_eq!(session.instance_name(), None);
    assert_eq!(session.client_time_zone(), None);
}
