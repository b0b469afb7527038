//! The command line, and the verifier that it describes.

use std::{fs, mem, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tower_session_token::{
    Algorithm, ClaimNames, ClaimPath, ConfigError, Culture, KeySet, KeyStore, Limits,
    ProtectedResource, Revocation, RevocationList, SessionId, SessionIssuer, SessionVerifier,
    SigningKey, TokenSource, TokenType,
};

use crate::{
    Clock, Failure,
    remote::{Providers, Remote},
};

pub(crate) const HELP: &str = "\
A real HTTP server with the session layer in front.

  --listen ADDR             127.0.0.1:3000; port 0 picks one
  --hs256-secret-file FILE  raw bytes; also signs   | exactly one of these or of a provider's,
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
  --claim NAME=POINTER      the claim at this JSON Pointer instead of the standard one; may be repeated; NAME is
                            user_id, application_id, audience, scope, roles, token_id, name or login
  --require-claim POINTER=TEXT  the claim has to have this text; may be repeated
  --resource URL            this server as a protected resource: its document is served, and challenges name it

With --features https also, for keys of a provider:

  --discover                keys of --issuer by its metadata, refreshed while the server runs
  --jwks-uri URL            keys from there, without metadata
  --also URL                one more issuer, discovered likewise; may be repeated; same audience, types and claims
  --root-certificate FILE   PEM, trusted besides the system's; may be repeated
  --allow-http              for providers without TLS that are not on loopback
  --refresh-interval SECONDS  instead of what the responses say
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

/// A file with the IDs of revoked sessions, and the revocations that were read from it.
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
    claim_names: ClaimNames,
    /// A URL.
    resource: Option<String>,
    remote: Remote,
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
                "discover" | "allow-http" => args.remote.set_flag(&name),
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
            "claim" => self.set_claim(&value)?,
            "require-claim" => {
                let (path, text) = value.split_once('=').ok_or("is not POINTER=TEXT")?;
                let path: ClaimPath = path.parse()?;
                self.claim_names = mem::take(&mut self.claim_names).require(path, text);
            }
            "resource" => self.resource = Some(value),
            _ => self.remote.set(name, value)?,
        }
        Ok(())
    }

    fn set_claim(&mut self, value: &str) -> Result<(), Failure> {
        let (name, path) = value.split_once('=').ok_or("is not NAME=POINTER")?;
        let path: ClaimPath = path.parse()?;
        let names = mem::take(&mut self.claim_names);
        self.claim_names = match name {
            "user_id" => names.user_id(path),
            "application_id" => names.application_id(path),
            "audience" => names.audience(path),
            "scope" => names.scope(path),
            "roles" => names.roles(path),
            "token_id" => names.token_id(path),
            "name" => names.name(path),
            "login" => names.login(path),
            _ => return Err(format!("{name:?} is not one of the names in --help").into()),
        };
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

    /// The keys that are read over HTTPS.
    pub(crate) fn providers(&self) -> Result<Providers, Failure> {
        if self.remote.has_place() && self.keys.is_some() {
            return Err("--discover, --jwks-uri: the keys are given already".into());
        }
        let issuer = self.issuer.as_deref();
        let started = self.remote.start(issuer, &self.jwks_algorithms);
        started.map_err(about_option)
    }

    /// What the server is as a protected resource.
    pub(crate) fn resource(&self) -> Result<Option<ProtectedResource>, Failure> {
        let Some(url) = &self.resource else {
            return Ok(None);
        };
        let mut resource = ProtectedResource::new(url).map_err(about_option)?;
        for issuer in self.trusted_issuer()?.into_iter().chain(self.also()) {
            resource = resource.authorization_server(issuer);
        }
        Ok(Some(resource))
    }

    /// A verifier of the tokens of each issuer, and what signs where there is a key for it.
    pub(crate) fn verifier(
        &self,
        clock: &Clock,
        jwks: Option<&Jwks>,
        revoked: Option<&Revoked>,
        providers: &Providers,
    ) -> Result<(SessionVerifier, Option<SessionIssuer>), Failure> {
        let given = jwks.map(|jwks| jwks.store.clone());
        let (keys, issuer) = match given.or_else(|| providers.own()) {
            Some(keys) => (keys, None),
            None => {
                let signing = self.signing_key()?;
                let keys = KeySet::new([signing.verifying_key()])?;
                let issuer = SessionIssuer::new(signing)
                    .issuer(self.issuer())
                    .audience(self.audience())
                    .lifetime(DEMO_LIFETIME);
                (keys.into(), Some(issuer))
            }
        };
        let verifier_of = |issuer, keys| self.verifier_of(issuer, keys, clock, revoked);
        let mut verifiers = vec![verifier_of(self.trusted_issuer()?, keys)?];
        for (issuer, keys) in providers.also() {
            verifiers.push(verifier_of(Some(issuer), keys)?);
        }
        let verifier = match <[_; 1]>::try_from(verifiers) {
            Ok([verifier]) => verifier,
            Err(verifiers) => SessionVerifier::of_issuers(verifiers).map_err(about_option)?,
        };
        Ok((verifier, issuer))
    }

    /// A verifier of the tokens of one issuer, or of any.
    fn verifier_of(
        &self,
        issuer: Option<&str>,
        keys: KeyStore,
        clock: &Clock,
        revoked: Option<&Revoked>,
    ) -> Result<SessionVerifier, Failure> {
        let clock = Arc::clone(clock);
        let mut builder = SessionVerifier::builder()
            .keys(keys)
            .clock(move || clock())
            .claim_names(self.claim_names.clone());
        if let Some(revoked) = revoked {
            builder = builder.revocation(revoked.list.clone());
        }
        builder = match issuer {
            None => builder.any_issuer(),
            Some(issuer) => builder.issuer(issuer),
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
        builder.build().map_err(about_option)
    }

    /// `None` for any.
    fn trusted_issuer(&self) -> Result<Option<&str>, Failure> {
        match (self.any_issuer, &self.issuer) {
            (true, None) => Ok(None),
            (true, Some(_)) => Err("--any-issuer: contradicts --issuer".into()),
            (false, _) => Ok(Some(self.issuer())),
        }
    }

    fn also(&self) -> impl Iterator<Item = &str> {
        self.remote.also().iter().map(String::as_str)
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

/// The same error, where it is of an option of the library with the name of its argument.
fn about_option(error: impl Into<Failure>) -> Failure {
    let error = error.into();
    let Some(option) = error.downcast_ref().map(ConfigError::option) else {
        return error;
    };
    let argument = match option {
        "at" => "jwks-uri".to_owned(),
        "limits" => "max-token-bytes".to_owned(),
        "of_issuers" => "also".to_owned(),
        "protected_resource" => "resource".to_owned(),
        "root_certificate_pem" => "root-certificate".to_owned(),
        option => option.replace('_', "-"),
    };
    about(&argument, &error).into()
}

/// What is wrong with an argument, which is named in place of the library's option.
fn about(argument: &str, error: &Failure) -> String {
    let reason = error.downcast_ref().map(ConfigError::reason);
    format!(
        "--{argument}: {}",
        reason.map_or_else(|| error.to_string(), str::to_owned)
    )
}
