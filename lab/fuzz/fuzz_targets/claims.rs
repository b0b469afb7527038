//! JOSE headers and claims, signed after they were mutated: accepted and rejected as the profile
//! says, for the same reason, and read into the same session.
//!
//! An input is one byte, which picks the configuration and the form of the rest: a header and a
//! payload with a line feed between, or changes to a token that is good.

#![no_main]

use std::cell::LazyCell;

use arbitrary::{Arbitrary, Unstructured};
use jsonwebtoken::{DecodingKey, Validation};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use tower_session_token::{
    AccessLevel, Limits, NestedTokenBuilder, Session, SessionIssuer, SessionVerifier, SigningKey,
    TokenType, User,
};
use tower_session_token_fuzz::{
    json::Document,
    reference::{self, Accepted},
    setup::{AUDIENCE, CONFIGS, Config, ISSUER, KIDS, NOW, SECRETS, now, secret_key, sign},
};

thread_local! {
    static VERIFIERS: LazyCell<[SessionVerifier; 4]> =
        const { LazyCell::new(|| CONFIGS.each_ref().map(Config::verifier)) };
    /// Accepts what is nested in the sessions of each of them.
    static NESTED: LazyCell<SessionVerifier> = const { LazyCell::new(nested_verifier) };
    static ISSUER_OF_NESTED: LazyCell<SessionIssuer> = const { LazyCell::new(issuer_of_nested) };
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let at = usize::from(choice & 3);
    if choice & 4 == 0 {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (header, payload) = rest.split_at(end.unwrap_or(rest.len()));
        judge(at, header, payload.get(1..).unwrap_or_default());
    } else if let Ok(changes) = Changes::arbitrary(&mut Unstructured::new(rest)) {
        let (header, payload) = changes.apply(&CONFIGS[at]);
        judge(at, header.as_bytes(), payload.as_bytes());
    }
});

fn nested_verifier() -> SessionVerifier {
    SessionVerifier::builder()
        .key(secret_key(0))
        .any_issuer()
        .any_audience()
        .accept_type(TokenType::NestedSession)
        .limits(Limits::default().with_token_bytes(1 << 20))
        .clock(now)
        .build()
        .expect("the configuration is sound")
}

fn issuer_of_nested() -> SessionIssuer {
    let key = SigningKey::hs256(&SECRETS[0]).expect("the secret is long enough");
    SessionIssuer::new(key)
}

fn judge(at: usize, header: &[u8], payload: &[u8]) {
    let config = &CONFIGS[at];
    check_reader(payload);
    let by_header = reference::judge_header(config, header);
    let key = by_header.as_ref().map_or(0, |(key, _)| *key);
    let token = sign(key, header, payload);
    let expected = match by_header {
        _ if token.len() > config.limits.token => Err(vec!["token_malformed"]),
        Ok((_, token_type)) => reference::judge_claims(config, token_type, payload),
        Err(rejection) => Err(rejection),
    };
    let got = VERIFIERS.with(|value| value[at].verify(token.as_bytes()));
    match (got, expected) {
        (Ok(session), Ok(expected)) => {
            expected.assert_is(&session);
            check_nested(&session, &expected);
            ask_jsonwebtoken(config, key, header, &token);
        }
        (Err(error), Err(codes)) => {
            assert!(codes.contains(&error.code()), "{error}, but {codes:?}");
        }
        (got, expected) => panic!("{got:?}, but {expected:?}"),
    }
}

/// Section 6: what is nested in the session inherits what it has to, and no more rights than that
/// has.
fn check_nested(session: &Session, expected: &Accepted) {
    let nested = || session.nested(User::new("zed")).issued_at(now());
    let is_made = |nested: NestedTokenBuilder| nested.build().is_ok();
    let token = nested().build();
    let (token, expected) = match (token, expected.nested("zed")) {
        (Ok(token), Some(expected)) => (token, expected),
        (Err(_), None) => return,
        (got, expected) => panic!("{got:?}, but {expected:?}"),
    };
    let is_administrator = session.user().is_administrator();
    let administrator = AccessLevel::Administrator;
    assert_eq!(
        is_made(nested().access_level(administrator)),
        is_administrator
    );
    assert!(is_made(nested().elevated(administrator)));
    assert!(!is_made(nested().scope("a-scope-of-nobody")));

    let text = ISSUER_OF_NESTED.with(|issuer| issuer.issue(&token));
    let text = text.expect("it is signed");
    match NESTED.with(|verifier| verifier.verify(text.as_bytes())) {
        Ok(session) => expected.with_ids(&session).assert_is(&session),
        Err(error) => assert!(!expected.is_live(60), "{error}"),
    }
}

/// The reference's reader takes for JSON what serde_json does.
fn check_reader(json: &[u8]) {
    const LEVELS: usize = 100;
    let document = Document::read(json, LEVELS);
    let by_serde = serde_json::from_slice::<Map<String, Value>>(json);
    match by_serde {
        Ok(_) => assert!(!document.is_broken || json.len() > LEVELS),
        Err(error) if error.to_string().starts_with("number out of range") => {}
        Err(_) => assert!(document.is_broken),
    }
}

