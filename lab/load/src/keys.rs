//! Issuer, audience and signing keys of the tokens.

use serde_json::{Value, json};

pub const ISSUER: &str = "https://id.example.com";
pub const AUDIENCE: &str = "orders";

/// The key set after a number of swaps: a permanent key, and the key of each of the last three swaps.
#[derive(Clone, Debug)]
pub struct Keys {
    pub swaps: u64,
}

/// Number of the permanent key.
pub const PERMANENT: u64 = u64::MAX;

impl Keys {
    /// How many keys are in force beside the permanent one.
    pub const IN_FORCE: u64 = 3;

    pub fn new() -> Self {
        Self {
            swaps: Self::IN_FORCE,
        }
    }

    pub fn next(&self) -> Self {
        Self {
            swaps: self.swaps + 1,
        }
    }

    /// The swap that withdraws the newest key.
    pub fn withdrawn_by(&self) -> u64 {
        self.swaps + Self::IN_FORCE
    }

    pub fn jwks(&self) -> Value {
        let in_force = self.swaps - Self::IN_FORCE + 1..=self.swaps;
        let keys: Vec<_> = in_force.chain([PERMANENT]).map(jwk).collect();
        json!({ "keys": keys })
    }
}

pub fn jwk(number: u64) -> Value {
    let secret = [number.to_be_bytes(); 4].concat();
    let k = base64_simd::URL_SAFE_NO_PAD.encode_to_string(secret);
    json!({ "kty": "oct", "alg": "HS256", "kid": format!("k{number}"), "k": k })
}
