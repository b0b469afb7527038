//! Keys of the RustCrypto crates, in pure Rust.

use ed25519_dalek::{SigningKey as Ed25519Signing, VerifyingKey as Ed25519Verifying};
use getrandom::SysRng;
use p256::{
    ecdsa::{
        self as es256,
        signature::{SignatureEncoding, Signer, Verifier},
    },
    pkcs8::DecodePrivateKey,
};
use p384::ecdsa as es384;
use rsa::{
    BoxedUint, Generate, Pkcs1v15Sign, PrivateKey as RsaPrivateKey, Pss, PublicKey as RsaPublicKey,
    traits::{PrivateKeyParts, PublicKeyParts, SignatureScheme},
};
use sha2::{Digest, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::key::{Algorithm, algorithm::Family, der};

/// Calls a function of an RSA key, generic over the hash, with the padding of an RSA algorithm. The
/// salt of PSS is as long as the hash (RFC 7518 §3.5).
macro_rules! with_rsa_scheme {
    ($algorithm:expr, $function:ident, $key:expr) => {
        match $algorithm {
            Algorithm::RS256 => $function::<Sha256, _>($key, Pkcs1v15Sign::new::<Sha256>),
            Algorithm::RS384 => $function::<Sha384, _>($key, Pkcs1v15Sign::new::<Sha384>),
            Algorithm::RS512 => $function::<Sha512, _>($key, Pkcs1v15Sign::new::<Sha512>),
            Algorithm::PS256 => $function::<Sha256, _>($key, Pss::<Sha256>::new),
            Algorithm::PS384 => $function::<Sha384, _>($key, Pss::<Sha384>::new),
            _ => $function::<Sha512, _>($key, Pss::<Sha512>::new),
        }
    };
}

type Verify = Box<dyn Fn(&[u8], &[u8]) -> bool + Send + Sync>;
type Sign = Box<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

pub(in crate::key) struct PublicKey(Verify);

impl PublicKey {
    pub(in crate::key) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        Some(Self(match algorithm.family() {
            Family::P256 => verify_ecdsa::<es256::VerifyingKey, es256::Signature>(key)?,
            Family::P384 => verify_ecdsa::<es384::VerifyingKey, es384::Signature>(key)?,
            Family::Ed25519 => {
                let key = Ed25519Verifying::try_from(key).ok()?;
                Box::new(move |message, signature| {
                    ed25519_dalek::Signature::from_slice(signature)
                        .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
                })
            }
            Family::Rsa => {
                let [n, e] = der::integers(key)?.map(BoxedUint::from_be_slice_vartime);
                let key = RsaPublicKey::new_with_size_limits(n, e, 2048..=8192).ok()?;
                with_rsa_scheme!(algorithm, verify_rsa, key)
            }
            Family::Hmac => return None,
        }))
    }

    pub(in crate::key) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0(message, signature)
    }
}

fn verify_ecdsa<K, S>(key: &[u8]) -> Option<Verify>
where
    K: for<'k> TryFrom<&'k [u8]> + Verifier<S> + Send + Sync + 'static,
    S: for<'s> TryFrom<&'s [u8]>,
{
    let key = K::try_from(key).ok()?;
    Some(Box::new(move |message, signature| {
        S::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
    }))
}

fn verify_rsa<D: Digest, S: SignatureScheme + 'static>(
    key: RsaPublicKey,
    padding: fn() -> S,
) -> Verify {
    Box::new(move |message, signature| {
        // RFC 8017 §5.2.2 rejects a number that is not below the modulus.
        BoxedUint::from_be_slice_vartime(signature) < **key.n()
            && key
                .verify(padding(), &D::digest(message), signature)
                .is_ok()
    })
}

/// A prepared private key, which zeroes itself on drop, and its public key.
pub(in crate::key) struct PrivateKey {
    sign: Sign,
    public: Vec<u8>,
}

impl PrivateKey {
    pub(in crate::key) fn new(algorithm: Algorithm, der: &[u8]) -> Option<Self> {
        Some(match algorithm.family() {
            Family::P256 => Self::p256(p256::SecretKey::from_sec1_der(der).ok()?.into()),
            Family::P384 => Self::p384(p384::SecretKey::from_sec1_der(der).ok()?.into()),
            Family::Ed25519 => Self::ed25519(Ed25519Signing::from_pkcs8_der(der).ok()?),
            Family::Rsa => Self::rsa(algorithm, rsa_key(der)?)?,
            Family::Hmac => return None,
        })
    }

    pub(in crate::key) fn generate(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm.family() {
            Family::P256 => Self::p256(Generate::try_generate_from_rng(&mut SysRng).ok()?),
            Family::P384 => Self::p384(Generate::try_generate_from_rng(&mut SysRng).ok()?),
            Family::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                fill_random(&mut *seed)?;
                Self::ed25519(Ed25519Signing::from_bytes(&seed))
            }
            Family::Rsa => Self::rsa(algorithm, RsaPrivateKey::new(&mut SysRng, 2048).ok()?)?,
            Family::Hmac => return None,
        })
    }

    fn p256(key: es256::SigningKey) -> Self {
        let public = key.verifying_key().to_sec1_bytes().into();
        Self::signer::<_, es256::Signature>(key, public)
    }

    fn p384(key: es384::SigningKey) -> Self {
        let public = key.verifying_key().to_sec1_bytes().into();
        Self::signer::<_, es384::Signature>(key, public)
    }

    fn ed25519(key: Ed25519Signing) -> Self {
        let public = key.verifying_key().to_bytes().into();
        Self::signer::<_, ed25519_dalek::Signature>(key, public)
    }

    fn signer<K, S>(key: K, public: Vec<u8>) -> Self
    where
        K: Signer<S> + Send + Sync + 'static,
        S: SignatureEncoding,
    {
        let sign = Box::new(move |message: &[u8]| Some(key.try_sign(message).ok()?.to_vec()));
        Self { sign, public }
    }

    fn rsa(algorithm: Algorithm, key: RsaPrivateKey) -> Option<Self> {
        let public = der::of_integers([&key.n_bytes(), &key.e_bytes()])?.to_vec();
        let sign = with_rsa_scheme!(algorithm, sign_rsa, key);
        Some(Self { sign, public })
    }

    pub(in crate::key) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        (self.sign)(message)
    }

    /// The public key of this private key.
    pub(in crate::key) fn public(&self) -> Vec<u8> {
        self.public.clone()
    }
}

fn sign_rsa<D: Digest, S: SignatureScheme + 'static>(
    key: RsaPrivateKey,
    padding: fn() -> S,
) -> Sign {
    Box::new(move |message| {
        // The random numbers are for blinding.
        key.sign_with_rng(&mut SysRng, padding(), &D::digest(message))
            .ok()
    })
}

fn rsa_key(der: &[u8]) -> Option<RsaPrivateKey> {
    let [_version, n, e, d, p, q, dp, dq, qi] =
        der::integers(der)?.map(|number| Zeroizing::new(BoxedUint::from_be_slice_vartime(number)));
    let primes = vec![(*p).clone(), (*q).clone()];
    let key =
        RsaPrivateKey::from_components((*n).clone(), (*e).clone(), (*d).clone(), primes).ok()?;
    // The crate derives these itself; the given numbers must be equal.
    let agree = key.dp() == Some(&dp)
        && key.dq() == Some(&dq)
        && key.crt_coefficient() == Some((*qi).clone());
    agree.then_some(key)
}

/// Fills `bytes` with random data of the system.
pub(in crate::key) fn fill_random(bytes: &mut [u8]) -> Option<()> {
    getrandom::fill(bytes).ok()
}
