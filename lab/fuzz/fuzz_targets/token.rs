//! Bytes as a token: what is accepted is canonical base64url and accepted by the reference, a
//! changed byte is rejected, and the same token gets the same answer each time.
//!
//! An input is one byte, which picks the service and the form of the rest: a token, or parts to
//! make one of.

#![no_main]

use std::cell::LazyCell;

use arbitrary::{Arbitrary, Unstructured};
use jsonwebtoken::{DecodingKey, Validation, jwk::Jwk};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_session_token::{Algorithm, Session, SessionErrorKind, SessionVerifier, TokenType};
use tower_session_token_fuzz::{
    reference,
    setup::{AUDIENCE, CONFIGS, Config, ISSUER, NOW, base64, hs256, now, public_key},
};

thread_local! {
    static SERVICES: LazyCell<Vec<Service>> = const { LazyCell::new(services) };
}

/// One that is asked for tokens.
struct Service {
    verifier: SessionVerifier,
    opinion: Opinion,
}

/// What an accepted token is held against.
enum Opinion {
    Reference(&'static Config),
    /// The crate jsonwebtoken, for signatures that the reference cannot check.
    Other(DecodingKey, Box<Validation>),
}

fn services() -> Vec<Service> {
    let by_secret = CONFIGS.iter().map(|config| Service {
        verifier: config.verifier(),
        opinion: Opinion::Reference(config),
    });
    let by_public_key = [
        ("v-rsa", Algorithm::RS256),
        ("v-rsa", Algorithm::PS256),
        ("v-p256", Algorithm::ES256),
        ("v-ed", Algorithm::EdDSA),
    ]
    .map(|(kid, algorithm)| {
        let (jwk, keys) = public_key(kid, algorithm);
        let verifier = SessionVerifier::builder()
            .keys(keys)
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .accept_type(TokenType::Jwt)
            .clock(now)
            .build();
        let jwk: Jwk = serde_json::from_value(jwk).expect("it is a JWK");
        let algorithm = algorithm.as_str().parse().expect("both know it");
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.validate_exp = false;
        Service {
            verifier: verifier.expect("the configuration is sound"),
            opinion: Opinion::Other(
                DecodingKey::from_jwk(&jwk).expect("the key can be used"),
                Box::new(validation),
            ),
        }
    });
    by_secret.chain(by_public_key).collect()
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let at = usize::from(choice & 7);
    SERVICES.with(|services| {
        let service = &services[at];
        if choice & 8 == 0 {
            judge(service, rest);
        } else if let Ok(parts) = Parts::arbitrary(&mut Unstructured::new(rest)) {
            judge(service, &parts.token());
        }
    });
});

fn judge(service: &Service, token: &[u8]) {
    let verifier = &service.verifier;
    let answer = verifier.verify(token);
    // The second time it is kept, and the third time found, if it is accepted.
    for _ in 0..2 {
        assert_eq!(summary(&verifier.verify(token)), summary(&answer));
    }
    match &service.opinion {
        Opinion::Reference(config) => match (&answer, reference::judge_token(config, token)) {
            (Ok(session), Ok(expected)) => expected.assert_is(session),
            (Err(error), Err(codes)) => {
                assert!(codes.contains(&error.code()), "{error}, but {codes:?}");
            }
            (got, expected) => panic!("{got:?}, but {expected:?}"),
        },
        Opinion::Other(key, validation) => {
            if answer.is_ok() {
                assert!(reference::parts(token).is_some(), "it is not canonical");
                jsonwebtoken::decode::<Value>(token, key, validation).expect("accepted there too");
            }
        }
    }
    if answer.is_ok() {
        check_changes(verifier, token);
    }
}

/// All of a session that was signed, or the rejection.
fn summary(
    answer: &Result<Session, tower_session_token::SessionError>,
) -> Result<(String, Value), SessionErrorKind> {
    match answer {
        Ok(session) => {
            let token = session.token().expect("it was read from a token");
            let claims = token.claims().expect("claims are an object");
            let client = format!("{} {:?}", session.id(), session.client_context());
            Ok((client, claims))
        }
        Err(error) => Err(error.kind()),
    }
}

