//! jwt-authorizer, which is made for axum 0.7.

use axum::http::Extensions;
use futures_executor::block_on;
use jwt_authorizer::{Authorizer, IntoLayer, JwtAuthorizer, Validation, layer::AuthorizationLayer};
use tower_session_token::Algorithm;

use crate::{
    Claims, jwk_set,
    tokens::{AUDIENCE, ISSUER},
};

pub fn layer(algorithm: Algorithm) -> AuthorizationLayer<Claims> {
    let validation = Validation::new()
        .algs(vec![algorithm.as_str().parse().expect("it knows it")])
        .iss(&[ISSUER])
        .aud(&[AUDIENCE])
        .nbf(true);
    let builder = JwtAuthorizer::from_jwks_text(&jwk_set(algorithm)).validation(validation);
    let authorizer: Authorizer<Claims> = block_on(builder.build()).expect("an authorizer");
    authorizer.into_layer()
}

pub fn name(extensions: &Extensions) -> Option<String> {
    let data = extensions.get::<jsonwebtoken_9::TokenData<Claims>>()?;
    Some(data.claims.name.clone())
}
