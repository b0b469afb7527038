//! The user of a session.

use smol_str::SmolStr;

use super::id::UserId;
use crate::{
    debug::partial_debug,
    serde_text::{named_enum, text_enum},
};

/// The user that a session belongs to.
///
/// # Examples
///
/// ```
/// use tower_session_token::{AccessLevel, User};
///
/// let user = User::new("auth0|5f7c").with_name("Иван Петров");
/// assert_eq!(user.name(), Some("Иван Петров"));
/// assert!(user.is_regular());
/// assert!(user.with_access_level(AccessLevel::Administrator).is_administrator());
/// ```
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct User {
    id: UserId,
    name: Option<SmolStr>,
    login: Option<SmolStr>,
    access_level: AccessLevel,
}

impl User {
    /// Creates a user without name and login, with [`AccessLevel::Regular`].
    ///
    /// A token can carry an identifier of 1 to 255 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{User, UserId};
    ///
    /// assert_eq!(User::new("auth0|5f7c").id(), &UserId::from("auth0|5f7c"));
    /// ```
    #[must_use]
    pub fn new(id: impl Into<UserId>) -> Self {
        Self {
            id: id.into(),
            name: None,
            login: None,
            access_level: AccessLevel::Regular,
        }
    }

    /// Sets the display name: the claim `name` (OpenID Connect Core §5.1).
    ///
    /// A token can carry as many bytes as [`claim_bytes`](crate::Limits::claim_bytes) allows.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::User;
    ///
    /// assert_eq!(User::new("1").with_name("Иван Петров").name(), Some("Иван Петров"));
    /// ```
    #[must_use]
    pub fn with_name(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(SmolStr::new(name));
        self
    }

    /// Sets the login: the claim `preferred_username` (OpenID Connect Core §5.1).
    ///
    /// A token can carry as many bytes as [`claim_bytes`](crate::Limits::claim_bytes) allows.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::User;
    ///
    /// assert_eq!(User::new("1").with_login("ann@example.com").login(), Some("ann@example.com"));
    /// ```
    #[must_use]
    pub fn with_login(mut self, login: impl AsRef<str>) -> Self {
        self.login = Some(SmolStr::new(login));
        self
    }

    /// Sets the access level: the claim `access_level`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{AccessLevel, User};
    ///
    /// let user = User::new("1").with_access_level(AccessLevel::Administrator);
    /// assert!(user.is_administrator());
    /// ```
    #[must_use]
    pub fn with_access_level(mut self, access_level: AccessLevel) -> Self {
        self.access_level = access_level;
        self
    }

    /// The identifier: the claim `sub`.
    #[must_use]
    pub fn id(&self) -> &UserId {
        &self.id
    }

    /// The display name, which may change and need not be unique.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The login, which may change: find users by [`id`](Self::id), never by this (OpenID Connect
    /// Core §5.7).
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// The access level; [`AccessLevel::Regular`] unless the token says otherwise.
    #[must_use]
    pub fn access_level(&self) -> AccessLevel {
        self.access_level
    }

    /// Whether the access level is [`AccessLevel::Administrator`].
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.access_level == AccessLevel::Administrator
    }

    /// Whether the access level is [`AccessLevel::Regular`].
    #[must_use]
    pub fn is_regular(&self) -> bool {
        self.access_level == AccessLevel::Regular
    }
}

// The access level alone, since identities must not reach logs by accident.
partial_debug! { User(user) { access_level: user.access_level } }

named_enum! {
    /// The rights of a user. Levels are ordered: a higher level includes the lower.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::AccessLevel;
    ///
    /// assert!(AccessLevel::Administrator > AccessLevel::Regular);
    /// assert_eq!("administrator".parse(), Ok(AccessLevel::Administrator));
    /// ```
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[non_exhaustive]
    pub enum AccessLevel {
        /// The rights that the application gives to the user.
        #[default]
        Regular = "regular",
        /// All rights.
        Administrator = "administrator",
    }
    /// The level as the claim `access_level` spells it: `regular` or `administrator`.
    as_str
}

text_enum!(AccessLevel, "regular and administrator");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_level_is_parsed_exactly_and_errors_repeat_nothing() {
        for level in [AccessLevel::Regular, AccessLevel::Administrator] {
            assert_eq!(level.to_string().parse(), Ok(level));
            let json = serde_json::to_string(&level).unwrap();
            assert_eq!(json, format!("\"{level}\""));
            assert_eq!(serde_json::from_str::<AccessLevel>(&json).unwrap(), level);
        }
        for json in [
            "\"Administrator\"",
            "\"\"",
            "null",
            "1",
            "{\"administrator\":null}",
        ] {
            assert!(serde_json::from_str::<AccessLevel>(json).is_err(), "{json}");
        }
        let error = serde_json::from_str::<AccessLevel>("\"s3cret\"").unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
