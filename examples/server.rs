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

use std::{error::Error, fs, future::Future, process::ExitCode, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::{DateTime, FixedOffset, Locale, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, signal};
use tower_session_token::{
    AccessLevel, Actor, Algorithm, ApplicationId, CallHeaders, ClientKind, Culture, KeySet,
    KeyStore, Limits, Refusal, RequireAccessLevel, RequireClientKind, RevocationList, Session,
    SessionContext, SessionId, SessionIssuer, SessionLayer, SessionToken, SessionVerifier,
    SigningKey, TokenErrorKind, TokenSource, TokenType, User,
};

const HELP: &str = "\
A real HTTP server with the session layer in front.

  --listen ADDR             127.0.0.1:3000; port 0 picks one
  --hs256-secret-file FILE  raw bytes; also signs   | exactly one of these,
  --jwks FILE               a JWK Set               | or none: a key for this run
                            SIGHUP has it read again, and its keys replace those in force
  --revoked-sessions FILE   ids, one a line; SIGHUP has it read again: those in it are revoked too
  --jwks-algorithm ALG      for keys of the set that name none, by kty; may be repeated
  --issuer URL              https://issuer.example
  --audience NAME           session-demo
  --any-issuer  --any-audience
  --accept-type TYPE        session+jwt, nested-session+jwt, at+jwt, JWT; may be repeated;
                            the first use replaces the default, session+jwt
  --now UNIX                a fixed clock, to try old tokens
  --max-token-bytes N
  --leeway SECONDS
  --max-lifetime SECONDS
  --server CODE
  --instance NAME
  --supported-culture TAG   may be repeated
  --default-culture TAG
  --call-context            turns the Client-* headers and Accept-Language on
  --cookie NAME             |
  --header NAME             | further token sources
  --websocket-prefix PREFIX |
  --problem-details
";

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
    let jwks = args.jwks().map_err(|error| format!("--jwks: {error}"))?;
    let (verifier, issuer) = args.verifier(&clock, jwks.as_ref())?;
    let revoked = args.revoked()?;
    let mut layer = SessionLayer::new(verifier);
    if let Some(revoked) = &revoked {
        layer = layer.revocation(revoked.list.clone());
    }
    if jwks.is_some() || revoked.is_some() {
        tokio::spawn(reload(jwks, revoked)?);
    }
    for source in args.sources {
        layer = layer.token_source(source);
    }
    if args.call_context {
        layer = layer.client_context(CallHeaders::all());
    }

    let listener = TcpListener::bind(&args.listen)
        .await
        .map_err(|error| format!("--listen: {error}"))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    if args.keys.is_none()
        && let Some(issuer) = &issuer
    {
        let token = issuer.issue(&demo_token(args.issuer, args.audience, clock())?)?;
        println!("\n  curl -H 'Authorization: Bearer {token}' http://{address}/session\n");
    }

    let state = Arc::new(App { clock, issuer });
    let desktop = RequireClientKind::new(ClientKind::Desktop);
    let web = RequireClientKind::new(ClientKind::Web);
    let admin = RequireAccessLevel::new(AccessLevel::Administrator);
    let app = match args.problem_details {
        true => routes(
            state,
            layer.problem_details(),
            (desktop.problem_details(), web.problem_details()),
            admin.problem_details(),
        ),
        false => routes(state, layer, (desktop, web), admin),
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(stopped())
        .await?;
    Ok(())
}

/// Ctrl-C or SIGTERM.
async fn stopped() {
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())
        .expect("SIGTERM can be listened for");
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// At each SIGHUP reads the files again. If none of the key set can be used, the keys in force stay.
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
                match read_jwks(&jwks.path, &jwks.algorithms) {
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
}

const ROUTES: &str = "GET /session  GET /optional  GET /desktop  GET /web  GET /admin  \
                      POST /nested  GET /time  GET /healthz\n";

fn routes<R>(
    app: Arc<App>,
    layer: SessionLayer<R>,
    (desktop, web): (RequireClientKind<R>, RequireClientKind<R>),
    admin: RequireAccessLevel<R>,
) -> Router
where
    R: Refusal<Body> + Send + Sync + 'static,
{
    let required = Router::new()
        .route("/session", get(session))
        .route("/desktop", get(session).layer(desktop))
        .route("/web", get(session).layer(web))
        .route("/admin", get(session).layer(admin))
        .route("/nested", post(nested))
        .route("/time", get(time))
        .layer(layer.clone());
    let optional = Router::new()
        .route("/optional", get(optional))
        .layer(layer.optional());
    Router::new()
        .route("/", get(|| async { ROUTES }))
        .route("/healthz", get(|| async { "ok\n" }))
        .merge(required)
        .merge(optional)
        .with_state(app)
}

async fn session(session: Session) -> Json<Value> {
    Json(describe(&session))
}

async fn optional(session: Option<Session>) -> Json<Value> {
    Json(json!({ "session": session.as_ref().map(describe) }))
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
        .map_or(Ok(AccessLevel::Regular), |it| it.parse());
    let mut user = User::new(request.sub);
    if let Some(name) = request.name {
        user = user.with_name(name);
    }
    Some((user, level.ok()?))
}

async fn nested(State(app): State<Arc<App>>, outer: Session, body: Bytes) -> Response {
    let Some((user, access_level)) = nested_request(&body) else {
        return (StatusCode::BAD_REQUEST, "the body is no nested request\n").into_response();
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
    match signed.transpose() {
        Ok(signed) => {
            let ambient = SessionContext::scope(token, async { SessionContext::current() }).await;
            Json(json!({
                "session": ambient.as_ref().map(describe),
                "outer": describe(&outer),
                "token": signed,
            }))
            .into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn time(State(app): State<Arc<App>>, session: Session) -> Json<Value> {
    let now = (app.clock)();
    let client = session.to_client_time(now);
    Json(json!({
        "utc": instant(now),
        "client": client.to_rfc3339(),
        "zone": session.client_time_zone().map(|zone| zone.to_string()),
        "text": client.format_localized("%c", locale(session.client_culture())).to_string(),
    }))
}

/// The formats of the nearest culture that chrono knows.
fn locale(culture: &Culture) -> Locale {
    std::iter::once(culture.clone())
        .chain(culture.parents())
        .find_map(|it| {
            let region = it
                .region()
                .map(str::to_owned)
                .or_else(|| usual_region(it.language()));
            Locale::try_from(format!("{}_{}", it.language(), region?).as_str()).ok()
        })
        .unwrap_or(Locale::POSIX)
}

/// POSIX has no locale without a region.
fn usual_region(language: &str) -> Option<String> {
    match language {
        "en" => Some("US".to_owned()),
        "zh" => Some("CN".to_owned()),
        "ja" => Some("JP".to_owned()),
        "uk" => Some("UA".to_owned()),
        "und" => None,
        language => Some(language.to_ascii_uppercase()),
    }
}

fn describe(session: &Session) -> Value {
    let context = session.client_context();
    let user = session.user();
    json!({
        "id": session.id(),
        "type": session.session_type().as_str(),
        "application_id": session.application_id(),
        "client_kind": session.client_kind().as_str(),
        "is_desktop_client": session.is_desktop_client(),
        "is_web_client": session.is_web_client(),
        "is_not_web_or_desktop_client": session.is_not_web_or_desktop_client(),
        "user": {
            "id": user.id(),
            "name": user.name(),
            "login": user.login(),
            "access_level": user.access_level().as_str(),
        },
        "client_culture": {
            "value": context.culture().as_str(),
            "source": context.culture_source().as_str(),
        },
        "client_ui_culture": {
            "value": context.ui_culture().as_str(),
            "source": context.ui_culture_source().as_str(),
        },
        "client_utc_offset": {
            "value": offset(context.utc_offset()),
            "source": context.utc_offset_source().as_str(),
        },
        "client_time_zone": {
            "value": context.time_zone().map(|zone| zone.to_string()),
            "source": context.time_zone_source().map(|source| source.as_str()),
        },
        "server_code": session.server_code(),
        "instance_name": session.instance_name(),
        "actor": session.actor().map(describe_actor),
        "token": session.token().map(|token| json!({
            "id": token.id(),
            "issuer": token.issuer(),
            "audience": token.audience().collect::<Vec<_>>(),
            "issued_at": token.issued_at().map(instant),
            "expires_at": instant(token.expires_at()),
            "type": token.token_type().as_str(),
        })),
    })
}

fn describe_actor(actor: &Actor) -> Value {
    json!({
        "sub": actor.user_id(),
        "sid": actor.session_id(),
        "client_id": actor.application_id(),
        "actor": actor.actor().map(describe_actor),
    })
}

fn instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn offset(offset: FixedOffset) -> String {
    offset.to_string()
}

fn demo_token(
    issuer: Option<String>,
    audience: Option<String>,
    now: DateTime<Utc>,
) -> Result<SessionToken, Failure> {
    let token = SessionToken::builder(User::new("ann").with_name("Ann Example"))
        .issuer(issuer.unwrap_or_else(|| DEFAULT_ISSUER.to_owned()))
        .audience(audience.unwrap_or_else(|| DEFAULT_AUDIENCE.to_owned()))
        .application_id(ApplicationId::from("server-example"))
        .client_kind(ClientKind::Web)
        .culture(&"ru-RU".parse()?)
        .ui_culture(&"en-US".parse()?)
        .utc_offset(FixedOffset::east_opt(3 * 3600).ok_or("an offset")?)
        .server_code("main")
        .instance_name("default")
        .issued_at(now)
        .lifetime(Duration::from_secs(8 * 3600))
        .build()?;
    Ok(token)
}

const DEFAULT_ISSUER: &str = "https://issuer.example";
const DEFAULT_AUDIENCE: &str = "session-demo";

enum Keys {
    Hs256(Vec<u8>),
    /// The path of a file.
    Jwks(String),
}

/// A file with a JWK Set, and the keys in force.
struct Jwks {
    path: String,
    algorithms: Vec<Algorithm>,
    store: KeyStore,
}

/// A file with the ids of sessions, and what was in it so far.
struct Revoked {
    path: String,
    issuer: String,
    list: RevocationList,
}

impl Revoked {
    fn read(&self) -> Result<(), Failure> {
        let text = fs::read_to_string(&self.path)?;
        for id in text.lines().map(str::trim).filter(|it| !it.is_empty()) {
            // For good: the file does not say when the last token of a session expires.
            let id = SessionId::from(id);
            self.list
                .revoke_session(&self.issuer, &id, DateTime::<Utc>::MAX_UTC);
        }
        Ok(())
    }
}

fn read_jwks(path: &str, algorithms: &[Algorithm]) -> Result<KeySet, Failure> {
    let keys = KeySet::from_jwks_with_algorithms(fs::read(path)?, algorithms)?;
    for left_out in keys.left_out() {
        eprintln!("--jwks: {left_out}");
    }
    Ok(keys)
}

#[derive(Default)]
struct Args {
    listen: String,
    keys: Option<Keys>,
    jwks_algorithms: Vec<Algorithm>,
    /// The path of a file.
    revoked_sessions: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    any_issuer: bool,
    any_audience: bool,
    accepted: Vec<TokenType>,
    now: Option<DateTime<Utc>>,
    max_token_bytes: Option<usize>,
    leeway: Option<Duration>,
    max_lifetime: Option<Duration>,
    server: Option<String>,
    instance: Option<String>,
    supported_cultures: Vec<Culture>,
    default_culture: Option<Culture>,
    call_context: bool,
    sources: Vec<TokenSource>,
    problem_details: bool,
}

impl Args {
    /// `None` for `--help`.
    fn parse() -> Result<Option<Self>, Failure> {
        use lexopt::prelude::{Long, Short};

        let mut args = Self {
            listen: "127.0.0.1:3000".to_owned(),
            ..Self::default()
        };
        let mut words = lexopt::Parser::from_env();
        while let Some(word) = words.next()? {
            let Long(name) = word else {
                match word {
                    Short('h') => return Ok(None),
                    other => return Err(other.unexpected().into()),
                }
            };
            let name = name.to_owned();
            let set = match name.as_str() {
                "help" => return Ok(None),
                "any-issuer" | "any-audience" | "call-context" | "problem-details" => {
                    args.set_flag(&name);
                    Ok(())
                }
                _ => match words.value()?.into_string() {
                    Ok(value) => args.set(&name, value),
                    Err(_) => Err("no UTF-8".into()),
                },
            };
            set.map_err(|error| format!("--{name}: {error}"))?;
        }
        Ok(Some(args))
    }

    fn set_flag(&mut self, name: &str) {
        match name {
            "any-issuer" => self.any_issuer = true,
            "any-audience" => self.any_audience = true,
            "call-context" => self.call_context = true,
            _ => self.problem_details = true,
        }
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), Failure> {
        let seconds = |value: String| value.parse().map(Duration::from_secs);
        match name {
            "listen" => self.listen = value,
            "hs256-secret-file" => self.set_keys(Keys::Hs256(fs::read(value)?))?,
            "jwks" => self.set_keys(Keys::Jwks(value))?,
            "jwks-algorithm" => self.jwks_algorithms.push(value.parse()?),
            "revoked-sessions" => self.revoked_sessions = Some(value),
            "issuer" => self.issuer = Some(value),
            "audience" => self.audience = Some(value),
            "accept-type" => self.accepted.push(value.parse()?),
            "now" => {
                let moment = DateTime::from_timestamp(value.parse()?, 0);
                self.now = Some(moment.ok_or("no moment")?);
            }
            "max-token-bytes" => self.max_token_bytes = Some(value.parse()?),
            "leeway" => self.leeway = Some(seconds(value)?),
            "max-lifetime" => self.max_lifetime = Some(seconds(value)?),
            "server" => self.server = Some(value),
            "instance" => self.instance = Some(value),
            "supported-culture" => self.supported_cultures.push(value.parse()?),
            "default-culture" => self.default_culture = Some(value.parse()?),
            "cookie" => self.sources.push(TokenSource::cookie(&value)?),
            "header" => self.sources.push(TokenSource::header(&value)?),
            "websocket-prefix" => self.sources.push(TokenSource::websocket_protocol(&value)?),
            _ => return Err("there is no such option; --help lists them".into()),
        }
        Ok(())
    }

    fn set_keys(&mut self, keys: Keys) -> Result<(), Failure> {
        match self.keys.replace(keys) {
            None => Ok(()),
            Some(_) => {
                Err("the keys are given already: one --hs256-secret-file or one --jwks".into())
            }
        }
    }

    fn jwks(&self) -> Result<Option<Jwks>, Failure> {
        let Some(Keys::Jwks(path)) = &self.keys else {
            return Ok(None);
        };
        let keys = read_jwks(path, &self.jwks_algorithms)?;
        Ok(Some(Jwks {
            path: path.clone(),
            algorithms: self.jwks_algorithms.clone(),
            store: keys.into(),
        }))
    }

    fn revoked(&self) -> Result<Option<Revoked>, Failure> {
        let Some(path) = self.revoked_sessions.clone() else {
            return Ok(None);
        };
        if self.any_issuer {
            return Err("--revoked-sessions: is of one issuer, not of --any-issuer".into());
        }
        let issuer = self.issuer.as_deref().unwrap_or(DEFAULT_ISSUER).to_owned();
        let list = RevocationList::new();
        let revoked = Revoked { path, issuer, list };
        revoked
            .read()
            .map_err(|error| format!("--revoked-sessions: {error}"))?;
        Ok(Some(revoked))
    }

    fn verifier(
        &self,
        clock: &Clock,
        jwks: Option<&Jwks>,
    ) -> Result<(SessionVerifier, Option<SessionIssuer>), Failure> {
        let builder = SessionVerifier::builder();
        let (builder, issuer) = match jwks {
            Some(jwks) => (builder.key_store(jwks.store.clone()), None),
            None => {
                let signing = self.signing_key()?;
                let builder = builder.key(signing.verifying_key());
                (builder, Some(SessionIssuer::new(signing)))
            }
        };
        let clock = Arc::clone(clock);
        let mut builder = builder.clock(move || clock());
        builder = match (self.any_issuer, &self.issuer) {
            (true, None) => builder.any_issuer(),
            (true, Some(_)) => return Err("--any-issuer: contradicts --issuer".into()),
            (false, issuer) => builder.issuer(issuer.as_deref().unwrap_or(DEFAULT_ISSUER)),
        };
        builder = match (self.any_audience, &self.audience) {
            (true, None) => builder.any_audience(),
            (true, Some(_)) => return Err("--any-audience: contradicts --audience".into()),
            (false, audience) => builder.audience(audience.as_deref().unwrap_or(DEFAULT_AUDIENCE)),
        };
        for token_type in &self.accepted {
            builder = builder.accept_type(*token_type);
        }
        if let Some(bytes) = self.max_token_bytes {
            builder = builder.limits(Limits::default().with_token_bytes(bytes));
        }
        if let Some(leeway) = self.leeway {
            builder = builder.leeway(leeway);
        }
        if let Some(max_lifetime) = self.max_lifetime {
            builder = builder.max_lifetime(max_lifetime);
        }
        if let Some(code) = &self.server {
            builder = builder.server_code(code);
        }
        if let Some(name) = &self.instance {
            builder = builder.instance_name(name);
        }
        for culture in &self.supported_cultures {
            builder = builder.supported_culture(culture.clone());
        }
        if let Some(culture) = &self.default_culture {
            builder = builder.default_culture(culture.clone());
        }
        let verifier = builder
            .build()
            .map_err(|error| format!("--{}", error.to_string().replacen('_', "-", 1)))?;
        Ok((verifier, issuer))
    }

    fn signing_key(&self) -> Result<SigningKey, Failure> {
        match &self.keys {
            Some(Keys::Hs256(secret)) => SigningKey::hs256(secret)
                .map_err(|error| format!("--hs256-secret-file: {error}").into()),
            _ => Ok(SigningKey::hs256(random_secret())?),
        }
    }
}

fn random_secret() -> [u8; 32] {
    let mut secret = [0; 32];
    for half in secret.chunks_mut(16) {
        half.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    }
    secret
}
