//! Addresses that a service is configured with.

use std::net::IpAddr;

use http::Uri;

pub(crate) const NOT_ABSOLUTE: &str =
    "it is not an absolute address, such as `https://id.example.com`";

const NOT_HTTPS: &str = "it is not an `https` address; `http` is for this machine alone";

/// Parses an absolute address of HTTPS, or of HTTP on this machine or with `allow_http`.
pub(crate) fn parse(text: &str, allow_http: bool) -> Result<Uri, &'static str> {
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
        _ => Err(NOT_HTTPS),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_https_or_of_this_machine() {
        let credentials = Err("it has a user name or a fragment");
        for (text, want) in [
            ("https://id.example.com", Ok(())),
            ("https://id.example.com/realms/shop?v=1", Ok(())),
            ("http://127.0.0.1:8080/jwks", Ok(())),
            ("http://127.9.9.9/jwks", Ok(())),
            ("http://[::1]:8080/jwks", Ok(())),
            ("http://localhost/jwks", Ok(())),
            ("http://id.example.com", Err(NOT_HTTPS)),
            ("http://localhost.example.com/", Err(NOT_HTTPS)),
            ("http://10.0.0.1/", Err(NOT_HTTPS)),
            ("ftp://localhost", Err(NOT_HTTPS)),
            ("id.example.com", Err(NOT_ABSOLUTE)),
            ("/jwks", Err(NOT_ABSOLUTE)),
            ("", Err(NOT_ABSOLUTE)),
            ("https://a:b@id.example.com/", credentials),
            ("https://id.example.com/#a", credentials),
        ] {
            assert_eq!(parse(text, false).map(drop), want, "{text}");
        }
        assert!(parse("http://id.example.com", true).is_ok());
        assert!(parse("ftp://id.example.com", true).is_err());
    }
}