/// What is accepted here is accepted there, where the rules are the same: it has other opinions
/// about further members of the header, and no clock but the system's.
fn ask_jsonwebtoken(config: &Config, key: usize, header: &[u8], token: &str) {
    let header = Document::read(header, config.limits.nesting);
    let mut names = header.members.iter().map(|(name, _)| &**name);
    if !names.all(|name| matches!(name, "alg" | "kid" | "typ")) {
        return;
    }
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    match config.audience {
        Some(audience) => validation.set_audience(&[audience]),
        None => validation.validate_aud = false,
    }
    if let Some(issuer) = config.issuer {
        validation.set_issuer(&[issuer]);
    }
    let key = DecodingKey::from_secret(&SECRETS[key]).expect("a secret");
    if let Err(error) = jsonwebtoken::decode::<Value>(token, &key, &validation) {
        panic!("accepted here, but there: {error}");
    }
}

/// Changes to a token that is good.
#[derive(Arbitrary, Debug)]
struct Changes {
    alg: u8,
    kid: u8,
    typ: u8,
    claims: Vec<Change>,
    spaced: bool,
}

#[derive(Arbitrary, Debug)]
enum Change {
    Remove(Name),
    Set(Name, Literal),
    /// Once more, at the end.
    Add(Name, Literal),
}

#[derive(Arbitrary, Debug)]
struct Name(u8);

const NAMES: [&str; 33] = [
    "iss",
    "aud",
    "sub",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sid",
    "client_id",
    "azp",
    "client_kind",
    "name",
    "preferred_username",
    "access_level",
    "locale",
    "ui_locale",
    "utc_offset",
    "zoneinfo",
    "server",
    "instance",
    "scope",
    "roles",
    "auth_time",
    "act",
    "cnf",
    "elevated",
    "x",
    "",
    // Nearly others.
    "instance_id",
    "zoneinfo_source",
    "sub\0",
    "locale_",
    "auth_times",
];

const WORDS: [&str; 42] = [
    ISSUER,
    AUDIENCE,
    "ann",
    "",
    "3f2b8a54-9d0c-4d5e-8f6a-7b1c2d3e4f50",
    "3F2B8A54-9D0C-4D5E-8F6A-7B1C2D3E4F50",
    "web-shop",
    "main",
    "default",
    "desktop",
    "web",
    "other",
    "Web",
    "regular",
    "administrator",
    "und",
    "en",
    "en-US",
    "en_US",
    "de-CH-1901",
    "zh-hans-cn",
    "zh-Hant-TW",
    "zh-cmn",
    "zh-guoyu",
    "sl-rozaj-biske",
    "de-1901-1901",
    "en-u-nu-thai-ca-gregory",
    "en-US-x-a-b",
    "en-",
    "Europe/Berlin",
    "America/New_York",
    "Europe/Nowhere",
    "Asia/Kolkata",
    "../etc/passwd",
    "UTC",
    "+05:30",
    "read write",
    " read  write ",
    "Иван",
    "\u{1f600}",
    "\"\\\n",
    "\0",
];

/// Where leeways and longest lifetimes end, in seconds from now.
const EDGES: [i64; 8] = [0, 60, -60, 300, -300, 3600, 7 * 86_400, -NOW];

/// A value, and how it is written.
#[derive(Arbitrary, Debug)]
enum Literal {
    Null,
    Bool(bool),
    Word(u8),
    /// With an escape for each character.
    Escaped(u8),
    Text(String),
    Long(char, u16),
    Integer(i64),
    Minutes(i16),
    /// So many seconds from now.
    Moment(i16),
    Hours(i16),
    /// One of [`EDGES`], or a second beside it.
    Edge(u8, i8),
    Fraction(i16, u32),
    /// So many seconds from now, and digits behind the point.
    Digits(i16, u64, u8),
    Exponent(i16, i16),
    Float(f64),
    Array(Vec<Literal>),
    /// So many words of so many letters.
    Words(u8, u16),
    Object(Vec<(Name, Literal)>),
    /// So many actors in each other.
    Actors(u8),
    /// So many arrays in each other.
    Deep(u8),
    /// What may be no JSON at all.
    Raw(String),
}

impl Name {
    fn text(&self) -> &'static str {
        NAMES[usize::from(self.0) % NAMES.len()]
    }
}

