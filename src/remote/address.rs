//! The addresses that are read. Nothing of a token reaches them.

use std::net::IpAddr;

use http::Uri;

use crate::error::ConfigError;

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
        let uri = parse(&issuer, allow_http).map_err(wrong)?;
        let metadata = metadata(&uri).ok_or(wrong(NOT_ABSOLUTE))?;
        Ok(Self::Issuer { issuer, metadata })
    }

    /// # Errors
    ///
    /// [`ConfigError`] if it is not an address, or not one of HTTPS.
    pub(super) fn set(uri: &str, allow_http: bool) -> Result<Self, ConfigError> {
        match parse(uri, allow_http) {
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

const NOT_ABSOLUTE: &str = "it is not an absolute address, such as `https://id.example.com`";

/// Parses an absolute address of HTTPS, or of HTTP on this machine or with `allow_http`.
pub(super) fn parse(text: &str, allow_http: bool) -> Result<Uri, &'static str> {
    let uri: Uri = text.parse().or(Err(NOT_ABSOLUTE))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(NOT_ABSOLUTE);
    };
    if authority.as_str().contains('@') || text.contains('#') {
        return Err("it has a user name or a fragment");
    }
    match scheme {
        "https" => Ok(uri),
        "http" if allow_http || is_loopback(authority.host()) => Ok(uri),
        _ => Err("it is not an `https` address; `allow_http` allows `http`"),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
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
    fn only_https_and_this_machine_are_addresses() {
        for (text, want) in [
            ("https://id.example.com", Ok(())),
            ("https://id.example.com/realms/shop?v=1", Ok(())),
            ("http://127.0.0.1:8080/jwks", Ok(())),
            ("http://127.9.9.9/jwks", Ok(())),
            ("http://[::1]:8080/jwks", Ok(())),
            ("http://localhost/jwks", Ok(())),
            ("id.example.com", Err(NOT_ABSOLUTE)),
            ("/jwks", Err(NOT_ABSOLUTE)),
            ("", Err(NOT_ABSOLUTE)),
            (
                "https://a:b@id.example.com/",
                Err("it has a user name or a fragment"),
            ),
            (
                "https://id.example.com/#a",
                Err("it has a user name or a fragment"),
            ),
        ] {
            assert_eq!(parse(text, false).map(drop), want, "{text}");
        }
        for text in [
            "http://id.example.com/",
            "http://localhost.example.com/",
            "http://10.0.0.1/",
            "ftp://id.example.com/",
        ] {
            assert!(
                parse(text, false).unwrap_err().contains("`https`"),
                "{text}"
            );
        }
        assert!(parse("http://id.example.com/", true).is_ok());
        assert!(parse("ftp://id.example.com/", true).is_err());
    }

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
