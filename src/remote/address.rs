//! The addresses that are read. Nothing of a token reaches them.

use http::Uri;

use crate::{
    error::ConfigError,
    uri::{self, NOT_ABSOLUTE},
};

/// Where the keys come from, as configured.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The metadata of an issuer name the address of its set.
    Issuer { issuer: String, metadata: Vec<Uri> },
    /// The address of a set.
    Set { uri: Uri },
}

impl Origin {
    /// # Errors
    ///
    /// [`ConfigError`] if the issuer is not an address (RFC 8414 §2).
    pub(super) fn issuer(issuer: String, allow_http: bool) -> Result<Self, ConfigError> {
        let wrong = |reason| ConfigError::new("discover", reason);
        if issuer.contains('?') {
            return Err(wrong("an issuer has no query (RFC 8414 §2)"));
        }
        let uri = uri::parse(&issuer, allow_http).map_err(wrong)?;
        let metadata = metadata(&uri).ok_or(wrong(NOT_ABSOLUTE))?;
        Ok(Self::Issuer { issuer, metadata })
    }

    /// # Errors
    ///
    /// [`ConfigError`] if it is not an address, or not one of HTTPS.
    pub(super) fn set(uri: &str, allow_http: bool) -> Result<Self, ConfigError> {
        match uri::parse(uri, allow_http) {
            Ok(uri) => Ok(Self::Set { uri }),
            Err(reason) => Err(ConfigError::new("at", reason)),
        }
    }

    /// The configured text, which identifies it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Issuer { issuer, .. } => issuer.clone(),
            Self::Set { uri } => uri.to_string(),
        }
    }
}

/// The addresses of an issuer's metadata, in the order in which they are tried: OpenID Connect
/// Discovery 1.0 §4, RFC 8414 §3, and RFC 8414 §5 for OpenID Connect.
fn metadata(issuer: &Uri) -> Option<Vec<Uri>> {
    let (scheme, authority) = (issuer.scheme_str()?, issuer.authority()?);
    let path = issuer.path().trim_end_matches('/');
    let mut forms = vec![
        format!("{scheme}://{authority}{path}/.well-known/openid-configuration"),
        format!("{scheme}://{authority}/.well-known/oauth-authorization-server{path}"),
        format!("{scheme}://{authority}/.well-known/openid-configuration{path}"),
    ];
    if path.is_empty() {
        forms.pop();
    }
    forms.iter().map(|form| form.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_looked_for_in_the_places_of_both_standards() {
        for (issuer, want) in [
            (
                "https://id.example.com",
                &[
                    "https://id.example.com/.well-known/openid-configuration",
                    "https://id.example.com/.well-known/oauth-authorization-server",
                ][..],
            ),
            (
                "https://id.example.com/",
                &[
                    "https://id.example.com/.well-known/openid-configuration",
                    "https://id.example.com/.well-known/oauth-authorization-server",
                ],
            ),
            (
                "https://id.example.com:8443/realms/shop",
                &[
                    "https://id.example.com:8443/realms/shop/.well-known/openid-configuration",
                    "https://id.example.com:8443/.well-known/oauth-authorization-server/realms/shop",
                    "https://id.example.com:8443/.well-known/openid-configuration/realms/shop",
                ],
            ),
        ] {
            let Origin::Issuer { metadata, .. } = Origin::issuer(issuer.to_owned(), false).unwrap()
            else {
                panic!("{issuer}");
            };
            assert_eq!(metadata, want, "{issuer}");
        }
        let error = Origin::issuer("https://id.example.com?tenant=a".to_owned(), false);
        assert_eq!(error.unwrap_err().option(), "discover");
    }
}
