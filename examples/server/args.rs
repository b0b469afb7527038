//! The command line, and the verifier that it describes.

use std::{fs, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tower_session_token::{
    Algorithm, ConfigError, Culture, KeySet, KeyStore, Limits, Revocation, RevocationList,
    SessionId, SessionIssuer, SessionVerifier, SigningKey, TokenSource, TokenType,
};

use crate::{Clock, Failure};

pub(crate) const HELP: &str = "\
A real HTTP server with the session layer in front.

  --listen ADDR             127.0.0.1:3000; port 0 picks one
  --hs256-secret-file FILE  raw bytes; also signs   | exactly one of these,
  --jwks FILE               a JWK Set               | or none: a key for this run
  --revoked-sessions FILE   sids, one a line; SIGHUP reads it, and the JWK Set, again
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

const DEMO_LIFETIME: Duration = Duration::from_secs(8 * 3600);

pub(crate) enum Keys {
    Hs256(Vec<u8>),
    /// The path of a file.
    Jwks(String),
}

/// A file with a JWK Set, and the keys in force.
pub(crate) struct Jwks {
    path: String,
    algorithms: Vec<Algorithm>,
    pub(crate) store: KeyStore,
}

impl Jwks {
    pub(crate) fn read(&self) -> Result<KeySet, Failure> {
        read_jwks(&self.path, &self.algorithms)
    }
}

/// A file with the ids of sessions, and the revocations that were read from it.
pub(crate) struct Revoked {
    path: String,
    issuer: String,
    pub(crate) list: RevocationList,
}

impl Revoked {
    pub(crate) fn read(&self) -> Result<(), Failure> {
        let text = fs::read_to_string(&self.path)?;
        for id in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            // For good: the file does not say when the last token of a session expires.
            let id = SessionId::from(id);
            self.list.revoke(&Revocation::session(
                &self.issuer,
                &id,
                DateTime::<Utc>::MAX_UTC,
            ));
        }
        Ok(())
    }
}

fn read_jwks(path: &str, algorithms: &[Algorithm]) -> Result<KeySet, Failure> {
    let keys = KeySet::from_jwks_with_algorithms(fs::read(path)?, algorithms)?;
    for skipped in keys.skipped() {
        eprintln!("--jwks: {skipped}");
    }
    Ok(keys)
}

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) listen: String,
    pub(crate) keys: Option<Keys>,
    jwks_algorithms: Vec<Algorithm>,
    /// The path of a file.
    revoked_sessions: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    any_issuer: bool,
    any_audience: bool,
    accepted: Vec<TokenType>,
    pub(crate) now: Option<DateTime<Utc>>,
    max_token_bytes: Option<usize>,
    leeway: Option<Duration>,
    max_lifetime: Option<Duration>,
    server: Option<String>,
    instance: Option<String>,
    supported_cultures: Vec<Culture>,
    default_culture: Option<Culture>,
    pub(crate) call_context: bool,
    pub(crate) sources: Vec<TokenSource>,
    pub(crate) problem_details: bool,
}

impl Args {
    /// `None` for `--help`.
    pub(crate) fn parse() -> Result<Option<Self>, Failure> {
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
                    Err(_) => Err("not UTF-8".into()),
                },
            };
            set.map_err(|error| about(&name, &error))?;
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
                let instant = DateTime::from_timestamp(value.parse()?, 0);
                self.now = Some(instant.ok_or("out of range")?);
            }
            "max-token-bytes" => self.max_token_bytes = Some(value.parse()?),
            "leeway" => self.leeway = Some(seconds(value)?),
            "max-lifetime" => self.max_lifetime = Some(seconds(value)?),
            "server" => self.server = Some(value),
            "instance" => self.instance = Some(value),
            "supported-culture" => self.supported_cultures.push(value.parse()?),
            "default-culture" => self.default_culture = Some(value.parse()?),
            "cookie" => self.sources.push(TokenSource::cookie(&value)?),
            "header" => self.sources.push(TokenSource::header(value.parse()?)),
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

    pub(crate) fn jwks(&self) -> Result<Option<Jwks>, Failure> {
        let Some(Keys::Jwks(path)) = &self.keys else {
            return Ok(None);
        };
        let keys = read_jwks(path, &self.jwks_algorithms).map_err(|error| about("jwks", &error))?;
        Ok(Some(Jwks {
            path: path.clone(),
            algorithms: self.jwks_algorithms.clone(),
            store: keys.into(),
        }))
    }

    pub(crate) fn revoked(&self) -> Result<Option<Revoked>, Failure> {
        let Some(path) = self.revoked_sessions.clone() else {
            return Ok(None);
        };
        if self.any_issuer {
            return Err("--revoked-sessions: is of one issuer, not of --any-issuer".into());
        }
        let issuer = self.issuer().to_owned();
        let list = RevocationList::new();
        let revoked = Revoked { path, issuer, list };
        revoked
            .read()
            .map_err(|error| about("revoked-sessions", &error))?;
        Ok(Some(revoked))
    }

    pub(crate) fn verifier(
        &self,
        clock: &Clock,
        jwks: Option<&Jwks>,
        revoked: Option<&Revoked>,
    ) -> Result<(SessionVerifier, Option<SessionIssuer>), Failure> {
        let mut builder = SessionVerifier::builder();
        if let Some(revoked) = revoked {
            builder = builder.revocation(revoked.list.clone());
        }
        let (builder, issuer) = match jwks {
            Some(jwks) => (builder.keys(jwks.store.clone()), None),
            None => {
                let signing = self.signing_key()?;
                let builder = builder.key(signing.verifying_key());
                let issuer = SessionIssuer::new(signing)
                    .issuer(self.issuer())
                    .audience(self.audience())
                    .lifetime(DEMO_LIFETIME);
                (builder, Some(issuer))
            }
        };
        let clock = Arc::clone(clock);
        let mut builder = builder.clock(move || clock());
        builder = match (self.any_issuer, &self.issuer) {
            (true, None) => builder.any_issuer(),
            (true, Some(_)) => return Err("--any-issuer: contradicts --issuer".into()),
            (false, _) => builder.issuer(self.issuer()),
        };
        builder = match (self.any_audience, &self.audience) {
            (true, None) => builder.any_audience(),
            (true, Some(_)) => return Err("--any-audience: contradicts --audience".into()),
            (false, _) => builder.audience(self.audience()),
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
        let verifier = builder.build().map_err(|error| {
            let argument = match error.option() {
                "limits" => "max-token-bytes".to_owned(),
                option => option.replace('_', "-"),
            };
            about(&argument, &error.into())
        })?;
        Ok((verifier, issuer))
    }

    fn issuer(&self) -> &str {
        self.issuer.as_deref().unwrap_or("https://issuer.example")
    }

    fn audience(&self) -> &str {
        self.audience.as_deref().unwrap_or("session-demo")
    }

    fn signing_key(&self) -> Result<SigningKey, Failure> {
        match &self.keys {
            Some(Keys::Hs256(secret)) => SigningKey::hs256(secret)
                .map_err(|error| about("hs256-secret-file", &error.into()).into()),
            _ => Ok(SigningKey::generate(Algorithm::HS256)?),
        }
    }
}

/// What is wrong with an argument, which is named in place of the library's option.
fn about(argument: &str, error: &Failure) -> String {
    let reason = error.downcast_ref().map(ConfigError::reason);
    format!(
        "--{argument}: {}",
        reason.map_or_else(|| error.to_string(), str::to_owned)
    )
}
