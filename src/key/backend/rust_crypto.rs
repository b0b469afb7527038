//! Keys of the RustCrypto crates, in pure Rust.

use ed25519_dalek::{SigningKey as Ed25519Signing, VerifyingKey as Ed25519Verifying};
use p256::ecdsa::{
    signature::{Signer, Verifier},
    {Signature as P256Signature, SigningKey as P256Signing, VerifyingKey as P256Verifying},
};
use p384::ecdsa::{
    Signature as P384Signature, SigningKey as P384Signing, VerifyingKey as P384Verifying,
};
use rsa::{
    BigUint, Pkcs1v15Sign, Pss, RsaPrivateKey, RsaPublicKey, pkcs1,
    pkcs8::{PrivateKeyInfo, SubjectPublicKeyInfoRef},
    sha2::{Digest, Sha256, Sha384, Sha512},
    traits::{PrivateKeyParts, PublicKeyParts},
};

use crate::key::{
    Algorithm,
    algorithm::Family,
    encoded_key::{INVALID, PrivateMaterial, PublicMaterial, UNFIT},
};

pub(in crate::key) enum PublicKey {
    P256(P256Verifying),
    P384(P384Verifying),
    Ed25519(Ed25519Verifying),
    Rsa(RsaPublicKey, RsaScheme),
}

impl PublicKey {
    pub(in crate::key) fn new(
        algorithm: Algorithm,
        material: &PublicMaterial<'_>,
    ) -> Result<Self, &'static str> {
        use PublicMaterial as Material;

        material.check(algorithm)?;
        match (algorithm.family(), material) {
            (Family::P256, Material::Point(point)) => P256Verifying::from_sec1_bytes(point)
                .map(Self::P256)
                .or(Err(INVALID)),
            (Family::P256, Material::Spki(der)) => {
                let key = p256::pkcs8::DecodePublicKey::from_public_key_der(der);
                key.map(Self::P256).or(Err(INVALID))
            }
            (Family::P384, Material::Point(point)) => P384Verifying::from_sec1_bytes(point)
                .map(Self::P384)
                .or(Err(INVALID)),
            (Family::P384, Material::Spki(der)) => {
                let key = p384::pkcs8::DecodePublicKey::from_public_key_der(der);
                key.map(Self::P384).or(Err(INVALID))
            }
            (Family::Ed25519, Material::Ed25519(bytes)) => Ed25519Verifying::try_from(*bytes)
                .map(Self::Ed25519)
                .or(Err(INVALID)),
            (Family::Ed25519, Material::Spki(der)) => {
                let key = ed25519_dalek::pkcs8::DecodePublicKey::from_public_key_der(der);
                key.map(Self::Ed25519).or(Err(INVALID))
            }
            (Family::RsaPkcs1 | Family::RsaPss, Material::Rsa { n, e }) => {
                Ok(Self::Rsa(rsa_public(n, e)?, RsaScheme::new(algorithm)?))
            }
            (Family::RsaPkcs1 | Family::RsaPss, Material::Spki(der)) => {
                let info = SubjectPublicKeyInfoRef::try_from(*der).or(Err(INVALID))?;
                Self::rsa(algorithm, info.subject_public_key.raw_bytes())
            }
            (_, Material::Pkcs1(der)) => Self::rsa(algorithm, der),
            _ => Err(UNFIT),
        }
    }

    fn rsa(algorithm: Algorithm, pkcs1: &[u8]) -> Result<Self, &'static str> {
        let key = pkcs1::RsaPublicKey::try_from(pkcs1).or(Err(INVALID))?;
        let (n, e) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
        Ok(Self::Rsa(rsa_public(n, e)?, RsaScheme::new(algorithm)?))
    }

    pub(in crate::key) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => P256Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::P384(key) => P384Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::Rsa(key, scheme) => scheme.verify(key, message, signature),
        }
    }
}

fn rsa_public(n: &[u8], e: &[u8]) -> Result<RsaPublicKey, &'static str> {
    let (n, e) = (BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
    RsaPublicKey::new_with_max_size(n, e, 8192).or(Err(INVALID))
}

/// Padding and hash of an RSA algorithm. The salt of PSS is as long as the hash (RFC 7518 §3.5).
#[derive(Clone, Copy)]
pub(in crate::key) enum RsaScheme {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
}

