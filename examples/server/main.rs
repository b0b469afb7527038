//! A real HTTP server with the session layer in front.
//!
//! ```text
//! cargo run --example server
//! ```
//!
//! It makes a key for this run, and prints a token and a line like this one to paste:
//!
//! ```text
//! curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/session
//! ```
//!
//! `--help` lists its arguments.

mod args;
mod dates;
mod describe;
#[cfg_attr(not(feature = "https"), path = "no_remote.rs")]
mod remote;

use std::{error::Error, future::Future, process::ExitCode, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::{DateTime, FixedOffset, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, signal};
use tower_session_token::{
    AccessLevel, ClientHeaders, ClientKind, RejectionBody, RequireAccessLevel, RequireClientKind,
    Session, SessionContext, SessionIssuer, SessionLayer, SessionToken, TokenErrorKind, User,
};

use args::{Args, HELP, Jwks, Revoked};
use dates::long_text;
use describe::{describe, instant};
use remote::Providers;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Failure> {
    let Some(args) = Args::parse()? else {
        print!("{HELP}");
        return Ok(());
    };
    let now = args.now;
    let clock: Clock = Arc::new(move || now.unwrap_or_else(Utc::now));
    let providers = args.providers()?;
    let jwks = args.jwks()?;
    let revoked = args.revoked()?;
    let resource = args.resource()?;
    let (verifier, issuer) = args.verifier(&clock, jwks.as_ref(), revoked.as_ref(), &providers)?;
    let mut layer = SessionLayer::new(verifier);
    if let Some(resource) = &resource {
        layer = layer.protected_resource(resource);
    }
    if jwks.is_some() || revoked.is_some() {
        tokio::spawn(reload(jwks, revoked)?);
    }
    for source in args.sources {
        layer = layer.token_source(source);
    }
    if args.call_context {
        layer = layer.client_headers(ClientHeaders::all());
    }

    let listener = TcpListener::bind(&args.listen)
        .await
        .map_err(|error| format!("--listen: {error}"))?;
    let address = listener.local_addr()?;
    let stopped = stopped()?;
    println!("listening on http://{address}");
    if args.keys.is_none()
        && let Some(issuer) = &issuer
    {
        let token = issuer.issue(&demo_token(issuer, clock())?)?;
        println!("\n  curl -H 'Authorization: Bearer {token}' http://{address}/session\n");
    }

    let state = Arc::new(App {
        clock,
        issuer,
        providers,
    });
    let mut app = if args.problem_details {
        routes(state, layer.problem_details())
    } else {
        routes(state, layer)
    };
    if let Some(resource) = &resource {
        app = app.route_service(resource.metadata_path(), resource.service());
    }
    axum::serve(listener, app)
        .with_graceful_shutdown(stopped)
        .await?;
    Ok(())
}

/// Waits for Ctrl-C or SIGTERM, which are listened for from the call on.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    use signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Reads the files again at each SIGHUP. A key set without a usable key leaves those in force.
fn reload(
    jwks: Option<Jwks>,
    revoked: Option<Revoked>,
) -> Result<impl Future<Output = ()>, Failure> {
    let mut hangup = signal::unix::signal(signal::unix::SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            if let Some(revoked) = &revoked {
                match revoked.read() {
                    Ok(()) => println!("{} sessions are revoked", revoked.list.len()),
                    Err(error) => eprintln!("nothing more is revoked: {error}"),
                }
            }
            if let Some(jwks) = &jwks {
                match jwks.read() {
                    Ok(keys) => println!("keys of generation {}", jwks.store.replace(keys)),
                    Err(error) => eprintln!("the keys in force stay: {error}"),
                }
            }
        }
    })
}

type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

struct App {
    clock: Clock,
    /// Where there is a key that signs.
    issuer: Option<SessionIssuer>,
    providers: Providers,
}

const ROUTES: &str = "GET /session  GET /optional  GET /desktop  GET /web  GET /admin  \
                      POST /nested  GET /time  GET /healthz  GET /readyz\n";

