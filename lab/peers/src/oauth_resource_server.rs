//! oauth-resource-server, with a JWK set that is given and not fetched. It knows no HS256, and
//! rejects any `typ` but those of access tokens.

use std::sync::Arc;

use axum::http::Extensions;
use oauth_resource_server::{
    AuthorizedToken, KeyNaming, OAuthConfig, OAuthValidator, http_layer::HttpAuthLayer,
};
use tower_session_token::Algorithm;

use crate::{
    Claims, jwk_set,
    tokens::{AUDIENCE, ISSUER},
};

/// Not for HS256.
pub fn layer(algorithm: Algorithm) -> HttpAuthLayer {
    let config = OAuthConfig {
        enabled: true,
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        resource: "https://orders.example.com/".to_owned(),
        algorithms: vec![algorithm.as_str().to_owned()],
        require_at_jwt: true,
        ..OAuthConfig::default()
    };
    let config = config.resolve(KeyNaming::Dotted("oauth"));
    let config = config.expect("it is sound").expect("it is enabled");
    let validator = OAuthValidator::builder(&config)
        .initial_jwks(&jwk_set(algorithm))
        .build()
        .expect("a validator");
    let layer = HttpAuthLayer::builder().oauth(Arc::new(validator)).build();
    layer.expect("a layer")
}

/// The layer leaves the claims as JSON values; reading them into a type comes on top.
pub fn name(extensions: &Extensions) -> Option<String> {
    let token = extensions.get::<AuthorizedToken>()?;
    Some(token.claims_as::<Claims>().ok()?.name)
}