impl RsaScheme {
    fn new(algorithm: Algorithm) -> Result<Self, &'static str> {
        match algorithm {
            Algorithm::RS256 => Ok(Self::Rs256),
            Algorithm::RS384 => Ok(Self::Rs384),
            Algorithm::RS512 => Ok(Self::Rs512),
            Algorithm::PS256 => Ok(Self::Ps256),
            Algorithm::PS384 => Ok(Self::Ps384),
            Algorithm::PS512 => Ok(Self::Ps512),
            _ => Err(UNFIT),
        }
    }

    fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rs256 | Self::Ps256 => Sha256::digest(message).to_vec(),
            Self::Rs384 | Self::Ps384 => Sha384::digest(message).to_vec(),
            Self::Rs512 | Self::Ps512 => Sha512::digest(message).to_vec(),
        }
    }

    fn verify(self, key: &RsaPublicKey, message: &[u8], signature: &[u8]) -> bool {
        // The crate's PSS takes a number beyond the modulus, which RFC 8017 §5.2.2 refuses.
        if BigUint::from_bytes_be(signature) >= *key.n() {
            return false;
        }
        let digest = self.digest(message);
        match self {
            Self::Rs256 => key.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, signature),
            Self::Rs384 => key.verify(Pkcs1v15Sign::new::<Sha384>(), &digest, signature),
            Self::Rs512 => key.verify(Pkcs1v15Sign::new::<Sha512>(), &digest, signature),
            Self::Ps256 => key.verify(Pss::new::<Sha256>(), &digest, signature),
            Self::Ps384 => key.verify(Pss::new::<Sha384>(), &digest, signature),
            Self::Ps512 => key.verify(Pss::new::<Sha512>(), &digest, signature),
        }
        .is_ok()
    }

    /// Blinded, since the crate's arithmetic does not take constant time (RUSTSEC-2023-0071).
    fn sign(self, key: &RsaPrivateKey, message: &[u8]) -> Option<Vec<u8>> {
        let digest = self.digest(message);
        let mut random = rsa::rand_core::OsRng;
        match self {
            Self::Rs256 => key.sign_with_rng(&mut random, Pkcs1v15Sign::new::<Sha256>(), &digest),
            Self::Rs384 => key.sign_with_rng(&mut random, Pkcs1v15Sign::new::<Sha384>(), &digest),
            Self::Rs512 => key.sign_with_rng(&mut random, Pkcs1v15Sign::new::<Sha512>(), &digest),
            Self::Ps256 => key.sign_with_rng(&mut random, Pss::new_blinded::<Sha256>(), &digest),
            Self::Ps384 => key.sign_with_rng(&mut random, Pss::new_blinded::<Sha384>(), &digest),
            Self::Ps512 => key.sign_with_rng(&mut random, Pss::new_blinded::<Sha512>(), &digest),
        }
        .ok()
    }
}

/// A prepared private key; each of these types zeroes itself.
pub(in crate::key) enum PrivateKey {
    P256(P256Signing),
    P384(P384Signing),
    Ed25519(Box<Ed25519Signing>),
    Rsa(Box<RsaPrivateKey>, RsaScheme),
}

impl PrivateKey {
    pub(in crate::key) fn new(
        algorithm: Algorithm,
        material: &PrivateMaterial<'_>,
    ) -> Result<Self, &'static str> {
        use PrivateMaterial as Material;

