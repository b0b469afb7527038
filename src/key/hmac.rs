//! HMAC (RFC 2104) for the HS algorithms, with the key set up once.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Sha256, Sha384, Sha512};

use super::Algorithm;

/// A secret, prepared: cloning it and going on is cheaper than to set it up at each token.
#[derive(Clone)]
pub(super) enum HmacKey {
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl HmacKey {
    pub(super) fn new(algorithm: Algorithm, secret: &[u8]) -> Result<Self, &'static str> {
        let least = match algorithm {
            Algorithm::HS256 => 32,
            Algorithm::HS384 => 48,
            Algorithm::HS512 => 64,
            _ => return Err("no HMAC algorithm"),
        };
        if looks_like_public_key(secret) {
            return Err("the secret is the text of a key; a public key is no secret");
        }
        if secret.len() < least {
            return Err("the secret is shorter than the hash (RFC 7518 §3.2)");
        }
        const INVALID: &str = "the secret can not be used";
        Ok(match algorithm {
            Algorithm::HS256 => Self::Sha256(KeyInit::new_from_slice(secret).or(Err(INVALID))?),
            Algorithm::HS384 => Self::Sha384(KeyInit::new_from_slice(secret).or(Err(INVALID))?),
            _ => Self::Sha512(KeyInit::new_from_slice(secret).or(Err(INVALID))?),
        })
    }

    /// In constant time as far as the signature's content goes.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Sha256(key) => verify(key, message, signature),
            Self::Sha384(key) => verify(key, message, signature),
            Self::Sha512(key) => verify(key, message, signature),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256(key) => sign(key, message),
            Self::Sha384(key) => sign(key, message),
            Self::Sha512(key) => sign(key, message),
        }
    }
}

fn verify(key: &(impl Mac + Clone), message: &[u8], signature: &[u8]) -> bool {
    key.clone()
        .chain_update(message)
        .verify_slice(signature)
        .is_ok()
}

fn sign(key: &(impl Mac + Clone), message: &[u8]) -> Vec<u8> {
    let mac = key.clone().chain_update(message).finalize();
    mac.into_bytes().to_vec()
}

/// Whether a secret is text that holds a key: PEM, SSH or JWK. Who mistakes a public key for a
/// secret lets everybody sign (the attack that RFC 8725 §2.1 tells of).
fn looks_like_public_key(secret: &[u8]) -> bool {
    const MARKS: [&str; 8] = [
        "-----BEGIN ",
        "---- BEGIN ",
        "ssh-rsa AAAA",
        "ssh-dss AAAA",
        "ssh-ed25519 AAAA",
        "ecdsa-sha2-nistp256 AAAA",
        "ecdsa-sha2-nistp384 AAAA",
        "ecdsa-sha2-nistp521 AAAA",
    ];
    // UTF-16 and C strings have zeros between and behind the letters.
    let text: Vec<u8> = secret.iter().copied().filter(|byte| *byte != 0).collect();
    let text = String::from_utf8_lossy(&text);
    MARKS.iter().any(|mark| text.contains(mark)) || is_jwk(&text)
}

fn is_jwk(text: &str) -> bool {
    let has_key = |json: &Value| json.get("kty").is_some() || json.get("keys").is_some();
    match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(Value::Array(several)) => several.iter().any(has_key),
        Ok(json) => has_key(&json),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_enough_and_no_key() {
        let long = |text: &str| format!("{text}{}", "x".repeat(64)).into_bytes();
        for (algorithm, least) in [
            (Algorithm::HS256, 32),
            (Algorithm::HS384, 48),
            (Algorithm::HS512, 64),
        ] {
            assert!(HmacKey::new(algorithm, &vec![b'x'; least]).is_ok());
            assert!(HmacKey::new(algorithm, &vec![b'x'; least - 1]).is_err());
            assert!(HmacKey::new(algorithm, b"").is_err());
            for text in [
                "-----BEGIN PUBLIC KEY-----\n",
                "\n -----BEGIN RSA PUBLIC KEY-----",
                "---- BEGIN SSH2 PUBLIC KEY ----",
                "Bag Attributes\n-----BEGIN PUBLIC KEY-----",
                "\u{feff}-----BEGIN PUBLIC KEY-----",
                "-\0-\0-\0-\0-\0B\0E\0G\0I\0N\0 \0",
                "restrict ssh-rsa AAAA",
                "ssh-ed25519 AAAA",
                "ecdsa-sha2-nistp256 AAAA",
            ] {
                assert!(HmacKey::new(algorithm, &long(text)).is_err(), "{text}");
            }
            let jwk = format!(" {{\"kty\":\"RSA\",\"n\":\"{}\"}}", "x".repeat(64));
            assert!(HmacKey::new(algorithm, jwk.as_bytes()).is_err());
            for jwk in [
                format!("\u{feff}{jwk}"),
                format!("{jwk}\0"),
                format!("[{jwk}]"),
            ] {
                assert!(HmacKey::new(algorithm, jwk.as_bytes()).is_err(), "{jwk}");
            }
            let jwks = format!("{{\"keys\":[\"{}\"]}}", "x".repeat(64));
            assert!(HmacKey::new(algorithm, jwks.as_bytes()).is_err());
            assert!(HmacKey::new(algorithm, &long("{")).is_ok(), "it is no JSON");
        }
        assert!(HmacKey::new(Algorithm::ES256, &[0; 64]).is_err());
    }
}
