//! The extractors of axum, and rejections by handlers and guards in its routers.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_session_token::{
    ClientContext, RequireRole, RequireSession, Session, SessionError, SessionLayer,
};

use crate::support::{good_token, verifier};

async fn ask(router: Router, path: &str, token: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let challenged = response.headers().contains_key("www-authenticate");
    assert_eq!(challenged, matches!(status.as_u16(), 401 | 403));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn routes() -> Router {
    Router::new()
        .route(
            "/session",
            get(async |session: Session| session.client_culture().to_string()),
        )
        .route(
            "/optional",
            get(async |session: Option<Session>| session.is_some().to_string()),
        )
        .route(
            "/context",
            get(async |context: ClientContext| context.culture().to_string()),
        )
}

#[tokio::test]
async fn extractors_behind_a_layer_find_the_session_or_are_rejected() {
    let app = routes().layer(SessionLayer::new(verifier()));
    let token = good_token();
    for (path, want) in [
        ("/session", "ru-RU"),
        ("/optional", "true"),
        ("/context", "ru-RU"),
    ] {
        let got = ask(app.clone(), path, Some(&token)).await;
        assert_eq!(got, (StatusCode::OK, want.to_owned()), "{path}");
        assert_eq!(
            ask(app.clone(), path, None).await.0,
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
}

#[tokio::test]
async fn extractors_behind_an_optional_layer_work_without_a_session() {
    let app = routes().layer(SessionLayer::new(verifier()).optional());
    assert_eq!(
        ask(app.clone(), "/session", None).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        ask(app.clone(), "/optional", None).await,
        (StatusCode::OK, "false".to_owned())
    );
    assert_eq!(
        ask(app, "/context", None).await,
        (StatusCode::OK, "und".to_owned())
    );
}

#[tokio::test]
async fn extractors_handlers_and_guards_reject_in_the_form_of_the_layer() {
    async fn forbid(_: Option<Session>) -> Result<&'static str, SessionError> {
        Err(SessionError::forbidden())
    }
    let app = routes()
        .route("/forbidden", get(forbid))
        .route(
            "/guarded",
            get(async || "").layer(RequireRole::new("clerk")),
        )
        .route(
            "/with-session",
            get(async || "").route_layer(RequireSession::new()),
        );
    let problem = SessionLayer::new(verifier())
        .optional()
        .realm("shop")
        .problem_details();
    let own = SessionLayer::new(verifier())
        .optional()
        .on_reject(|request, response, error| {
            response.map(|()| Body::from(format!("{} {}", request.uri, error.code())))
        });
    let (problem, own) = (app.clone().layer(problem), app.layer(own));
    let token = good_token();
    for (path, token, status, code) in [
        ("/session", None, 401, "token_missing"),
        ("/with-session", None, 401, "token_missing"),
        ("/guarded", None, 401, "token_missing"),
        ("/guarded", Some(&*token), 403, "forbidden"),
        ("/forbidden", None, 403, "forbidden"),
        ("/forbidden", Some(&*token), 403, "forbidden"),
    ] {
        let (answered, body) = ask(problem.clone(), path, token).await;
        assert_eq!(answered, status, "{path}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["code"], code, "{path}");
        let (answered, body) = ask(own.clone(), path, token).await;
        assert_eq!(
            (answered.as_u16(), body),
            (status, format!("{path} {code}"))
        );
    }
}

/// Each extractor and guard reports the mistake to the developer.
#[tokio::test]
async fn a_missing_layer_is_reported() {
    let app = routes()
        .route("/guarded", get(async || "").layer(RequireSession::new()))
        .route("/role", get(async || "").layer(RequireRole::new("clerk")));
    let wrong_order = app
        .clone()
        .layer(SessionLayer::new(verifier()))
        .layer(RequireSession::new());
    let token = good_token();
    for (app, paths) in [
        (
            app,
            &["/session", "/optional", "/context", "/guarded", "/role"][..],
        ),
        (wrong_order, &["/session"]),
    ] {
        for path in paths {
            for token in [None, Some(&*token)] {
                let (status, body) = ask(app.clone(), path, token).await;
                assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
                for word in [
                    "SessionLayer",
                    "Router::layer",
                    "route_layer",
                    "ServiceBuilder",
                ] {
                    assert!(body.contains(word), "{path}: {body}");
                }
            }
        }
    }
}

#[tokio::test]
async fn two_layers_in_one_stack_are_reported() {
    let layer = || SessionLayer::new(verifier());
    let app = routes().layer(layer().optional()).layer(layer());
    let (status, body) = ask(app, "/optional", Some(&good_token())).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("two `SessionLayer`s"), "{body}");
}

/// Tests of handlers insert a session like this.
#[tokio::test]
async fn a_session_that_a_test_inserted_is_extracted() {
    let session = crate::support::session(&serde_json::json!({}));
    let app = routes().layer(axum::Extension(session));
    for (path, want) in [
        ("/session", "ru-RU"),
        ("/optional", "true"),
        ("/context", "ru-RU"),
    ] {
        let got = ask(app.clone(), path, None).await;
        assert_eq!(got, (StatusCode::OK, want.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn unknown_paths_are_401_by_layer_and_404_by_route_layer() {
    let layer = SessionLayer::new(verifier());
    let by_layer = routes().layer(layer.clone());
    assert_eq!(
        ask(by_layer, "/unknown", None).await.0,
        StatusCode::UNAUTHORIZED
    );
    let by_route_layer = routes().route_layer(layer);
    assert_eq!(
        ask(by_route_layer.clone(), "/unknown", None).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        ask(by_route_layer, "/session", None).await.0,
        StatusCode::UNAUTHORIZED
    );
}
