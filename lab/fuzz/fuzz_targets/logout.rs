//! Logout tokens, signed after they were mutated: accepted where OpenID Connect Back-Channel Logout 1.0
//! says so, each revocation is of what the token names, and a token that is sent again revokes the same.
//!
//! An input is one byte, which picks the configuration and the form of the rest: a header and a
//! payload with a line feed between, or changes to a payload that is good.

#![no_main]

use std::{cell::LazyCell, time::Duration};

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_session_token::{KeySet, LogoutVerifier, Revocation};
use tower_session_token_fuzz::{
    json::{Document, Json, has_twice},
    reference,
    setup::{CONFIGS, Config, ISSUER, NOW, now, secret_key, sign},
};

const CLIENT: &str = "orders";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const HEADER: &str = r#"{"alg":"HS256","kid":"v-hs256","typ":"logout+jwt"}"#;
const LONGEST: u64 = 8 * 3600;
const LEVELS: usize = 32;
const CLAIM_BYTES: usize = 256;

/// One that has each of the builder's options.
struct Service {
    verifier: LogoutVerifier,
    types: Config,
    revokes_all_sessions: bool,
    accepts_missing_exp: bool,
}

thread_local! {
    static SERVICES: LazyCell<Vec<Service>> =
        const { LazyCell::new(|| (0..4).map(service).collect()) };
}

fn service(number: u8) -> Service {
    let [revokes_all_sessions, is_lenient] = [number & 1 != 0, number & 2 != 0];
    let keys = KeySet::new([secret_key(0)]).expect("the key is sound");
    let mut builder = LogoutVerifier::builder()
        .keys(keys)
        .issuer(ISSUER)
        .client_id(CLIENT)
        .longest_session(Duration::from_secs(LONGEST))
        .clock(now);
    if revokes_all_sessions {
        builder = builder.all_sessions();
    }
    if is_lenient {
        builder = builder.accept_missing_exp().accept_untyped();
    }
    let [types, ..] = CONFIGS;
    Service {
        verifier: builder.build().expect("the configuration is sound"),
        types: Config {
            types: if is_lenient {
                &["logout+jwt", "JWT"]
            } else {
                &["logout+jwt"]
            },
            ..types
        },
        revokes_all_sessions,
        accepts_missing_exp: is_lenient,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let at = usize::from(choice & 3);
    SERVICES.with(|services| {
        let service = &services[at];
        if choice & 4 == 0 {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (header, payload) = rest.split_at(end.unwrap_or(rest.len()));
            service.judge(header, payload.get(1..).unwrap_or_default());
        } else if let Ok(changes) = Vec::<Change>::arbitrary(&mut Unstructured::new(rest)) {
            service.judge(HEADER.as_bytes(), payload(&changes).as_bytes());
        }
    });
});

/// A member that gets another value, or none.
#[derive(Arbitrary, Debug)]
struct Change {
    name: u8,
    value: Changed,
}

#[derive(Arbitrary, Debug)]
enum Changed {
    Absent,
    Listed(u8),
    Text(String),
    Instant(i16, u8),
}

const NAMES: [&str; 10] = [
    "iss", "aud", "iat", "exp", "jti", "sub", "sid", "events", "nonce", "other",
];
const VALUES: [&str; 14] = [
    "null",
    "true",
    "\"\"",
    "\"ann\"",
    "[]",
    "{}",
    "0",
    "-1",
    "1e999",
    "253402300799",
    "253402300800",
    r#"["other","orders"]"#,
    r#"{"http://schemas.openid.net/event/backchannel-logout":{},"x":{}}"#,
    r#"{"http://schemas.openid.net/event/backchannel-logout":[]}"#,
];

