//! Cost of each layer for a request with a good token. The unit is the bare check of the same
//! signature with a prepared key; the cost of the same call without a layer is subtracted.
//!
//! ```text
//! cargo bench -p peers --bench layers
//! ```

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use axum::{body::Body, middleware::from_fn_with_state};
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Extensions, Request, Response, StatusCode};
use peers::{
    Shape, access_token, axum_jwt_auth, jwt_authorizer, oauth_resource_server, ours, token,
    tower_jwt, tower_oauth2_resource_server,
};
use tower::{Layer, Service, service_fn, util::ServiceFn};
use tower_session_token::Algorithm;

#[path = "../../../benches/support/compare.rs"]
mod compare;
#[path = "../../../benches/support/raw.rs"]
mod raw;
#[path = "../../../benches/support/sample.rs"]
mod sample;
#[path = "../../../benches/support/service.rs"]
#[allow(dead_code, reason = "other benchmarks use the rest")]
mod service;
#[path = "../../../benches/support/tokens.rs"]
#[allow(dead_code, reason = "other benchmarks use the rest")]
mod tokens;
use compare::compare;
use raw::raw_check;
use sample::{Case, case};
use service::{request, run};

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::HS256,
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::RS256,
];

fn layers(c: &mut Criterion) {
    let plain = ALGORITHMS.map(|algorithm| (algorithm, Shape::Plain));
    let shaped = Shape::PROVIDERS.map(|shape| (Algorithm::HS256, shape));
    for (algorithm, shape) in plain.into_iter().chain(shaped) {
        let title = match shape {
            Shape::Plain => format!("layers/{algorithm}"),
            _ => format!("layers/{algorithm} {}", shape.name()),
        };
        let tokens = Tokens::new(algorithm, shape, token);
        let access_tokens = Tokens::new(algorithm, shape, access_token);
        #[cfg(feature = "axum_jose")]
        let slash_issuer_tokens = Tokens::new(algorithm, shape, peers::slash_issuer_token);
        let mut raw = raw_check(algorithm, &tokens.good[BEARER.len()..]);
        assert!(raw());
        let hand_written =
            from_fn_with_state(peers::from_fn::rules(algorithm), peers::from_fn::check);

        let mut cases = vec![
            case("raw", || (), move |()| raw()),
            no_layer::<Body>("no layer", &tokens),
            no_layer::<axum_07::body::Body>("no layer, axum 0.7", &tokens),
            peer::<Body, _>("ours, cached", &tokens, &ours::layer(algorithm), ours::name),
            peer::<Body, _>(
                "ours, uncached",
                &tokens,
                &ours::uncached(algorithm),
                ours::name,
            ),
            peer::<Body, _>("from_fn", &tokens, &hand_written, peers::from_fn::name),
            peer::<Body, _>(
                "tower-jwt",
                &tokens,
                &tower_jwt::layer(algorithm),
                tower_jwt::name,
            ),
            peer::<axum_07::body::Body, _>(
                JWT_AUTHORIZER,
                &tokens,
                &jwt_authorizer::layer(algorithm),
                jwt_authorizer::name,
            ),
            peer::<Body, _>(
                "axum-jwt-auth",
                &tokens,
                &axum_jwt_auth::layer(algorithm),
                |_| Some(NAME.to_owned()),
            ),
            peer::<Body, _>(
                "tower-oauth2-resource-server",
                &tokens,
                &tower_oauth2_resource_server::layer(algorithm),
                tower_oauth2_resource_server::name,
            ),
        ];
        #[cfg(feature = "axum_jose")]
        cases.push(peer::<Body, _>(
            "axum-jose",
            &slash_issuer_tokens,
            &peers::axum_jose::layer(algorithm),
            peers::axum_jose::name,
        ));
        if algorithm != Algorithm::HS256 {
            cases.push(peer::<Body, _>(
                "oauth-resource-server",
                &access_tokens,
                &oauth_resource_server::layer(algorithm),
                oauth_resource_server::name,
            ));
        }
        compare(c, &title, cases, |name| match name {
            "raw" | "no layer" | "no layer, axum 0.7" => None,
            JWT_AUTHORIZER => Some("no layer, axum 0.7"),
            _ => Some("no layer"),
        });
    }
}