        material.check(algorithm)?;
        match (algorithm.family(), material) {
            (Family::P256, Material::Pkcs8(der)) => {
                let key = p256::pkcs8::DecodePrivateKey::from_pkcs8_der(der);
                key.map(Self::P256).or(Err(INVALID))
            }
            (Family::P256, Material::Sec1(der)) => p256::SecretKey::from_sec1_der(der)
                .map(|key| Self::P256(key.into()))
                .or(Err(INVALID)),
            (Family::P256, Material::Ec { d, point }) => {
                let key = P256Signing::from_slice(d).or(Err(INVALID))?;
                let public = P256Verifying::from_sec1_bytes(point).or(Err(INVALID))?;
                match *key.verifying_key() == public {
                    true => Ok(Self::P256(key)),
                    false => Err(INVALID),
                }
            }
            (Family::P384, Material::Pkcs8(der)) => {
                let key = p384::pkcs8::DecodePrivateKey::from_pkcs8_der(der);
                key.map(Self::P384).or(Err(INVALID))
            }
            (Family::P384, Material::Sec1(der)) => p384::SecretKey::from_sec1_der(der)
                .map(|key| Self::P384(key.into()))
                .or(Err(INVALID)),
            (Family::P384, Material::Ec { d, point }) => {
                let key = P384Signing::from_slice(d).or(Err(INVALID))?;
                let public = P384Verifying::from_sec1_bytes(point).or(Err(INVALID))?;
                match *key.verifying_key() == public {
                    true => Ok(Self::P384(key)),
                    false => Err(INVALID),
                }
            }
            (Family::Ed25519, Material::Pkcs8(der)) => {
                let key = ed25519_dalek::pkcs8::DecodePrivateKey::from_pkcs8_der(der);
                key.map(|key| Self::Ed25519(Box::new(key))).or(Err(INVALID))
            }
            (Family::Ed25519, Material::Ed25519 { seed, public }) => {
                let key = Ed25519Signing::try_from(*seed).or(Err(INVALID))?;
                match key.verifying_key().as_bytes() == *public {
                    true => Ok(Self::Ed25519(Box::new(key))),
                    false => Err(INVALID),
                }
            }
            (_, Material::Pkcs8(der)) => {
                let info = PrivateKeyInfo::try_from(*der).or(Err(INVALID))?;
                Self::rsa_der(algorithm, info.private_key)
            }
            (_, Material::Pkcs1(der)) => Self::rsa_der(algorithm, der),
            (_, Material::Rsa(it)) => Self::rsa(
                algorithm,
                [&it.n, &it.e, &it.d, &it.p, &it.q, &it.dp, &it.dq, &it.qi],
            ),
            _ => Err(UNFIT),
        }
    }

    fn rsa_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, &'static str> {
        let key = pkcs1::RsaPrivateKey::try_from(der).or(Err(INVALID))?;
        if key.version() != pkcs1::Version::TwoPrime {
            return Err(INVALID);
        }
        let components = [
            key.modulus,
            key.public_exponent,
            key.private_exponent,
            key.prime1,
            key.prime2,
            key.exponent1,
            key.exponent2,
            key.coefficient,
        ];
        Self::rsa(algorithm, components.each_ref().map(|it| it.as_bytes()))
    }

    /// A key of all its components, in the order of RFC 8017 §A.1.2.
    fn rsa(algorithm: Algorithm, components: [&[u8]; 8]) -> Result<Self, &'static str> {
        let [n, e, d, p, q, dp, dq, qi] = components.map(BigUint::from_bytes_be);
        let key = RsaPrivateKey::from_components(n, e, d, vec![p, q]).or(Err(INVALID))?;
        key.validate().or(Err(INVALID))?;
        // The crate derives these itself: what is given has to agree.
        let agree =
            key.dp() == Some(&dp) && key.dq() == Some(&dq) && key.crt_coefficient() == Some(qi);
        match agree {
            true => Ok(Self::Rsa(Box::new(key), RsaScheme::new(algorithm)?)),
            false => Err(INVALID),
        }
    }

    pub(in crate::key) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::P256(key) => {
                let signature: P256Signature = key.try_sign(message).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            Self::P384(key) => {
                let signature: P384Signature = key.try_sign(message).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            Self::Ed25519(key) => Some(key.try_sign(message).ok()?.to_bytes().to_vec()),
            Self::Rsa(key, scheme) => scheme.sign(key, message),
        }
    }

    /// The public key that belongs to this one.
    pub(in crate::key) fn public(&self, algorithm: Algorithm) -> Result<PublicKey, &'static str> {
        Ok(match self {
            Self::P256(key) => PublicKey::P256(*key.verifying_key()),
            Self::P384(key) => PublicKey::P384(*key.verifying_key()),
            Self::Ed25519(key) => PublicKey::Ed25519(key.verifying_key()),
            Self::Rsa(key, _) => PublicKey::Rsa(key.to_public_key(), RsaScheme::new(algorithm)?),
        })
    }
}
