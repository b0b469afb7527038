//! Keys of aws-lc-rs.

use aws_lc_rs::{
    rand::{self, SystemRandom},
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        self as lc, ECDSA_P256_SHA256_FIXED_SIGNING as ES256_SIGNING,
        ECDSA_P384_SHA384_FIXED_SIGNING as ES384_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair, ParsedPublicKey, RsaEncoding, VerificationAlgorithm,
    },
};

use crate::key::{Algorithm, ed25519};

/// The parameters by which an algorithm signs.
enum Signing {
    Ec(&'static EcdsaSigningAlgorithm),
    Ed25519,
    Rsa(&'static dyn RsaEncoding),
}

/// The parameters by which an algorithm verifies and signs; `None` for HMAC.
fn scheme(algorithm: Algorithm) -> Option<(&'static dyn VerificationAlgorithm, Signing)> {
    use Signing::{Ec, Ed25519, Rsa};

    Some(match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return None,
        Algorithm::ES256 => (&lc::ECDSA_P256_SHA256_FIXED, Ec(&ES256_SIGNING)),
        Algorithm::ES384 => (&lc::ECDSA_P384_SHA384_FIXED, Ec(&ES384_SIGNING)),
        Algorithm::RS256 => (&lc::RSA_PKCS1_2048_8192_SHA256, Rsa(&lc::RSA_PKCS1_SHA256)),
        Algorithm::RS384 => (&lc::RSA_PKCS1_2048_8192_SHA384, Rsa(&lc::RSA_PKCS1_SHA384)),
        Algorithm::RS512 => (&lc::RSA_PKCS1_2048_8192_SHA512, Rsa(&lc::RSA_PKCS1_SHA512)),
        Algorithm::PS256 => (&lc::RSA_PSS_2048_8192_SHA256, Rsa(&lc::RSA_PSS_SHA256)),
        Algorithm::PS384 => (&lc::RSA_PSS_2048_8192_SHA384, Rsa(&lc::RSA_PSS_SHA384)),
        Algorithm::PS512 => (&lc::RSA_PSS_2048_8192_SHA512, Rsa(&lc::RSA_PSS_SHA512)),
        Algorithm::EdDSA | Algorithm::Ed25519 => (&lc::ED25519, Ed25519),
    })
}

pub(in crate::key) struct PublicKey {
    parsed: ParsedPublicKey,
    is_ed25519: bool,
}

impl PublicKey {
    pub(in crate::key) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        let (verification, signing) = scheme(algorithm)?;
        Some(Self {
            parsed: ParsedPublicKey::new(verification, key).ok()?,
            is_ed25519: matches!(signing, Signing::Ed25519),
        })
    }

    pub(in crate::key) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        // Unlike the other backend, AWS-LC accepts an R of small order.
        if self.is_ed25519 && signature.first_chunk().is_none_or(ed25519::is_small_order) {
            return false;
        }
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

/// A prepared private key, which the backend zeroes on drop.
pub(in crate::key) enum PrivateKey {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl PrivateKey {
    pub(in crate::key) fn new(algorithm: Algorithm, der: &[u8]) -> Option<Self> {
        Some(match scheme(algorithm)?.1 {
            Signing::Ec(scheme) => Self::Ec(EcdsaKeyPair::from_private_key_der(scheme, der).ok()?),
            Signing::Ed25519 => {
                Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?)
            }
            Signing::Rsa(encoding) => Self::Rsa(RsaKeyPair::from_der(der).ok()?, encoding),
        })
    }

    pub(in crate::key) fn generate(algorithm: Algorithm) -> Option<Self> {
        Some(match scheme(algorithm)?.1 {
            Signing::Ec(scheme) => Self::Ec(EcdsaKeyPair::generate(scheme).ok()?),
            Signing::Ed25519 => Self::Ed25519(Ed25519KeyPair::generate().ok()?),
            Signing::Rsa(encoding) => {
                Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).ok()?, encoding)
            }
        })
    }

    pub(in crate::key) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair) => Some(pair.sign(&random, message).ok()?.as_ref().into()),
            Self::Ed25519(pair) => Some(pair.try_sign(message).ok()?.as_ref().into()),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(*encoding, &random, message, &mut signature);
                signed.ok().map(|()| signature)
            }
        }
    }

    /// The public key of this private key.
    pub(in crate::key) fn public(&self) -> Vec<u8> {
        match self {
            Self::Ec(pair) => pair.public_key().as_ref().into(),
            Self::Ed25519(pair) => pair.public_key().as_ref().into(),
            Self::Rsa(pair, _) => pair.public_key().as_ref().into(),
        }
    }
}

/// Fills `bytes` with random data of the system.
pub(in crate::key) fn fill_random(bytes: &mut [u8]) -> Option<()> {
    rand::fill(bytes).ok()
}