/// One byte changed, taken away or put in, at places that depend on the token.
fn check_changes(verifier: &SessionVerifier, token: &[u8]) {
    let sum = token.iter().fold(7_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    for step in 0..4 {
        let at = (sum / (step + 1)) % token.len();
        let mut changed = token.to_vec();
        changed[at] ^= 1 << (sum % 8);
        assert!(verifier.verify(&changed).is_err(), "byte {at} is changed");
        let mut shorter = token.to_vec();
        shorter.remove(at);
        assert!(verifier.verify(&shorter).is_err(), "byte {at} is gone");
        let mut longer = token.to_vec();
        longer.insert(at, b"A.=-"[step]);
        assert!(verifier.verify(&longer).is_err(), "one is put in at {at}");
    }
}

/// What a token is made of.
#[derive(Arbitrary, Debug)]
struct Parts<'a> {
    header: Header<'a>,
    payload: Payload<'a>,
    signature: Signature<'a>,
    flaw: Flaw,
    flawed: u8,
    /// After all.
    tail: &'a [u8],
}

#[derive(Arbitrary, Debug)]
enum Header<'a> {
    Session,
    SecondKey,
    Plain,
    Json(&'a [u8]),
    Text(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Payload<'a> {
    Good,
    Json(&'a [u8]),
    Text(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Signature<'a> {
    Good,
    Second,
    Cut(u8),
    Bytes(&'a [u8]),
    Text(&'a [u8]),
}

/// What base64url may not have (RFC 7515 §2), in one of the parts.
#[derive(Arbitrary, Debug)]
enum Flaw {
    None,
    Padding,
    Space,
    LineFeed,
    StandardAlphabet,
    LeftOverBits,
    Dot,
}

impl Parts<'_> {
    fn token(&self) -> Vec<u8> {
        let header = match self.header {
            Header::Session => base64(br#"{"alg":"HS256","typ":"session+jwt"}"#).into_bytes(),
            Header::SecondKey => {
                base64(br#"{"alg":"HS256","typ":"JWT","kid":"v-hs256-b"}"#).into_bytes()
            }
            Header::Plain => base64(br#"{"alg":"HS256"}"#).into_bytes(),
            Header::Json(json) => base64(json).into_bytes(),
            Header::Text(text) => text.to_vec(),
        };
        let payload = match self.payload {
            Payload::Good => {
                let claims = serde_json::json!({
                    "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": NOW + 600, "iat": NOW,
                    "jti": "t", "sid": "s", "client_id": "c", "act": { "sub": "bob" },
                });
                let mut claims = claims;
                if matches!(self.header, Header::Session) {
                    claims["act"].take();
                    claims.as_object_mut().map(|value| value.remove("act"));
                }
                base64(claims.to_string().as_bytes()).into_bytes()
            }
            Payload::Json(json) => base64(json).into_bytes(),
            Payload::Text(text) => text.to_vec(),
        };
        let flawed = self.flawed % 3;
        let [header, payload] = [(0, header), (1, payload)].map(|(at, part)| {
            if at == flawed {
                self.flaw.put(part)
            } else {
                part
            }
        });
        let input = [&header[..], b".", &payload].concat();
        let signed = |at| base64(&hs256(at, &input)).into_bytes();
        let mut signature = match self.signature {
            Signature::Good => signed(0),
            Signature::Second => signed(1),
            Signature::Cut(len) => signed(0)[..usize::from(len % 44)].to_vec(),
            Signature::Bytes(bytes) => base64(bytes).into_bytes(),
            Signature::Text(text) => text.to_vec(),
        };
        if flawed == 2 {
            signature = self.flaw.put(signature);
        }
        [&input[..], b".", &signature, self.tail].concat()
    }
}

impl Flaw {
    fn put(&self, mut part: Vec<u8>) -> Vec<u8> {
        let middle = part.len() / 2;
        match self {
            Self::None => {}
            Self::Padding => part.push(b'='),
            Self::Space => part.insert(middle, b' '),
            Self::LineFeed => part.push(b'\n'),
            Self::StandardAlphabet => part.iter_mut().for_each(|value| match value {
                b'-' => *value = b'+',
                b'_' => *value = b'/',
                _ => {}
            }),
            // The next letter of the alphabet, mostly.
            Self::LeftOverBits => {
                if let Some(last) = part.last_mut() {
                    *last = last.wrapping_add(1);
                }
            }
            Self::Dot => part.insert(middle, b'.'),
        }
        part
    }
}
