//! Keys, services and signing. The keys and the moment are those of `tests/vectors`.

use std::{sync::LazyLock, time::Duration};

use base64_simd::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tower_session_token::{
    Algorithm, KeySet, Limits, SessionVerifier, SessionVerifierBuilder, VerifyingKey,
};

/// 2025-06-15T15:06:40Z.
pub const NOW: i64 = 1_750_000_000;
pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "session-api";

/// The ids of the two secrets.
pub const KIDS: [&str; 2] = ["v-hs256", "v-hs256-b"];

static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    let json = include_str!("../../../tests/vectors/jws-visible.json");
    serde_json::from_str(json).expect("the vectors are JSON")
});

/// The secrets of [`KIDS`].
pub static SECRETS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    KIDS.map(|kid| {
        let secret = VECTORS["keys"][kid]["k"].as_str();
        let secret = secret.and_then(|value| URL_SAFE_NO_PAD.decode_to_vec(value).ok());
        secret.expect("the vectors have these secrets")
    })
});

/// One public key of the vectors, for one algorithm.
pub fn public_key(kid: &str, algorithm: Algorithm) -> (Value, KeySet) {
    let mut jwk = VECTORS["keys"][kid].clone();
    jwk["alg"] = algorithm.as_str().into();
    let set = serde_json::json!({ "keys": [jwk] }).to_string();
    let set = KeySet::from_jwks(set).expect("the key of the vectors can be used");
    (jwk, set)
}

pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).expect("the moment exists")
}

/// How a service is configured, for the crate and for the reference alike.
#[derive(Debug)]
pub struct Config {
    /// How many of the secrets it has.
    pub keys: usize,
    /// Spelled as in the profile. (No `typ` is `JWT`.)
    pub types: &'static [&'static str],
    /// `None`: any issuer.
    pub issuer: Option<&'static str>,
    /// `None`: any audience.
    pub audience: Option<&'static str>,
    pub server: Option<&'static str>,
    pub instance: Option<&'static str>,
    /// Seconds.
    pub leeway: u64,
    /// Seconds; `None`: as the type of the token says.
    pub max_lifetime: Option<u64>,
    pub web_application: Option<&'static str>,
    pub supported: &'static [&'static str],
    pub default_culture: &'static str,
    pub limits: Bounds,
}

/// Section 1 of the profile.
#[derive(Debug)]
pub struct Bounds {
    pub token: usize,
    pub header: usize,
    pub nesting: usize,
    pub claim: usize,
    pub locale: usize,
    pub scope: usize,
    pub actors: usize,
}

const PROFILE: Bounds = Bounds {
    token: 8192,
    header: 4096,
    nesting: 32,
    claim: 256,
    locale: 64,
    scope: 4096,
    actors: 4,
};

pub const CONFIGS: [Config; 4] = [
    // As much by default as can be.
    Config {
        keys: 1,
        types: &["session+jwt"],
        issuer: Some(ISSUER),
        audience: Some(AUDIENCE),
        server: None,
        instance: None,
        leeway: 60,
        max_lifetime: None,
        web_application: None,
        supported: &[],
        default_culture: "und",
        limits: PROFILE,
    },
    // All that can be compared is.
    Config {
        keys: 2,
        types: &["session+jwt", "nested-session+jwt", "at+jwt", "JWT"],
        issuer: Some(ISSUER),
        audience: Some(AUDIENCE),
        server: Some("main"),
        instance: Some("default"),
        leeway: 0,
        max_lifetime: None,
        web_application: Some("web-shop"),
        supported: &["de", "de-CH", "en", "ru-RU", "zh-Hant"],
        default_culture: "ja",
        limits: PROFILE,
    },
    // What others mint, from anybody.
    Config {
        keys: 1,
        types: &["at+jwt", "JWT"],
        issuer: None,
        audience: None,
        server: Some("main"),
        instance: None,
        leeway: 300,
        max_lifetime: Some(3600),
        web_application: Some("web-shop"),
        supported: &["en", "fr"],
        default_culture: "en",
        limits: PROFILE,
    },
    // Limits that are easily reached.
    Config {
        keys: 1,
        types: &["nested-session+jwt", "JWT"],
        issuer: Some(ISSUER),
        audience: None,
        server: None,
        instance: Some("default"),
        leeway: 60,
        max_lifetime: Some(u64::MAX),
        web_application: None,
        supported: &[],
        default_culture: "fr",
        limits: Bounds {
            token: 1000,
            header: 100,
            nesting: 5,
            claim: 40,
            locale: 8,
            scope: 12,
            actors: 2,
        },
    },
];

impl Config {
    pub fn builder(&self) -> SessionVerifierBuilder {
        let limits = Limits::default()
            .with_token_bytes(self.limits.token)
            .with_header_bytes(self.limits.header)
            .with_nesting(self.limits.nesting)
            .with_claim_bytes(self.limits.claim)
            .with_locale_bytes(self.limits.locale)
            .with_scope_bytes(self.limits.scope)
            .with_actors(self.limits.actors);
        let mut builder = SessionVerifier::builder()
            .leeway(Duration::from_secs(self.leeway))
            .default_culture(self.default_culture)
            .limits(limits)
            .clock(now);
        for at in 0..self.keys {
            builder = builder.key(secret_key(at));
        }
        for token_type in self.types {
            builder = builder.accept_type(token_type.parse().expect("it is a type"));
        }
        builder = match self.issuer {
            Some(issuer) => builder.issuer(issuer),
            None => builder.any_issuer(),
        };
        builder = match self.audience {
            Some(audience) => builder.audience(audience),
            None => builder.any_audience(),
        };
        if let Some(server) = self.server {
            builder = builder.server_code(server);
        }
        if let Some(instance) = self.instance {
            builder = builder.instance_name(instance);
        }
        if let Some(seconds) = self.max_lifetime {
            builder = builder.max_lifetime(Duration::from_secs(seconds));
        }
        if let Some(id) = self.web_application {
            builder = builder.application_kind(id, tower_session_token::ClientKind::Web);
        }
        for tag in self.supported {
            builder = builder.supported_culture(*tag);
        }
        builder
    }

    pub fn verifier(&self) -> SessionVerifier {
        self.builder().build().expect("the configuration is sound")
    }
}

/// The key of one of the secrets.
pub fn secret_key(at: usize) -> VerifyingKey {
    let key = VerifyingKey::hs256(&SECRETS[at]).expect("the secret is long enough");
    key.with_id(KIDS[at])
}

pub fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Signs whatever it is given with one of the secrets.
pub fn sign(at: usize, header: &[u8], payload: &[u8]) -> String {
    let input = format!("{}.{}", base64(header), base64(payload));
    let signature = base64(&hs256(at, input.as_bytes()));
    format!("{input}.{signature}")
}

/// HMAC with SHA-256 by one of the secrets.
pub fn hs256(at: usize, input: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&SECRETS[at]).expect("any length will do");
    mac.update(input);
    mac.finalize().into_bytes().to_vec()
}