fn payload(changes: &[Change]) -> String {
    let mut members = vec![
        ("iss", format!("{ISSUER:?}")),
        ("aud", format!("{CLIENT:?}")),
        ("iat", (NOW - 5).to_string()),
        ("exp", (NOW + 120).to_string()),
        ("jti", "\"bWJq\"".to_owned()),
        ("sub", "\"ann\"".to_owned()),
        ("sid", "\"08a5019c\"".to_owned()),
        ("events", format!("{{{EVENT:?}:{{}}}}")),
    ];
    for Change { name, value } in changes {
        let name = NAMES[usize::from(*name) % NAMES.len()];
        members.retain(|(other, _)| *other != name);
        let value = match value {
            Changed::Absent => continue,
            Changed::Listed(at) => VALUES[usize::from(*at) % VALUES.len()].to_owned(),
            Changed::Text(text) => Value::from(&**text).to_string(),
            Changed::Instant(seconds, 0) => (NOW + i64::from(*seconds)).to_string(),
            Changed::Instant(seconds, part) => format!("{}.{part}", NOW + i64::from(*seconds)),
        };
        members.push((name, value));
    }
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("{name:?}:{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

impl Service {
    fn judge(&self, header: &[u8], payload: &[u8]) {
        let token = sign(0, header, payload);
        let verdict = self.verifier.verify(&token);
        assert_eq!(verdict, self.verifier.verify(&token));
        let is_right_header = reference::judge_header(&self.types, header).is_ok();
        if token.len() > self.types.limits.token {
            assert!(verdict.is_err());
            return;
        }
        let claims = Document::read(payload, LEVELS);
        let expected = self.read(&claims).filter(|_| is_right_header);
        if expected.as_ref().is_some_and(|claims| claims.is_on_edge) {
            return;
        }
        match (&verdict, expected) {
            (Ok(revocations), Some(claims)) => self.compare(revocations, &claims),
            (Err(_), None) => {}
            (_, expected) => panic!("{verdict:?} instead of {}", expected.is_some()),
        }
        let mut changed = token.into_bytes();
        if let Some(last) = changed.iter_mut().rev().nth(5) {
            *last = if *last == b'A' { b'B' } else { b'A' };
            assert!(self.verifier.verify(changed).is_err());
        }
    }

    /// What the standard says, in the plainest way; `None` for a token that it rejects.
    fn read(&self, claims: &Document) -> Option<Claims> {
        let huge = claims.members.iter().any(|(_, it)| it.has_huge_number());
        if claims.is_broken || claims.has_twice() || huge || claims.get("nonce").is_some() {
            return None;
        }
        let text = |name| match claims.get(name) {
            None => Some(None),
            Some(value) => Some(Some(short_text(value)?.to_owned())),
        };
        let (sub, sid) = (text("sub")?, text("sid")?);
        text("jti")??;
        let names_somebody = sub.is_some() || sid.is_some();
        let is_ours = text("iss")??.as_str() == ISSUER && names_somebody;
        let is_for_us = match claims.get("aud")? {
            Json::Array(items) => {
                let names: Option<Vec<_>> = items.iter().map(short_text).collect();
                names?.contains(&CLIENT)
            }
            name => short_text(name)? == CLIENT,
        };
        let Json::Object(events) = claims.get("events")? else {
            return None;
        };
        let mut values = events.iter().map(|(_, value)| value);
        let are_events = values.all(|value| matches!(value, Json::Object(_)));
        let has_event = events.iter().any(|(name, _)| name == EVENT);
        if !is_ours || !is_for_us || !are_events || !has_event || has_twice(events) {
            return None;
        }
        let (iat, iat_is_rough) = instant(claims.get("iat")?)?;
        let (end, end_is_rough) = match claims.get("exp") {
            Some(exp) => instant(exp).map(|(exp, is_rough)| (exp + 60.0, is_rough))?,
            None if self.accepts_missing_exp => (iat + 120.0, iat_is_rough),
            None => return None,
        };
        let now = NOW as f64;
        let is_near = |one: f64, other: f64| (one - other).abs() < 1e-3;
        let is_on_edge = iat_is_rough && (is_near(now + 60.0, iat) || is_near(iat, iat.round()))
            || end_is_rough && is_near(end, now);
        let is_timely = iat <= now + 60.0 && now < end;
        (is_timely || is_on_edge).then_some(Claims {
            sub,
            sid,
            iat,
            is_on_edge,
        })
    }

    fn compare(&self, revocations: &[Revocation], claims: &Claims) {
        let texts = revocations.iter().map(ToString::to_string);
        let mut found = texts.map(|text| serde_json::from_str::<Value>(&text).expect("it is JSON"));
        let mut next = |kind: &str, id: &str| {
            let found = found.next().expect("a revocation is missing");
            assert_eq!(found["kind"], kind);
            assert_eq!(found["iss"], ISSUER);
            assert_eq!(found["id"], id);
            let until = found["until"].as_f64().expect("it is a number");
            let wanted = (claims.iat + LONGEST as f64) * 1000.0;
            assert!((until - wanted).abs() <= 1.0, "{until} is not {wanted}");
            if kind == "user_before" {
                let before = found["before"].as_f64().expect("it is a number");
                assert_eq!(before, (claims.iat.floor() + 1.0) * 1000.0);
            }
        };
        if let Some(sid) = &claims.sid {
            next("session", sid);
        }
        if let Some(sub) = &claims.sub
            && (claims.sid.is_none() || self.revokes_all_sessions)
        {
            next("user_before", sub);
        }
        assert_eq!(found.next(), None);
    }
}

struct Claims {
    sub: Option<String>,
    sid: Option<String>,
    iat: f64,
    /// An instant is so near to a limit that its rounding decides.
    is_on_edge: bool,
}

fn short_text(value: &Json) -> Option<&str> {
    let text = value.text()?;
    (1..=CLAIM_BYTES).contains(&text.len()).then_some(text)
}

/// Seconds since 1970, and whether they may be rounded.
fn instant(value: &Json) -> Option<(f64, bool)> {
    let Json::Number(text) = value else {
        return None;
    };
    let seconds: f64 = text.parse().ok()?;
    let is_rough = text.bytes().any(|byte| !byte.is_ascii_digit());
    (0.0..=253_402_300_799.0)
        .contains(&seconds)
        .then_some((seconds, is_rough))
}
