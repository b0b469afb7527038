//! Whom the tokens are from and for, and the keys that the server is given.

use serde_json::{Value, json};

pub const ISSUER: &str = "https://id.example.com";
pub const AUDIENCE: &str = "orders";

/// Which keys there are: one that stays, and one for each swap, which is in force for three swaps.
#[derive(Clone, Debug)]
pub struct Keys {
    pub swaps: u64,
}

/// Nobody else's: the server is on loopback, and ends with this.
pub const STAYING: u64 = u64::MAX;

impl Keys {
    /// So many keys besides the one that stays.
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

    /// The swap that withdraws the newest of them.
    pub fn withdrawn_by(&self) -> u64 {
        self.swaps + Self::IN_FORCE
    }

    pub fn jwks(&self) -> Value {
        let in_force = self.swaps - Self::IN_FORCE + 1..=self.swaps;
        let keys: Vec<_> = in_force.chain([STAYING]).map(jwk).collect();
        json!({ "keys": keys })
    }
}

pub fn jwk(number: u64) -> Value {
    let secret = [number.to_be_bytes(); 4].concat();
    let k = base64_simd::URL_SAFE_NO_PAD.encode_to_string(secret);
    json!({ "kty": "oct", "alg": "HS256", "kid": format!("k{number}"), "k": k })
}
