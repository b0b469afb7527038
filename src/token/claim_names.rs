//! Names of the claims in other issuers' tokens.

use std::str::FromStr;

use super::claims::Claim;
use crate::error::ParseError;

/// The claims of another issuer's tokens that become user, application, scope, roles and IDs.
///
/// Providers differ in the names: scope is `scope`, `scp` or `permissions`, roles are `roles`, `groups`
/// or deep inside `realm_access`. A claim named here replaces the standard one, and is read as strictly.
/// A second call for the same claim replaces the first, except for scope and roles.
/// It applies to tokens of the types `at+jwt` and `JWT`, which others issue; `session+jwt` and
/// `nested-session+jwt` have fixed names.
///
/// # Examples
///
/// Access tokens of Keycloak: their roles are nested, and their claim `typ` tells them from ID tokens:
///
/// ```
/// use tower_session_token::{ClaimNames, SessionVerifier, TokenType, VerifyingKey};
///
/// let names = ClaimNames::new()
///     .roles(["realm_access", "roles"])
///     .roles(["resource_access", "orders", "roles"])
///     .administrator_role("orders-admin")
///     .require("typ", "Bearer");
/// # let key = VerifyingKey::hs256([7; 32])?;
/// let verifier = SessionVerifier::builder()
///     .key(key)
///     .issuer("https://id.example.com/realms/shop")
///     .audience("orders")
///     .accept_type(TokenType::Jwt)
///     .claim_names(names)
///     .build()?;
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClaimNames {
    pub(super) paths: Vec<(Claim, ClaimPath)>,
    /// The bits of the claims that are not read by their standard names.
    pub(super) replaced: u32,
    pub(super) required: Vec<(ClaimPath, String)>,
    pub(super) administrator_role: Option<String>,
}

/// The names of members from the outermost object to a claim.
///
/// A text is one name, whatever is in it: `"https://example.com/roles"` is a claim of Auth0. An array
/// is a path, and [`FromStr`] reads a JSON Pointer (RFC 6901). Array elements are not addressed.
///
/// # Examples
///
/// ```
/// use tower_session_token::ClaimPath;
///
/// let path: ClaimPath = "/realm_access/roles".parse()?;
/// assert_eq!(path, ClaimPath::from(["realm_access", "roles"]));
/// # Ok::<(), tower_session_token::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClaimPath(pub(super) Box<[String]>);

impl From<&str> for ClaimPath {
    fn from(name: &str) -> Self {
        Self::from([name])
    }
}

impl<const N: usize> From<[&str; N]> for ClaimPath {
    fn from(names: [&str; N]) -> Self {
        Self(names.map(str::to_owned).into())
    }
}

impl FromStr for ClaimPath {
    type Err = ParseError;

    fn from_str(pointer: &str) -> Result<Self, Self::Err> {
        const INVALID: ParseError = ParseError::new("not a JSON Pointer to a member");

        let names = pointer.strip_prefix('/').ok_or(INVALID)?;
        let names = names.split('/').map(|name| {
            let mut escapes = name.split('~').skip(1);
            let is_valid = escapes.all(|rest| rest.starts_with(['0', '1']));
            // In this order (RFC 6901 §4).
            is_valid.then(|| name.replace("~1", "/").replace("~0", "~"))
        });
        names.collect::<Option<_>>().map(Self).ok_or(INVALID)
    }
}

impl ClaimNames {
    /// Creates an empty set of names: every claim has its standard one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The claim of the user's ID, instead of `sub`: `oid` of Entra, `uid` of Okta.
    #[must_use]
    pub fn user_id(self, path: impl Into<ClaimPath>) -> Self {
        self.name_claim(Claim::sub, path)
    }

    /// The claim of the application's ID, instead of `client_id` and `azp`: `cid` of Okta, `appid` of
    /// Entra v1.
    #[must_use]
    pub fn application_id(self, path: impl Into<ClaimPath>) -> Self {
        self.name_claim(Claim::client_id, path)
    }

    /// The claim of the audience, instead of `aud`: `client_id` of Cognito's access tokens.
    #[must_use]
    pub fn audience(self, path: impl Into<ClaimPath>) -> Self {
        self.name_claim(Claim::aud, path)
    }

    /// A claim of scope, instead of `scope`: a string of space-separated scope tokens, or an array of
    /// them. With several calls, all of the claims count.
    #[must_use]
    pub fn scope(self, path: impl Into<ClaimPath>) -> Self {
        self.name_claim(Claim::scope, path)
    }

    /// A claim of roles, instead of `roles`: an array of strings, or a string of roles separated by
    /// spaces. With several calls, all of the claims count: at most 64 roles in all, each of at most
    /// 256 bytes.
    #[must_use]
    pub fn roles(self, path: impl Into<ClaimPath>) -> Self {
        self.name_claim(Claim::roles, path)
    }

    /// The claim of the token's ID, instead of `jti`: `uti` of Entra.
    #[must_use]
    pub fn token_id(self, path: impl Into<ClaimPath>) -> Self {
        self.name_claim(Claim::jti, path)
    }

    /// The claim of the user's displayed name, instead of `name`.
    #[must_use]
    pub fn name(self, path: impl Into<ClaimPath>) -> Self {
        self.name_claim(Claim::name, path)
    }

    /// The claim of the user's login, instead of `preferred_username`.
    #[must_use]
    pub fn login(self, path: impl Into<ClaimPath>) -> Self {
        self.name_claim(Claim::preferred_username, path)
    }

    /// Requires a claim to be this string: `token_use` of Cognito to be `access`, so that its ID tokens
    /// are rejected. With several calls, each claim has to be its string. A token in which one
    /// differs or is absent is rejected with [`ClaimInvalid`](crate::SessionErrorKind::ClaimInvalid).
    #[must_use]
    pub fn require(mut self, path: impl Into<ClaimPath>, value: impl Into<String>) -> Self {
        self.required.push((path.into(), value.into()));
        self
    }

    /// The role whose holders are [administrators](crate::AccessLevel::Administrator). A second call
    /// replaces the first.
    #[must_use]
    pub fn administrator_role(mut self, role: impl Into<String>) -> Self {
        self.administrator_role = Some(role.into());
        self
    }

    fn name_claim(mut self, claim: Claim, path: impl Into<ClaimPath>) -> Self {
        self.replaced |= claim.bit();
        if matches!(claim, Claim::client_id) {
            self.replaced |= Claim::azp.bit();
        }
        if !matches!(claim, Claim::scope | Claim::roles) {
            self.paths.retain(|(named, _)| named.bit() != claim.bit());
        }
        self.paths.push((claim, path.into()));
        self
    }

    /// The paths of the named claims, then those of the required ones.
    pub(super) fn all_paths(&self) -> impl Iterator<Item = &ClaimPath> {
        let named = self.paths.iter().map(|(_, path)| path);
        named.chain(self.required.iter().map(|(path, _)| path))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.required.is_empty()
    }
}
