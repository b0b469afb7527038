//! What most people write: a function with axum's `from_fn` and jsonwebtoken.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{Extensions, StatusCode, header::AUTHORIZATION},
    middleware::Next,
    response::Response,
};
use jsonwebtoken::{DecodingKey, Validation, decode};
use tower_session_token::Algorithm;

use crate::{
    Claims,
    tokens::{AUDIENCE, ISSUER, jwk},
};

pub struct Rules {
    key: DecodingKey,
    validation: Validation,
}

/// What [`check`] takes, for `from_fn_with_state`.
pub fn rules(algorithm: Algorithm) -> Arc<Rules> {
    let jwk = serde_json::from_str(&jwk(algorithm, "public")).expect("a test key");
    let mut validation = Validation::new(algorithm.as_str().parse().expect("it knows it"));
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    Arc::new(Rules {
        key: DecodingKey::from_jwk(&jwk).expect("a test key"),
        validation,
    })
}

pub async fn check(
    State(rules): State<Arc<Rules>>,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let token = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(StatusCode::UNAUTHORIZED)?;
    let claims = decode::<Claims>(token, &rules.key, &rules.validation)
        .map_err(|_| StatusCode::UNAUTHORIZED)?
        .claims;
    request.extensions_mut().insert(claims);
    Ok(next.run(request).await)
}

pub fn name(extensions: &Extensions) -> Option<String> {
    Some(extensions.get::<Claims>()?.name.clone())
}
