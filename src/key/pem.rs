//! Decoding of keys from PEM (RFC 7468).

use std::str;

use memchr::memmem;
use zeroize::Zeroizing;

use super::{
    Algorithm,
    algorithm::Family,
    encoded_key::{UNFIT, private_of_pkcs8, public_of_spki},
};

const BEGIN: &str = "-----BEGIN ";

/// The label and decoded content of a section.
pub(super) struct Section<'a> {
    label: &'a str,
    der: Zeroizing<Vec<u8>>,
}

impl<'a> Section<'a> {
    /// Decodes the only section of a text. Several sections are rejected as ambiguous, apart from the
    /// parameters that OpenSSL writes before an EC key.
    pub(super) fn decode(pem: &'a [u8]) -> Result<Self, &'static str> {
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
        let der = base64_simd::forgiving_decode_to_vec(content.as_bytes()).map(Zeroizing::new);
        let der = der.or(Err(BROKEN))?;
        Ok(Self { label, der })
    }

    /// The public key in the encoding of the algorithm's family.
    pub(super) fn public(&self, algorithm: Algorithm) -> Result<&[u8], &'static str> {
        match self.label {
            "PUBLIC KEY" => public_of_spki(algorithm, &self.der),
            // The older form of an RSA key (RFC 8017 §A.1.1).
            "RSA PUBLIC KEY" if algorithm.family() == Family::Rsa => Ok(&self.der),
            "RSA PUBLIC KEY" => Err(UNFIT),
            label if label.ends_with("PRIVATE KEY") => {
                Err("the PEM text holds a private key, but a public one is needed")
            }
            _ => Err("the PEM text holds no key; `PUBLIC KEY` is needed"),
        }
    }

    /// The private key in the encoding of the algorithm's family.
    pub(super) fn private(&self, algorithm: Algorithm) -> Result<&[u8], &'static str> {
        match (self.label, algorithm.family()) {
            ("PRIVATE KEY", _) => private_of_pkcs8(algorithm, &self.der),
            ("EC PRIVATE KEY", Family::P256 | Family::P384) => Ok(&self.der),
            ("RSA PRIVATE KEY", Family::Rsa) => Ok(&self.der),
            ("EC PRIVATE KEY" | "RSA PRIVATE KEY", _) => Err(UNFIT),
            (label, _) if label.ends_with("PUBLIC KEY") => {
                Err("the PEM text holds a public key, but a private one is needed")
            }
            _ => Err("the PEM text holds no key; `PRIVATE KEY` is needed"),
        }
    }
}
