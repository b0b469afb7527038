//! A server of which several run behind one Redis: a log-out in one is a log-out in all.
//!
//! ```text
//! cargo run -p tower-session-token-redis --example fleet -- --redis redis://127.0.0.1
//! ```
//!
//! `crates/redis/examples/fleet.sh` starts ten of them.

#[path = "../../../examples/server/describe.rs"]
mod describe;

use std::{error::Error, fs, process::ExitCode, sync::Arc, time::Duration};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;
use tokio::{net::TcpListener, signal::unix};
use tower_session_token::{
    Algorithm, KeySet, LogoutService, LogoutVerifier, Revocation, Session, SessionIssuer,
    SessionLayer, SessionToken, SessionVerifier, SigningKey, TokenSource, TokenType, User,
};
use tower_session_token_redis::{PublishError, RedisRevocations};

const HELP: &str = "\
A server of which several run behind one Redis: a log-out in one is a log-out in all.

  --redis URL                       redis://127.0.0.1
  --fleet NAME                      the servers that share their log-outs: session-demo
  --max-revocation-age SECONDS      60; from then on without Redis every answer is 503
  --listen ADDR                     127.0.0.1:3000; port 0 picks one
  --hs256-secret-file FILE          raw bytes, the same for all; else a key for this run
  --issuer URL                      https://issuer.example
  --audience NAME                   session-demo
  --logout-jwks FILE                | the keys of an identity provider, and our ID there,
  --logout-client-id ID             | for POST /backchannel-logout; its issuer is --issuer, and its
                                    | access tokens are accepted where that secret signs them

  POST /login                       form sub, name
  GET  /session
  POST /logout  POST /logout-everywhere
  POST /backchannel-logout
  GET  /readyz
";

const LIFETIME: Duration = Duration::from_secs(8 * 3600);

type Failure = Box<dyn Error + Send + Sync>;

struct Args {
    redis: String,
    fleet: String,
    max_age: Duration,
    listen: String,
    secret_file: Option<String>,
    issuer: String,
    audience: String,
    logout_jwks: Option<String>,
    logout_client_id: Option<String>,
}

struct App {
    issuer: SessionIssuer,
    revocations: RedisRevocations,
}

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
    let (revocations, driver) = RedisRevocations::builder(&args.fleet)
        .client(redis::Client::open(&*args.redis)?)
        .max_age(args.max_age)
        .build()?;
    let key = args.key()?;
    let mut verifier = SessionVerifier::builder()
        .key(key.verifying_key())
        .issuer(&args.issuer)
        .audience(&args.audience)
        .accept_type(TokenType::Session)
        .revocation(revocations.clone());
    if args.logout_jwks.is_some() {
        verifier = verifier.accept_type(TokenType::AccessToken);
    }
    let verifier = verifier.build()?;
    let issuer = SessionIssuer::new(key)
        .issuer(&args.issuer)
        .audience(&args.audience)
        .lifetime(LIFETIME);
    let layer = SessionLayer::new(verifier).token_source(TokenSource::cookie("session")?);
    let mut app = Router::new()
        .route(
            "/session",
            get(async |session: Session| Json(describe::describe(&session))),
        )
        .route("/logout", post(log_out))
        .route("/logout-everywhere", post(log_out_everywhere))
        .layer(layer)
        .route("/login", post(log_in))
        .route("/readyz", get(ready));
    if let Some(verifier) = args.logout_verifier()? {
        let revocations = revocations.clone();
        let publish = move |named| publish(revocations.clone(), named);
        app = app.route_service("/backchannel-logout", LogoutService::new(verifier, publish));
    }

    let listener = TcpListener::bind(&args.listen)
        .await
        .map_err(|error| format!("--listen: {error}"))?;
    let terminated = terminated()?;
    println!("listening on http://{}", listener.local_addr()?);
    let state = Arc::new(App {
        issuer,
        revocations,
    });
    // The task ends after the last request has.
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let driver = tokio::spawn(driver.run(async { _ = stopped.await }));
    axum::serve(listener, app.with_state(state))
        .with_graceful_shutdown(terminated)
        .await?;
    drop(stop);
    driver.await?;
    Ok(())
}

#[derive(Deserialize)]
struct Login {
    sub: String,
    name: Option<String>,
}

