//! The user of a session.

use std::fmt;

use smol_str::SmolStr;

use super::id::UserId;
use crate::serde_text::{named_enum, text_enum};

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
    /// A user with neither name nor login and with [`AccessLevel::Regular`].
    #[must_use]
    pub fn new(id: impl Into<UserId>) -> Self {
        Self {
            id: id.into(),
            name: None,
            login: None,
            access_level: AccessLevel::Regular,
        }
    }

    /// Sets the name for display: the claim `name` (OpenID Connect Core §5.1).
    #[must_use]
    pub fn with_name(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(SmolStr::new(name));
        self
    }

    /// Sets the login: the claim `preferred_username` (OpenID Connect Core §5.1).
    #[must_use]
    pub fn with_login(mut self, login: impl AsRef<str>) -> Self {
        self.login = Some(SmolStr::new(login));
        self
    }

    /// Sets the access level: the claim `access_level`.
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

    /// The name for display, which may change and need not be unique.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The login that the user goes by, which may change; never a key to find the user by
    /// (OpenID Connect Core §5.7).
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// What the user may do.
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

/// Shows the access level alone: who the user is should not end in logs by chance.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("access_level", &self.access_level)
            .finish_non_exhaustive()
    }
}

named_enum! {
    /// What a user may do. Levels are ordered: a higher one includes the lower.
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
    #[non_exhaustive]
    pub enum AccessLevel {
        /// No rights beyond those that the application gives the user.
        #[default]
        Regular = "regular",
        /// Every right.
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
    fn access_levels_are_read_as_they_are_written_and_errors_repeat_nothing() {
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
