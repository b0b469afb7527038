//! OAuth 2.0 protected resource metadata (RFC 9728).

use serde::Serialize;

use super::document::DocumentService;
use crate::{error::ConfigError, token::is_scope_word, uri};

/// The metadata of a service as a protected resource (RFC 9728 §2), by which a client that knows only
/// the service's address finds the issuer of its tokens. Clients of the Model Context Protocol need it.
///
/// # Examples
///
/// The document is public: its route stands outside of the session layer, whose challenges name it.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_session_token::{ProtectedResource, SessionLayer, SessionVerifier};
///
/// fn app(verifier: SessionVerifier) -> Result<Router, tower_session_token::ConfigError> {
///     let resource = ProtectedResource::new("https://api.example.com/orders")?
///         .authorization_server("https://id.example.com")
///         .scope("orders.read orders.write")?;
///     let (path, document) = (resource.metadata_path().to_owned(), resource.service());
///     Ok(Router::new()
///         .route("/orders", get(async || "orders"))
///         .layer(SessionLayer::new(verifier).protected_resource(&resource))
///         .route_service(&path, document))
/// }
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct ProtectedResource {
    resource: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip)]
    metadata_uri: String,
    #[serde(skip)]
    metadata_path: String,
}

impl ProtectedResource {
    /// Creates the metadata of the resource with this identifier (RFC 9728 §1.2): the URL that clients
    /// use for this service.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is not an absolute `https` URL without user information or a fragment.
    /// `http` is allowed for a loopback host.
    pub fn new(resource: impl Into<String>) -> Result<Self, ConfigError> {
        let resource = resource.into();
        let wrong = |reason| ConfigError::new("protected_resource", reason);
        let address = uri::parse(&resource, false).map_err(wrong)?;
        let origin = address.scheme_str().zip(address.authority());
        let (scheme, authority) = origin.ok_or(wrong(uri::NOT_ABSOLUTE))?;
        let origin = format!("{scheme}://{authority}");
        // A path of `/` alone is left out (RFC 9728 §3.1).
        let path = address
            .path()
            .strip_suffix('/')
            .filter(|path| path.is_empty());
        let path = path.unwrap_or(address.path());
        let query = address
            .query()
            .map_or_else(String::new, |query| format!("?{query}"));
        let path = format!("/.well-known/oauth-protected-resource{path}");
        Ok(Self {
            metadata_uri: format!("{origin}{path}{query}"),
            metadata_path: path,
            resource,
            authorization_servers: Vec::new(),
            scopes_supported: Vec::new(),
            bearer_methods_supported: ["header"],
        })
    }

    /// Adds the issuer of an authorization server whose tokens the service accepts.
    #[must_use]
    pub fn authorization_server(mut self, issuer: impl Into<String>) -> Self {
        self.authorization_servers.push(issuer.into());
        self
    }

    /// Adds scope that clients ask the authorization server for: scope tokens separated by single
    /// spaces (RFC 6749 §3.3).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no scope token, or a character that RFC 6749 §3.3 does not allow.
    pub fn scope(mut self, scope: &str) -> Result<Self, ConfigError> {
        if !scope.split(' ').all(is_scope_word) {
            let reason = "must be scope tokens separated by single spaces";
            return Err(ConfigError::new("scope", reason));
        }
        let scope = scope.split(' ').map(str::to_owned);
        self.scopes_supported.extend(scope);
        Ok(self)
    }

    /// The path of the document's URL: `/.well-known/oauth-protected-resource` and the path of the
    /// resource (RFC 9728 §3.1).
    #[must_use]
    pub fn metadata_path(&self) -> &str {
        &self.metadata_path
    }

    /// The URL of the document, as the layer's challenges name it (`resource_metadata`, RFC 9728 §5.1).
    #[must_use]
    pub fn metadata_uri(&self) -> &str {
        &self.metadata_uri
    }

    pub(crate) fn scopes(&self) -> &[String] {
        &self.scopes_supported
    }

    /// A service that answers with the document.
    #[must_use]
    pub fn service(&self) -> DocumentService {
        let document = serde_json::to_string(self).unwrap_or_default();
        DocumentService::new("application/json", move || document.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_path_stands_before_the_path_of_the_resource() {
        for (resource, path, uri) in [
            (
                "https://api.example.com",
                "/.well-known/oauth-protected-resource",
                "https://api.example.com/.well-known/oauth-protected-resource",
            ),
            (
                "https://api.example.com/",
                "/.well-known/oauth-protected-resource",
                "https://api.example.com/.well-known/oauth-protected-resource",
            ),
            (
                "https://api.example.com/orders/?tenant=a",
                "/.well-known/oauth-protected-resource/orders/",
                "https://api.example.com/.well-known/oauth-protected-resource/orders/?tenant=a",
            ),
            (
                "http://127.0.0.1:3000/mcp",
                "/.well-known/oauth-protected-resource/mcp",
                "http://127.0.0.1:3000/.well-known/oauth-protected-resource/mcp",
            ),
        ] {
            let metadata = ProtectedResource::new(resource).unwrap();
            assert_eq!(metadata.metadata_path(), path);
            assert_eq!(metadata.metadata_uri(), uri);
        }
        let error = ProtectedResource::new("http://api.example.com").unwrap_err();
        assert!(error.reason().contains("`https`"), "{error}");
    }

    #[test]
    fn scope_is_tokens_separated_by_single_spaces() {
        let resource = ProtectedResource::new("https://api.example.com").unwrap();
        for scope in ["", " ", "a  b", "a ", "a\tb", "a\"b", "é"] {
            let error = resource.clone().scope(scope).unwrap_err();
            assert_eq!(error.option(), "scope", "{scope:?}");
        }
        let resource = resource.scope("a b").unwrap().scope("c").unwrap();
        assert_eq!(resource.scopes(), ["a", "b", "c"]);
    }
}
