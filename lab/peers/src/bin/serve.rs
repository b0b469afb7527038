//! A server with one thread, and one of the layers in front of a small handler.
//!
//! ```text
//! cargo run --release -p peers --bin serve -- --layer ours --algorithm HS256
//! ```
//!
//! It prints its address. `--help` lists its arguments.

use std::{
    error::Error,
    process::ExitCode,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::Request,
    http::{Extensions, StatusCode},
    middleware::from_fn_with_state,
    routing::get,
};
use peers::{
    Shape, access_token, axum_jwt_auth, from_fn, oauth_resource_server, ours, token, tower_jwt,
    tower_oauth2_resource_server,
};
use tokio::net::TcpListener;
use tower::{Service, layer::layer_fn};
use tower_session_token::Algorithm;

const HELP: &str = "\
A server with one thread, and one of the layers in front of a small handler.

  --layer NAME       none, nothing (a layer that does nothing), ours, ours-uncached, from_fn, tower-jwt, axum-jwt-auth,
                     tower-oauth2-resource-server, oauth-resource-server, axum-jose (with the feature axum_jose); none by default
  --algorithm NAME   HS256, EdDSA, ES256, RS256; HS256 by default
  --print-tokens N   prints N tokens that it accepts, and exits
";

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    use lexopt::prelude::{Long, ValueExt};

    let (mut layer, mut algorithm, mut tokens) = ("none".to_owned(), Algorithm::HS256, None);
    let mut words = lexopt::Parser::from_env();
    while let Some(word) = words.next()? {
        match word {
            Long("layer") => layer = words.value()?.string()?,
            Long("algorithm") => algorithm = words.value()?.parse()?,
            Long("print-tokens") => tokens = Some(words.value()?.parse()?),
            Long("help") => {
                print!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    match tokens {
        None => serve(router(&layer, algorithm)?),
        Some(count) => {
            print_tokens(&layer, algorithm, count);
            Ok(())
        }
    }
}

fn print_tokens(layer: &str, algorithm: Algorithm, count: usize) {
    let token = match layer {
        "oauth-resource-server" => access_token,
        #[cfg(feature = "axum_jose")]
        "axum-jose" => peers::slash_issuer_token,
        _ => token,
    };
    for _ in 0..count {
        println!("{}", token(algorithm, Shape::Plain));
    }
}

fn serve(router: Router) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/", listener.local_addr()?);
        Ok(axum::serve(listener, router).await?)
    })
}

fn router(layer: &str, algorithm: Algorithm) -> Result<Router, Failure> {
    let router = match layer {
        "none" => telling(|_| Some("nobody".to_owned())),
        // The cost of any layer in axum: it boxes the service and its future once more.
        "nothing" => {
            telling(|_| Some("nobody".to_owned())).layer(layer_fn(|inner| Nothing { inner }))
        }
        "ours" => telling(ours::name).layer(ours::layer(algorithm)),
        "ours-uncached" => telling(ours::name).layer(ours::uncached(algorithm)),
        "from_fn" => telling(from_fn::name).layer(from_fn_with_state(
            from_fn::rules(algorithm),
            from_fn::check,
        )),
        "tower-jwt" => telling(tower_jwt::name).layer(tower_jwt::layer(algorithm)),
        "axum-jwt-auth" => Router::new()
            .route("/", get(axum_jwt_auth::handler))
            .with_state(axum_jwt_auth::decoder(algorithm)),
        "tower-oauth2-resource-server" => telling(tower_oauth2_resource_server::name)
            .layer(tower_oauth2_resource_server::layer(algorithm)),
        #[cfg(feature = "axum_jose")]
        "axum-jose" => telling(peers::axum_jose::name).layer(peers::axum_jose::layer(algorithm)),
        "oauth-resource-server" if algorithm != Algorithm::HS256 => {
            telling(oauth_resource_server::name).layer(oauth_resource_server::layer(algorithm))
        }
        other => return Err(format!("{other} with {algorithm}: there is none").into()),
    };
    Ok(router)
}

/// The cost of a layer that does nothing.
#[derive(Clone)]
struct Nothing<S> {
    inner: S,
}

impl<S: Service<Request>> Service<Request> for Nothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.inner.call(request)
    }
}

/// Returns the user's name.
fn telling(name: fn(&Extensions) -> Option<String>) -> Router {
    let handler =
        async move |request: Request| name(request.extensions()).ok_or(StatusCode::UNAUTHORIZED);
    Router::new().route("/", get(handler))
}