fn routes<R>(app: Arc<App>, layer: SessionLayer<R>) -> Router
where
    R: RejectionBody<Body> + Send + Sync + 'static,
{
    let desktop = RequireClientKind::new(ClientKind::Desktop);
    let web = RequireClientKind::new(ClientKind::Web);
    let admin = RequireAccessLevel::new(AccessLevel::Administrator);
    let required = Router::new()
        .route("/session", get(session))
        .route("/desktop", get(session).layer(desktop))
        .route("/web", get(session).layer(web))
        .route("/admin", get(session).layer(admin))
        .route("/nested", post(nested))
        .route("/time", get(time))
        .layer(remote::waiting(layer.clone()));
    let optional = Router::new()
        .route("/optional", get(optional))
        .layer(remote::waiting(layer.optional()));
    Router::new()
        .route("/", get(|| async { ROUTES }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(required)
        .merge(optional)
        .with_state(app)
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, String) {
    let unready = app.providers.unready();
    if unready.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, unready)
    }
}

async fn session(session: Session) -> Response {
    json_response(&describe(&session))
}

async fn optional(session: Option<Session>) -> Response {
    json_response(&json!({ "session": session.as_ref().map(describe) }))
}

fn json_response(value: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NestedRequest {
    sub: String,
    name: Option<String>,
    access_level: Option<String>,
}

/// `None` unless the body is an object with these members.
fn nested_request(body: &[u8]) -> Option<(User, AccessLevel)> {
    let object: serde_json::Map<String, Value> = serde_json::from_slice(body).ok()?;
    let request: NestedRequest = serde_json::from_value(object.into()).ok()?;
    let level = request
        .access_level
        .map_or(Ok(AccessLevel::Regular), |level| level.parse());
    let mut user = User::new(request.sub);
    if let Some(name) = request.name {
        user = user.with_name(name);
    }
    Some((user, level.ok()?))
}

async fn nested(State(app): State<Arc<App>>, outer: Session, body: Bytes) -> Response {
    let Some((user, access_level)) = nested_request(&body) else {
        return (
            StatusCode::BAD_REQUEST,
            "the body is not a nested request\n",
        )
            .into_response();
    };
    let built = outer
        .nested(user)
        .access_level(access_level)
        .issued_at((app.clock)())
        .build();
    let token = match built {
        Ok(token) => token,
        Err(error) => {
            let status = match error.kind() {
                TokenErrorKind::ClaimInvalid => StatusCode::BAD_REQUEST,
                _ => StatusCode::FORBIDDEN,
            };
            return (status, format!("{error}\n")).into_response();
        }
    };
    let signed = app.issuer.as_ref().map(|issuer| issuer.issue(&token));
    let signed = match signed.transpose() {
        Ok(signed) => signed,
        Err(error) => return internal_error(&error),
    };
    let ambient = SessionContext::scope(Session::in_process(token), async {
        SessionContext::current()
    })
    .await;
    json_response(&json!({
        "session": ambient.as_ref().map(describe),
        "outer": describe(&outer),
        "token": signed,
    }))
}

async fn time(State(app): State<Arc<App>>, session: Session) -> Response {
    let now = (app.clock)();
    let client = session.to_client_time(now);
    match long_text(client, session.client_culture()) {
        Ok(text) => json_response(&json!({
            "utc": instant(now),
            "client": client.to_rfc3339(),
            "zone": session.client_time_zone().map(|zone| zone.to_string()),
            "text": text,
        })),
        Err(error) => internal_error(&*error),
    }
}

fn internal_error(error: &dyn Error) -> Response {
    let text = format!("{error}\n");
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

fn demo_token(issuer: &SessionIssuer, now: DateTime<Utc>) -> Result<SessionToken, Failure> {
    let token = issuer
        .token(User::new("ann").with_name("Ann Example"))
        .application_id("web-shop")
        .client_kind(ClientKind::Web)
        .culture("ru-RU")
        .ui_culture("en-US")
        .utc_offset(FixedOffset::east_opt(3 * 3600).ok_or("an offset")?)
        .server_code("main")
        .instance_name("default")
        .issued_at(now)
        .build()?;
    Ok(token)
}
