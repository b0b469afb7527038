//! Keys of aws-lc-rs.

use aws_lc_rs::{
    rand::{self, SystemRandom},
    rsa::{KeyPair as RsaKeyPair, KeyPairComponents, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
        ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
        RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
        RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
    },
};

use crate::key::{
    Algorithm,
    algorithm::Family,
    ed25519,
    encoded_key::{EncodedPrivateKey, EncodedPublicKey, INVALID, UNFIT},
};

pub(in crate::key) struct PublicKey {
    parsed: ParsedPublicKey,
    is_ed25519: bool,
}

impl PublicKey {
    pub(in crate::key) fn new(
        algorithm: Algorithm,
        encoded: &EncodedPublicKey,
    ) -> Result<Self, &'static str> {
        let parse = |verification: &'static dyn VerificationAlgorithm, bytes: &[u8]| {
            ParsedPublicKey::new(verification, bytes).or(Err(INVALID))
        };
        let parsed = match (algorithm.family(), encoded) {
            (Family::P256, EncodedPublicKey::Ec(point)) => parse(&ECDSA_P256_SHA256_FIXED, point),
            (Family::P384, EncodedPublicKey::Ec(point)) => parse(&ECDSA_P384_SHA384_FIXED, point),
            (Family::Ed25519, EncodedPublicKey::Ed25519(point)) => parse(&ED25519, point),
            (_, EncodedPublicKey::Rsa { n, e }) => RsaPublicKeyComponents { n, e }
                .to_parsed_public_key(rsa_scheme(algorithm)?.0)
                .or(Err(INVALID)),
            _ => Err(UNFIT),
        };
        Ok(Self {
            parsed: parsed?,
            is_ed25519: algorithm.family() == Family::Ed25519,
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

/// The parameters by which an RSA algorithm verifies and signs.
fn rsa_scheme(
    algorithm: Algorithm,
) -> Result<(&'static RsaParameters, &'static dyn RsaEncoding), &'static str> {
    Ok(match algorithm {
        Algorithm::RS256 => (&RSA_PKCS1_2048_8192_SHA256, &RSA_PKCS1_SHA256),
        Algorithm::RS384 => (&RSA_PKCS1_2048_8192_SHA384, &RSA_PKCS1_SHA384),
        Algorithm::RS512 => (&RSA_PKCS1_2048_8192_SHA512, &RSA_PKCS1_SHA512),
        Algorithm::PS256 => (&RSA_PSS_2048_8192_SHA256, &RSA_PSS_SHA256),
        Algorithm::PS384 => (&RSA_PSS_2048_8192_SHA384, &RSA_PSS_SHA384),
        Algorithm::PS512 => (&RSA_PSS_2048_8192_SHA512, &RSA_PSS_SHA512),
        _ => return Err(UNFIT),
    })
}

fn ec_scheme(family: Family) -> Option<&'static EcdsaSigningAlgorithm> {
    match family {
        Family::P256 => Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Family::P384 => Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
        _ => None,
    }
}

/// A prepared private key, which the backend zeroes on drop.
pub(in crate::key) enum PrivateKey {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl PrivateKey {
    pub(in crate::key) fn new(
        algorithm: Algorithm,
        encoded: &EncodedPrivateKey<'_>,
    ) -> Result<Self, &'static str> {
        use EncodedPrivateKey as Encoded;

        let family = algorithm.family();
        if let Some(scheme) = ec_scheme(family) {
            let pair = match encoded {
                Encoded::Pkcs8(der) | Encoded::Sec1(der) => {
                    EcdsaKeyPair::from_private_key_der(scheme, der)
                }
                Encoded::Ec { d, point } => {
                    EcdsaKeyPair::from_private_key_and_public_key(scheme, d, point)
                }
                _ => return Err(UNFIT),
            };
            return pair.map(Self::Ec).or(Err(INVALID));
        }
        let pair = match encoded {
            Encoded::Rsa([n, e, d, p, q, dp, dq, qi]) => {
                let components = KeyPairComponents {
                    public_key: RsaPublicKeyComponents { n: *n, e: *e },
                    d,
                    p,
                    q,
                    dP: dp,
                    dQ: dq,
                    qInv: qi,
                };
                let (_, encoding) = rsa_scheme(algorithm)?;
                RsaKeyPair::from_components(&components).map(|pair| Self::Rsa(pair, encoding))
            }
            _ if family != Family::Ed25519 => return Err(UNFIT),
            Encoded::Pkcs8(der) => {
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self::Ed25519)
            }
            Encoded::Ed25519 { seed, public } => {
                Ed25519KeyPair::from_seed_and_public_key(seed, public).map(Self::Ed25519)
            }
            Encoded::Sec1(_) | Encoded::Ec { .. } => return Err(UNFIT),
        };
        pair.or(Err(INVALID))
    }

    pub(in crate::key) fn generate(algorithm: Algorithm) -> Option<Self> {
        if let Some(scheme) = ec_scheme(algorithm.family()) {
            EcdsaKeyPair::generate(scheme).map(Self::Ec).ok()
        } else if let Ok((_, encoding)) = rsa_scheme(algorithm) {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048);
            pair.map(|pair| Self::Rsa(pair, encoding)).ok()
        } else {
            Ed25519KeyPair::generate().map(Self::Ed25519).ok()
        }
    }

    pub(in crate::key) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Ed25519(pair) => Some(pair.try_sign(message).ok()?.as_ref().to_vec()),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)
                    .ok()?;
                Some(signature)
            }
        }
    }

    /// The public key of this private key.
    pub(in crate::key) fn public(&self, algorithm: Algorithm) -> Option<EncodedPublicKey> {
        let bits = match self {
            Self::Ec(pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::Rsa(pair, _) => pair.public_key().as_ref(),
        };
        EncodedPublicKey::from_bits(algorithm, bits).ok()
    }
}

/// Fills `bytes` with random data of the system.
pub(in crate::key) fn fill_random(bytes: &mut [u8]) -> Option<()> {
    rand::fill(bytes).ok()
}
