//! The extractors.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_session_token::{ClientContext, Session, SessionLayer};

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
    assert_eq!(challenged, status == StatusCode::UNAUTHORIZED);
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
async fn behind_a_layer() {
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
async fn behind_an_optional_layer() {
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
async fn without_a_layer_the_mistake_is_named() {
    for path in ["/session", "/optional", "/context"] {
        let (status, body) = ask(routes(), path, None).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(body.contains("SessionLayer"), "{body}");
    }
}
