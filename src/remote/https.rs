//! A ready HTTPS client, for applications that have none.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::error::ConfigError;

/// The root certificates that the client trusts.
#[derive(Default)]
pub(super) struct Roots {
    pub(super) pem: Vec<Vec<u8>>,
    pub(super) without_system: bool,
}

impl Roots {
    /// Makes the client.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no root certificate, or a given one is invalid.
    pub(super) fn client(
        &self,
    ) -> Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, ConfigError> {
        let wrong = |reason| ConfigError::new("root_certificate_pem", reason);
        let mut roots = RootCertStore::empty();
        if !self.without_system {
            // A broken certificate of the system is left out.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        for pem in &self.pem {
            let mut count = 0_usize;
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let added = certificate.ok().map(|certificate| roots.add(certificate));
                if !matches!(added, Some(Ok(()))) {
                    return Err(wrong("it is not a certificate in PEM"));
                }
                count = count.saturating_add(1);
            }
            if count == 0 {
                return Err(wrong("it is not a certificate in PEM"));
            }
        }
        if roots.is_empty() {
            return Err(wrong("there is none"));
        }
        let tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .or(Err(wrong(
                "the TLS provider of the process has no usable version",
            )))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        // One request in some minutes is not worth an open connection.
        let mut client = Client::builder(TokioExecutor::new());
        Ok(client.pool_max_idle_per_host(0).build(connector))
    }
}

/// The provider that the application installed, or the one of this crate's backend. None is installed
/// for the process.
fn provider() -> Arc<CryptoProvider> {
    if let Some(provider) = CryptoProvider::get_default() {
        return Arc::clone(provider);
    }
    #[cfg(feature = "aws_lc_rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws_lc_rs"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}
