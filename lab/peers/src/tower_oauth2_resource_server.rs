//! tower-oauth2-resource-server, with a JWK set that is given and not fetched.

use axum::{body::Body, http::Extensions};
use futures_executor::block_on;
use tower_oauth2_resource_server::{
    layer::OAuth2ResourceServerLayer, server::OAuth2ResourceServer, tenant::TenantConfiguration,
    validation::ClaimsValidationSpec,
};
use tower_session_token::Algorithm;

use crate::{
    Claims, jwk_set,
    tokens::{AUDIENCE, ISSUER},
};

pub fn layer(algorithm: Algorithm) -> OAuth2ResourceServerLayer<Body, Claims> {
    let claims = ClaimsValidationSpec::recommended(ISSUER, &vec![AUDIENCE.to_owned()]);
    let tenant = TenantConfiguration::static_builder(jwk_set(algorithm))
        .claims_validation(claims)
        .allowed_algorithms(&[algorithm.as_str().parse().expect("it knows it")])
        .build()
        .expect("a tenant");
    let server = OAuth2ResourceServer::<Claims>::builder().add_tenant(tenant);
    block_on(server.build()).expect("a server").into_layer()
}

pub fn name(extensions: &Extensions) -> Option<String> {
    Some(extensions.get::<Claims>()?.name.clone())
}
