//! Decoding of keys from PEM (RFC 7468).

use std::str;

use memchr::memmem;
use zeroize::Zeroizing;

use super::{
    Algorithm,
    encoded_key::{EncodedPrivateKey, EncodedPublicKey, UNFIT},
};

const BEGIN: &str = "-----BEGIN ";

/// Decodes a public key.
pub(super) fn public(algorithm: Algorithm, pem: &[u8]) -> Result<EncodedPublicKey, &'static str> {
    let (label, der) = section(pem)?;
    match label {
        "PUBLIC KEY" => EncodedPublicKey::from_spki(algorithm, &der),
        // The older form of an RSA key (RFC 8017 §A.1.1).
        "RSA PUBLIC KEY" if algorithm.family().is_rsa() => {
            EncodedPublicKey::from_bits(algorithm, &der)
        }
        "RSA PUBLIC KEY" => Err(UNFIT),
        label if label.ends_with("PRIVATE KEY") => {
            Err("the PEM text holds a private key, but a public one is needed")
        }
        _ => Err("the PEM text holds no key; `PUBLIC KEY` is needed"),
    }
}

/// Decodes a private key and passes it to `read`.
pub(super) fn with_private<T>(
    algorithm: Algorithm,
    pem: &[u8],
    read: impl FnOnce(&EncodedPrivateKey<'_>) -> Result<T, &'static str>,
) -> Result<T, &'static str> {
    let (label, der) = section(pem)?;
    read(&match label {
        "PRIVATE KEY" => EncodedPrivateKey::from_pkcs8(algorithm, &der),
        "EC PRIVATE KEY" => EncodedPrivateKey::from_sec1(algorithm, &der),
        "RSA PRIVATE KEY" => EncodedPrivateKey::from_pkcs1(algorithm, &der),
        label if label.ends_with("PUBLIC KEY") => {
            Err("the PEM text holds a public key, but a private one is needed")
        }
        _ => Err("the PEM text holds no key; `PRIVATE KEY` is needed"),
    }?)
}

/// The label and decoded content of the only section. Several sections are rejected as ambiguous,
/// apart from the parameters that OpenSSL writes before an EC key.
fn section(pem: &[u8]) -> Result<(&str, Zeroizing<Vec<u8>>), &'static str> {
    const MISSING: &str = "there is no PEM section `PUBLIC KEY` or `PRIVATE KEY`";
    const BROKEN: &str = "the PEM text is broken";

    let start = memmem::find(pem, BEGIN.as_bytes()).ok_or(MISSING)?;
    let text = str::from_utf8(pem.get(start..).ok_or(MISSING)?).or(Err(BROKEN))?;
    let mut only = None;
    for section in text.split(BEGIN).skip(1) {
        let (label, rest) = section.split_once("-----").ok_or(BROKEN)?;
        let end = format!("-----END {label}-----");
        let (content, _) = rest.split_once(&end).ok_or(BROKEN)?;
        if !label.ends_with("PARAMETERS") && only.replace((label, content)).is_some() {
            return Err("the PEM text has several sections");
        }
    }
    let (label, content) = only.ok_or(MISSING)?;
    if label.contains("ENCRYPTED") || content.contains("ENCRYPTED") {
        return Err("the private key is encrypted; decrypt it first");
    }
    let der = base64_simd::forgiving_decode_to_vec(content.as_bytes()).or(Err(BROKEN))?;
    Ok((label, Zeroizing::new(der)))
}
