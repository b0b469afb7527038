//! Signs a session token with a private JWK or a secret, and prints it.
//!
//! ```text
//! cargo run --example mint_token -- --jwk private.jwk.json --subject ann \
//!     --issuer https://issuer.example --audience session-demo
//! ```
//!
//! `--help` lists its arguments.

use std::{error::Error, fs, process::ExitCode, time::Duration};

use chrono::FixedOffset;
use tower_session_token::{
    ClientTimeZone, ConfigError, Culture, SessionIssuer, SessionTokenBuilder, SigningKey, User,
};

const HELP: &str = "\
Signs a session token with a private JWK or a secret, and prints it.

  --jwk FILE                a JWK with `alg` and, where the service has several keys, `kid`;
  --hs256-secret-file FILE  or the raw bytes of a secret: one of the two
  --subject ID              the user
  --name NAME
  --issuer URL              https://issuer.example
  --audience NAME           session-demo; may be repeated
  --client-id ID            mint-token-example
  --client-kind KIND        desktop, web or other
  --culture TAG  --ui-culture TAG
  --utc-offset MINUTES      positive east of Greenwich
  --time-zone NAME
  --server CODE  --instance NAME
  --scope WORDS
  --role NAME               may be repeated
  --lifetime SECONDS        3600
";

fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<String, Box<dyn Error>> {
    use lexopt::prelude::{Long, ValueExt as _};

    let mut options = Vec::new();
    let mut words = lexopt::Parser::from_env();
    while let Some(word) = words.next()? {
        match word {
            Long("help") => return Ok(HELP.to_owned()),
            Long(name) => {
                let name = name.to_owned();
                options.push((name, words.value()?.string()?));
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let last = |wanted: &str| {
        let found = options.iter().rev().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };

    let key = match (last("jwk"), last("hs256-secret-file")) {
        (Some(file), None) => read_key("jwk", file, SigningKey::from_jwk)?,
        (None, Some(file)) => read_key("hs256-secret-file", file, SigningKey::hs256)?,
        (None, None) => return Err("--jwk or --hs256-secret-file: the key is missing".into()),
        (Some(_), Some(_)) => return Err("--hs256-secret-file: contradicts --jwk".into()),
    };
    let mut user = User::new(last("subject").ok_or("--subject: the user is missing")?);
    if let Some(name) = last("name") {
        user = user.with_name(name);
    }

    let mut issuer = SessionIssuer::new(key)
        .issuer(last("issuer").unwrap_or("https://issuer.example"))
        .lifetime(Duration::from_secs(3600));
    if last("audience").is_none() {
        issuer = issuer.audience("session-demo");
    }
    let mut token = issuer
        .token(user)
        .application_id(last("client-id").unwrap_or("mint-token-example"));
    for (name, value) in &options {
        token = set(token, name, value).map_err(|error| about(name, &*error))?;
    }
    Ok(issuer.issue(&token.build()?)?)
}

fn read_key(
    name: &str,
    file: &str,
    read: fn(Vec<u8>) -> Result<SigningKey, ConfigError>,
) -> Result<SigningKey, String> {
    let bytes = fs::read(file).map_err(|error| format!("--{name}: {error}"))?;
    read(bytes).map_err(|error| about(name, &error))
}

/// What is wrong with an argument, which is named in place of the library's option.
fn about(name: &str, error: &(dyn Error + 'static)) -> String {
    let reason = error.downcast_ref().map(ConfigError::reason);
    format!(
        "--{name}: {}",
        reason.map_or_else(|| error.to_string(), str::to_owned)
    )
}

fn set(
    token: SessionTokenBuilder,
    name: &str,
    value: &str,
) -> Result<SessionTokenBuilder, Box<dyn Error>> {
    Ok(match name {
        "jwk" | "hs256-secret-file" | "subject" | "name" | "issuer" | "client-id" => token,
        "audience" => token.audience(value),
        "client-kind" => token.client_kind(value.parse()?),
        "culture" => token.culture(value.parse::<Culture>()?),
        "ui-culture" => token.ui_culture(value.parse::<Culture>()?),
        "utc-offset" => {
            let seconds = value.parse::<i32>()?.checked_mul(60);
            let offset = seconds.and_then(FixedOffset::east_opt);
            token.utc_offset(offset.ok_or("not an offset")?)
        }
        "time-zone" => token.time_zone(value.parse::<ClientTimeZone>()?),
        "server" => token.server_code(value),
        "instance" => token.instance_name(value),
        "scope" => token.scope(value),
        "role" => token.roles([value]),
        "lifetime" => token.lifetime(Duration::from_secs(value.parse()?)),
        _ => return Err("there is no such option; --help lists them".into()),
    })
}
