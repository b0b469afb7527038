//! Keys of aws-lc-rs.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{self, KeyPair as RsaKeyPair},
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
    der, ed25519,
    encoded_key::{INVALID, PrivateMaterial, PublicMaterial, UNFIT, without_zeros},
};

pub(in crate::key) struct PublicKey {
    parsed: ParsedPublicKey,
    is_ed25519: bool,
}

impl PublicKey {
    pub(in crate::key) fn new(
        algorithm: Algorithm,
        material: &PublicMaterial<'_>,
    ) -> Result<Self, &'static str> {
        material.check(algorithm)?;
        if let Some(parameters) = rsa_parameters(algorithm) {
            return Self::rsa(parameters, material);
        }
        let verification = verification(algorithm).ok_or(UNFIT)?;
        let bytes = match material {
            PublicMaterial::Spki(bytes)
            | PublicMaterial::Point(bytes)
            | PublicMaterial::Ed25519(bytes) => bytes,
            PublicMaterial::Pkcs1(_) | PublicMaterial::Rsa { .. } => return Err(UNFIT),
        };
        let parsed = ParsedPublicKey::new(verification, bytes).or(Err(INVALID))?;
        let is_ed25519 = algorithm.family() == Family::Ed25519;
        Ok(Self { parsed, is_ed25519 })
    }

    fn rsa(
        parameters: &'static RsaParameters,
        material: &PublicMaterial<'_>,
    ) -> Result<Self, &'static str> {
        let parsed;
        let (n, e) = match material {
            PublicMaterial::Rsa { n, e } => (*n, *e),
            PublicMaterial::Spki(der) | PublicMaterial::Pkcs1(der) => {
                parsed = rsa::PublicKey::from_der(der).or(Err(INVALID))?;
                der::rsa_public(parsed.as_ref()).ok_or(INVALID)?
            }
            _ => return Err(UNFIT),
        };
        let components = RsaPublicKeyComponents {
            n: without_zeros(n),
            e: without_zeros(e),
        };
        let parsed = components.to_parsed_public_key(parameters);
        Ok(Self {
            parsed: parsed.or(Err(INVALID))?,
            is_ed25519: false,
        })
    }

    pub(in crate::key) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        // AWS-LC takes an R of small order, which the other backend does not.
        if self.is_ed25519 && signature.first_chunk().is_none_or(ed25519::is_small_order) {
            return false;
        }
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

fn verification(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm.family() {
        Family::P256 => Some(&ECDSA_P256_SHA256_FIXED),
        Family::P384 => Some(&ECDSA_P384_SHA384_FIXED),
        Family::Ed25519 => Some(&ED25519),
        Family::Hmac | Family::RsaPkcs1 | Family::RsaPss => None,
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_SHA256),
        Algorithm::PS384 => Some(&RSA_PSS_SHA384),
        Algorithm::PS512 => Some(&RSA_PSS_SHA512),
        _ => None,
    }
}

/// A prepared private key; its zeroing is the backend's.
pub(in crate::key) enum PrivateKey {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl PrivateKey {
    pub(in crate::key) fn new(
        algorithm: Algorithm,
        material: &PrivateMaterial<'_>,
    ) -> Result<Self, &'static str> {
        material.check(algorithm)?;
        match algorithm.family() {
            Family::P256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING, material),
            Family::P384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING, material),
            Family::Ed25519 => ed25519(material),
            Family::RsaPkcs1 | Family::RsaPss => rsa_pair(algorithm, material),
            Family::Hmac => Err(UNFIT),
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

    /// The public key that belongs to this one.
    pub(in crate::key) fn public(&self, algorithm: Algorithm) -> Result<PublicKey, &'static str> {
        match self {
            Self::Ec(pair) => PublicKey::new(
                algorithm,
                &PublicMaterial::Point(pair.public_key().as_ref()),
            ),
            Self::Ed25519(pair) => PublicKey::new(
                algorithm,
                &PublicMaterial::Ed25519(pair.public_key().as_ref()),
            ),
            Self::Rsa(pair, _) => {
                let (n, e) = der::rsa_public(pair.public_key().as_ref()).ok_or(INVALID)?;
                PublicKey::new(algorithm, &PublicMaterial::Rsa { n, e })
            }
        }
    }
}

fn ec(
    algorithm: &'static EcdsaSigningAlgorithm,
    material: &PrivateMaterial<'_>,
) -> Result<PrivateKey, &'static str> {
    let pair = match material {
        PrivateMaterial::Pkcs8(der) | PrivateMaterial::Sec1(der) => {
            EcdsaKeyPair::from_private_key_der(algorithm, der)
        }
        PrivateMaterial::Ec { d, point } => {
            EcdsaKeyPair::from_private_key_and_public_key(algorithm, d, point)
        }
        _ => return Err(UNFIT),
    };
    pair.map(PrivateKey::Ec).or(Err(INVALID))
}

fn ed25519(material: &PrivateMaterial<'_>) -> Result<PrivateKey, &'static str> {
    let pair = match material {
        PrivateMaterial::Pkcs8(der) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der),
        PrivateMaterial::Ed25519 { seed, public } => {
            Ed25519KeyPair::from_seed_and_public_key(seed, public)
        }
        _ => return Err(UNFIT),
    };
    pair.map(PrivateKey::Ed25519).or(Err(INVALID))
}

fn rsa_pair(
    algorithm: Algorithm,
    material: &PrivateMaterial<'_>,
) -> Result<PrivateKey, &'static str> {
    let pair = match material {
        PrivateMaterial::Pkcs8(der) => RsaKeyPair::from_pkcs8(der),
        PrivateMaterial::Pkcs1(der) => RsaKeyPair::from_der(der),
        PrivateMaterial::Rsa(parts) => RsaKeyPair::from_components(&rsa::KeyPairComponents {
            public_key: RsaPublicKeyComponents {
                n: without_zeros(&parts.n),
                e: without_zeros(&parts.e),
            },
            d: &parts.d,
            p: &parts.p,
            q: &parts.q,
            dP: &parts.dp,
            dQ: &parts.dq,
            qInv: &parts.qi,
        }),
        _ => return Err(UNFIT),
    };
    let pair = pair.or(Err(INVALID))?;
    Ok(PrivateKey::Rsa(pair, rsa_encoding(algorithm).ok_or(UNFIT)?))
}