/// A demonstration: it asks for no password.
async fn log_in(State(app): State<Arc<App>>, Form(form): Form<Login>) -> Response {
    let mut user = User::new(form.sub);
    if let Some(name) = form.name {
        user = user.with_name(name);
    }
    let token = app
        .issuer
        .token(user)
        .application_id("fleet")
        .authenticated_at(Utc::now())
        .build();
    let Ok(token) = token.and_then(|token| app.issuer.issue(&token)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let cookie = format!("session={token}; Max-Age=28800; Path=/; HttpOnly; SameSite=Lax");
    ([(SET_COOKIE, cookie)], Json(json!({ "token": token }))).into_response()
}

async fn log_out(State(app): State<Arc<App>>, session: Session) -> Response {
    answer(
        publish(
            app.revocations.clone(),
            Revocation::of(&session).into_iter().collect(),
        )
        .await,
    )
}

async fn log_out_everywhere(State(app): State<Arc<App>>, session: Session) -> Response {
    let (issuer, now) = (session.issuer().unwrap_or_default(), Utc::now());
    // This session too, where it began in this very millisecond.
    let issued_at = session.token().and_then(SessionToken::issued_at);
    let before = issued_at.map_or(now, |at| now.max(at + Duration::from_millis(1)));
    let everywhere = Revocation::user_before(issuer, session.user().id(), before, now + LIFETIME);
    answer(publish(app.revocations.clone(), vec![everywhere]).await)
}

async fn publish(
    revocations: RedisRevocations,
    named: Vec<Revocation>,
) -> Result<(), PublishError> {
    for revocation in named {
        revocations.revoke(revocation).await?;
    }
    Ok(())
}

/// 503: it is enforced here, and sent again until Redis has it.
fn answer(published: Result<(), PublishError>) -> Response {
    let status = if published.is_ok() {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let forget = "session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax";
    (status, [(SET_COOKIE, forget)]).into_response()
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    let health = app.revocations.health();
    let is_ready = app.revocations.mirror().is_fresh();
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "state": format!("{:?}", health.state).to_lowercase(),
        "age_seconds": health.age.map(|age| age.as_secs_f64()),
        "entries": health.entries,
        "queued": health.queued,
        "put_back": health.put_back,
        "unreadable": health.unreadable,
        "read_problem": health.read_problem.map(|problem| problem.to_string()),
        "write_problem": health.write_problem.map(|problem| problem.to_string()),
    });
    (status, Json(body)).into_response()
}

/// Waits for Ctrl-C or SIGTERM, which are listened for from the call on.
fn terminated() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

impl Args {
    /// `None` for `--help`.
    fn parse() -> Result<Option<Self>, Failure> {
        use lexopt::prelude::*;

        let mut args = Self {
            redis: "redis://127.0.0.1".into(),
            fleet: "session-demo".into(),
            max_age: Duration::from_secs(60),
            listen: "127.0.0.1:3000".into(),
            secret_file: None,
            issuer: "https://issuer.example".into(),
            audience: "session-demo".into(),
            logout_jwks: None,
            logout_client_id: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("redis") => args.redis = parser.value()?.string()?,
                Long("fleet") => args.fleet = parser.value()?.string()?,
                Long("max-revocation-age") => {
                    args.max_age = Duration::from_secs(parser.value()?.parse()?);
                }
                Long("listen") => args.listen = parser.value()?.string()?,
                Long("hs256-secret-file") => args.secret_file = Some(parser.value()?.string()?),
                Long("issuer") => args.issuer = parser.value()?.string()?,
                Long("audience") => args.audience = parser.value()?.string()?,
                Long("logout-jwks") => args.logout_jwks = Some(parser.value()?.string()?),
                Long("logout-client-id") => args.logout_client_id = Some(parser.value()?.string()?),
                Short('h') | Long("help") => return Ok(None),
                other => return Err(other.unexpected().into()),
            }
        }
        if args.logout_jwks.is_some() != args.logout_client_id.is_some() {
            return Err("--logout-jwks and --logout-client-id belong together".into());
        }
        Ok(Some(args))
    }

    fn key(&self) -> Result<SigningKey, Failure> {
        Ok(match &self.secret_file {
            Some(path) => {
                SigningKey::hs256(fs::read(path).map_err(|error| format!("{path}: {error}"))?)?
            }
            None => SigningKey::generate(Algorithm::HS256)?,
        })
    }

    fn logout_verifier(&self) -> Result<Option<LogoutVerifier>, Failure> {
        let (Some(path), Some(client_id)) = (&self.logout_jwks, &self.logout_client_id) else {
            return Ok(None);
        };
        let jwks = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        let verifier = LogoutVerifier::builder()
            .keys(KeySet::from_jwks_with_algorithms(
                jwks,
                &[Algorithm::RS256, Algorithm::ES256],
            )?)
            .issuer(&self.issuer)
            .client_id(client_id)
            .longest_session(LIFETIME)
            .build()?;
        Ok(Some(verifier))
    }
}
