//! Signature algorithms.

use crate::serde_text::{named_enum, text_enum};

named_enum! {
    /// The signature algorithm of a key, fixed when the key is created (RFC 8725 §3.1).
    ///
    /// A token with another `alg` is rejected.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::Algorithm;
    ///
    /// assert_eq!("ES256".parse::<Algorithm>()?, Algorithm::ES256);
    /// assert!("none".parse::<Algorithm>().is_err());
    /// # Ok::<(), tower_session_token::ParseError>(())
    /// ```
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    #[non_exhaustive]
    pub enum Algorithm {
        /// HMAC with SHA-256 (RFC 7518 §3.2).
        HS256 = "HS256",
        /// HMAC with SHA-384.
        HS384 = "HS384",
        /// HMAC with SHA-512.
        HS512 = "HS512",
        /// ECDSA with P-256 and SHA-256 (RFC 7518 §3.4).
        ES256 = "ES256",
        /// ECDSA with P-384 and SHA-384.
        ES384 = "ES384",
        /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
        RS256 = "RS256",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        RS384 = "RS384",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        RS512 = "RS512",
        /// RSASSA-PSS with SHA-256 (RFC 7518 §3.5).
        PS256 = "PS256",
        /// RSASSA-PSS with SHA-384.
        PS384 = "PS384",
        /// RSASSA-PSS with SHA-512.
        PS512 = "PS512",
        /// EdDSA with Ed25519, by its older name (RFC 8037 §3.1).
        EdDSA = "EdDSA",
        /// EdDSA with Ed25519, by its newer name (RFC 9864 §2.2). A key has one of the two names.
        Ed25519 = "Ed25519",
    }
    /// The algorithm as `alg` spells it (RFC 7518 §3.1).
    as_str
}

/// The type of key that an algorithm takes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Family {
    Hmac,
    P256,
    P384,
    Rsa,
    Ed25519,
}

impl Family {
    /// The length of a coordinate and of a scalar of the curve, in bytes; `None` if it is not for
    /// ECDSA.
    pub(super) const fn coordinate_len(self) -> Option<usize> {
        match self {
            Self::P256 => Some(32),
            Self::P384 => Some(48),
            Self::Hmac | Self::Rsa | Self::Ed25519 => None,
        }
    }
}

impl Algorithm {
    /// Whether it verifies with a public key.
    #[cfg(feature = "remote_keys")]
    pub(crate) const fn is_public(self) -> bool {
        !matches!(self.family(), Family::Hmac)
    }

    pub(super) const fn family(self) -> Family {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => Family::Hmac,
            Self::ES256 => Family::P256,
            Self::ES384 => Family::P384,
            Self::RS256 | Self::RS384 | Self::RS512 => Family::Rsa,
            Self::PS256 | Self::PS384 | Self::PS512 => Family::Rsa,
            Self::EdDSA | Self::Ed25519 => Family::Ed25519,
        }
    }
}

text_enum!(Algorithm, "the supported algorithms");
