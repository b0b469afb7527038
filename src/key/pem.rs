//! PEM (RFC 7468): what a text holds, and which key that is.

use rustls_pki_types::pem::{PemObject, SectionKind};
use zeroize::Zeroizing;

use super::encoded_key::{PrivateMaterial, PublicMaterial};

const PKCS1_LABEL: &str = " RSA PUBLIC KEY-----";
const SPKI_LABEL: &str = " PUBLIC KEY-----";

/// Reads the public key of a PEM text and hands it to `read`.
pub(super) fn with_public<T>(
    pem: &[u8],
    read: impl FnOnce(&PublicMaterial<'_>) -> Result<T, &'static str>,
) -> Result<T, &'static str> {
    // The reader knows no `RSA PUBLIC KEY` (RFC 8017), the older form of an RSA key.
    let text = String::from_utf8_lossy(pem);
    let is_pkcs1 = text.contains(PKCS1_LABEL);
    let text = text.replace(PKCS1_LABEL, SPKI_LABEL);
    let (kind, der) = section(text.as_bytes())?;
    match kind {
        SectionKind::PublicKey if is_pkcs1 => read(&PublicMaterial::Pkcs1(&der)),
        SectionKind::PublicKey => read(&PublicMaterial::Spki(&der)),
        SectionKind::PrivateKey | SectionKind::EcPrivateKey | SectionKind::RsaPrivateKey => {
            Err("the PEM text holds a private key, but a public one is needed")
        }
        _ => Err("the PEM text holds no key; `PUBLIC KEY` is needed"),
    }
}

/// Reads the private key of a PEM text and hands it to `read`.
pub(super) fn with_private<T>(
    pem: &[u8],
    read: impl FnOnce(&PrivateMaterial<'_>) -> Result<T, &'static str>,
) -> Result<T, &'static str> {
    let (kind, der) = section(pem)?;
    match kind {
        SectionKind::PrivateKey => read(&PrivateMaterial::Pkcs8(&der)),
        SectionKind::EcPrivateKey => read(&PrivateMaterial::Sec1(&der)),
        SectionKind::RsaPrivateKey => read(&PrivateMaterial::Pkcs1(&der)),
        SectionKind::PublicKey => {
            Err("the PEM text holds a public key, but a private one is needed")
        }
        _ => Err("the PEM text holds no key; `PRIVATE KEY` is needed"),
    }
}

/// The one section of the text. Of several it would not be clear which one is meant.
fn section(pem: &[u8]) -> Result<(SectionKind, Zeroizing<Vec<u8>>), &'static str> {
    let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem);
    let first = match sections.next() {
        Some(Ok((kind, der))) => (kind, Zeroizing::new(der)),
        Some(Err(_)) => return Err("the PEM text is broken"),
        // The reader passes over labels that it does not know.
        None => return Err("there is no PEM section `PUBLIC KEY` or `PRIVATE KEY`"),
    };
    match sections.next() {
        None => Ok(first),
        Some(_) => Err("the PEM text has several sections"),
    }
}