const JWT_AUTHORIZER: &str = "jwt-authorizer";

/// The user's name in the tokens.
const NAME: &str = "Иван Петров";

const BEARER: &str = "Bearer ";

/// Values of `Authorization`.
struct Tokens {
    good: String,
    /// One with a signature that is not its own, and good ones of other algorithms and keys.
    bad: Vec<String>,
}

impl Tokens {
    fn new(algorithm: Algorithm, shape: Shape, token: fn(Algorithm, Shape) -> String) -> Self {
        let good = token(algorithm, shape);
        let header = base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(good.split('.').next().expect("a header"))
            .expect("base64url");
        let header: serde_json::Value = serde_json::from_slice(&header).expect("JSON");
        assert_eq!(header["alg"], algorithm.as_str());

        let mut forged = good.clone().into_bytes();
        let middle = forged.len() - 20;
        forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("text");
        let others = ALGORITHMS.into_iter().filter(|other| *other != algorithm);
        let bearer = |token: String| format!("{BEARER}{token}");
        Self {
            bad: others
                .map(|other| token(other, shape))
                .chain([forged])
                .map(bearer)
                .collect(),
            good: bearer(good),
        }
    }
}

type Answer<B> = Ready<Result<Response<B>, Infallible>>;
/// One type, so that one layer can be put in front of several.
type Inner<B> = ServiceFn<fn(Request<B>) -> Answer<B>>;

fn inner<B>(answer: fn(Request<B>) -> Answer<B>) -> Inner<B> {
    service_fn(answer)
}

/// Responds, and does nothing else.
fn idle<B: Default>(_: Request<B>) -> Answer<B> {
    ready(Ok(Response::new(B::default())))
}

/// Responds with the extensions of the request.
fn looking<B: Default>(request: Request<B>) -> Answer<B> {
    let mut response = Response::new(B::default());
    let (parts, _) = request.into_parts();
    response.extensions_mut().insert(Handed(parts.extensions));
    ready(Ok(response))
}

#[derive(Clone)]
struct Handed(Extensions);

fn no_layer<'a, B: Default + 'a>(name: &str, tokens: &'a Tokens) -> Case<'a> {
    let mut service = inner(idle::<B>);
    case(
        name,
        || request(Some(&tokens.good)).map(|()| B::default()),
        move |request| run(service.call(request)),
    )
}

/// A case for a layer that is first checked to accept the good token and to reject all others. `user`
/// reads the name that it passes to handlers.
fn peer<'a, B, L>(
    name: &str,
    tokens: &'a Tokens,
    layer: &L,
    user: impl Fn(&Extensions) -> Option<String>,
) -> Case<'a>
where
    B: Default + 'a,
    L: Layer<Inner<B>>,
    L::Service: Service<Request<B>, Response = Response<B>, Error = Infallible> + 'a,
{
    let make = |authorization: &str| request(Some(authorization)).map(|()| B::default());
    let mut service = layer.layer(inner(looking));
    for _ in 0..3 {
        let response = run(service.call(make(&tokens.good)));
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        let handed = response.extensions().get::<Handed>().expect(name);
        assert_eq!(user(&handed.0).as_deref(), Some(NAME), "{name}");
    }
    for bad in &tokens.bad {
        let response = run(service.call(make(bad)));
        assert!(!response.status().is_success(), "{name}: {bad}");
        assert!(response.extensions().get::<Handed>().is_none(), "{name}");
    }
    let mut service = layer.layer(inner(idle));
    case(
        name,
        move || make(&tokens.good),
        move |request| run(service.call(request)),
    )
}

criterion_group! {
    name = benches;
    config = compare::config();
    targets = layers
}
criterion_main!(benches);