impl Changes {
    fn apply(&self, config: &Config) -> (String, String) {
        // Good ones are far more often.
        let pick = |choice: u8, odd: &[&'static str], good| {
            odd.get(usize::from(choice)).copied().unwrap_or(good)
        };
        let alg = pick(self.alg, &["HS384", "none", "hs256", ""], "HS256");
        let kid = match usize::from(self.kid) {
            0 => String::new(),
            1 => r#","kid":"other""#.to_owned(),
            2 => r#","kid":null"#.to_owned(),
            it => format!(r#","kid":"{}""#, KIDS[it % config.keys]),
        };
        let types = config.types;
        let typ = types[usize::from(self.typ) % types.len()];
        let spelled = match usize::from(self.typ) / types.len() {
            0 => r#","typ":"mistyped""#.to_owned(),
            1 => String::new(),
            2 => format!(r#","typ":"APPLICATION/{typ}""#),
            3 => r#","typ":"session+jwt""#.to_owned(),
            _ => format!(r#","typ":"{typ}""#),
        };
        let header = format!(r#"{{"alg":"{alg}"{kid}{spelled}}}"#);

        let mut claims = good_claims(typ);
        for change in &self.claims {
            match change {
                Change::Remove(name) => claims.retain(|(it, _)| *it != name.text()),
                Change::Set(name, value) => {
                    let place = claims.iter_mut().find(|(it, _)| *it == name.text());
                    match place {
                        Some((_, place)) => *place = value.json(),
                        None => claims.push((name.text(), value.json())),
                    }
                }
                Change::Add(name, value) => claims.push((name.text(), value.json())),
            }
        }
        let (comma, colon) = if self.spaced {
            (" ,\n\t", " : ")
        } else {
            (",", ":")
        };
        let members: Vec<_> = claims
            .iter()
            .map(|(name, value)| format!("\"{name}\"{colon}{value}"))
            .collect();
        (header, format!("{{{}}}", members.join(comma)))
    }
}

fn good_claims(typ: &str) -> Vec<(&'static str, String)> {
    let text = |it: &str| format!("\"{it}\"");
    let mut claims = vec![
        ("iss", text(ISSUER)),
        ("aud", text(AUDIENCE)),
        ("sub", text("ann")),
        ("exp", (NOW + 600).to_string()),
        ("iat", (NOW - 60).to_string()),
        ("jti", text("b6f2c7de-1a2b-4c3d-9e8f-0a1b2c3d4e5f")),
        ("sid", text("s")),
        ("client_id", text("web-shop")),
    ];
    if typ == "nested-session+jwt" {
        claims.push(("act", r#"{"sub":"bob"}"#.to_owned()));
    }
    claims
}

impl Literal {
    fn json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(it) => it.to_string(),
            Self::Word(at) => Value::from(word(*at)).to_string(),
            Self::Escaped(at) => {
                let escape = |text: String, unit| format!("{text}\\u{unit:04X}");
                let text = word(*at).encode_utf16().fold(String::new(), escape);
                format!("\"{text}\"")
            }
            Self::Text(text) => Value::from(&**text).to_string(),
            Self::Long(it, len) => {
                let text = it.to_string().repeat(usize::from(len % 5000));
                Value::from(text).to_string()
            }
            Self::Integer(it) => it.to_string(),
            Self::Minutes(it) => (it % 1000).to_string(),
            Self::Moment(seconds) => (NOW + i64::from(seconds % 400)).to_string(),
            Self::Hours(hours) => (NOW + i64::from(*hours) * 3600).to_string(),
            Self::Edge(at, beside) => {
                let edge = EDGES[usize::from(*at) % EDGES.len()];
                (NOW + edge + i64::from(beside % 2)).to_string()
            }
            Self::Fraction(seconds, part) => {
                format!("{}.{part}", NOW + i64::from(seconds % 400))
            }
            Self::Digits(seconds, part, digits) => {
                let digits = usize::from(digits % 12) + 1;
                format!("{}.{part:0digits$}", NOW + i64::from(seconds % 400))
            }
            Self::Exponent(number, exponent) => format!("{number}e{exponent}"),
            Self::Float(it) => format!("{it:?}"),
            Self::Array(items) => {
                let items: Vec<_> = items.iter().map(Self::json).collect();
                format!("[{}]", items.join(","))
            }
            Self::Words(count, len) => {
                let word = "w".repeat(usize::from(len % 300));
                let count = usize::from(count % 70);
                Value::from(vec![word; count]).to_string()
            }
            Self::Object(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("\"{}\":{}", name.text(), value.json()))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
            Self::Actors(count) => {
                let mut json = String::new();
                for at in 0..count % 8 {
                    let inner = if json.is_empty() {
                        json
                    } else {
                        format!(",\"act\":{json}")
                    };
                    let auth_time = NOW - i64::from(at);
                    json = format!(
                        r#"{{"sub":"user {at}","sid":"s","auth_time":{auth_time}{inner}}}"#
                    );
                }
                json
            }
            Self::Deep(levels) => {
                let levels = usize::from(levels % 64);
                format!("{}{}", "[".repeat(levels), "]".repeat(levels))
            }
            Self::Raw(text) => text.clone(),
        }
    }
}

fn word(at: u8) -> &'static str {
    WORDS[usize::from(at) % WORDS.len()]
}
