//! A revocation, as a value with a text form.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{
    error::ParseError,
    identity::{SessionId, TokenId, UserId},
    session::Session,
    time::NumericDate,
};

/// A revocation, as a value that processes send each other when a user logs out.
///
/// It has the issuer, the revoked session, token, user or issuer, and `until`: the expiry of the
/// last token concerned, after which a list drops the entry. Tokens without `iss`, which
/// [`any_issuer`](crate::SessionVerifierBuilder::any_issuer) accepts, belong to the issuer `""`.
///
/// `Display` writes a line of JSON, and `FromStr` reads it. Times are in milliseconds since 1970:
/// `until` is rounded up, and `before` down, as the `iat` of tokens that are issued here; see
/// [`user_before`](Self::user_before).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use chrono::Utc;
/// use tower_session_token::{Revocation, RevocationList, SessionId};
///
/// let id = SessionId::from("0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e77");
/// let in_an_hour = Utc::now() + Duration::from_secs(3600); // when its last token expires
/// let revocation = Revocation::session("https://id.example.com", &id, in_an_hour);
///
/// // In another process.
/// let received: Revocation = revocation.to_string().parse()?;
/// assert_eq!(received, revocation);
/// assert!(RevocationList::new().revoke(&received));
/// # Ok::<(), tower_session_token::ParseError>(())
/// ```
#[derive(Clone, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Revocation(pub(super) Target);

/// What is revoked, as its text form has it.
#[derive(Clone, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Target {
    Session {
        iss: Box<str>,
        id: SessionId,
        #[serde(with = "millis")]
        until: NumericDate,
    },
    Token {
        iss: Box<str>,
        id: TokenId,
        #[serde(with = "millis")]
        until: NumericDate,
    },
    UserBefore {
        iss: Box<str>,
        id: UserId,
        #[serde(with = "millis")]
        before: NumericDate,
        #[serde(with = "millis")]
        until: NumericDate,
    },
    IssuerBefore {
        iss: Box<str>,
        #[serde(with = "millis")]
        before: NumericDate,
        #[serde(with = "millis")]
        until: NumericDate,
    },
}

/// Milliseconds since 1970.
mod millis {
    use super::*;

    pub(super) fn serialize<S: Serializer>(date: &NumericDate, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(date.millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NumericDate, D::Error> {
        let date = NumericDate::from_millis(u64::deserialize(from)?);
        date.ok_or_else(|| D::Error::custom(INVALID))
    }
}

/// Rounds up to milliseconds.
fn ceil(instant: DateTime<Utc>) -> NumericDate {
    const ALMOST: Duration = Duration::from_nanos(999_999);
    let date = NumericDate::from(instant).saturating_add(ALMOST);
    date.to_millis().min(NumericDate::MAX)
}

impl Revocation {
    /// Revokes a session, with all its tokens and the sessions that are nested in it.
    ///
    /// A nested session whose token has [another issuer](crate::NestedTokenBuilder::issuer) is revoked
    /// under that issuer. `until` is the expiry of the last of these tokens, or later.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{TimeDelta, Utc};
    /// use tower_session_token::{Revocation, SessionId};
    ///
    /// let id = SessionId::from("0b5a6ae1-9f3c-4a55-8d3a-5c4a2f1b9e77");
    /// let until = Utc::now() + TimeDelta::hours(8);
    /// let revocation = Revocation::session("https://id.example.com", &id, until);
    /// assert!(revocation.to_string().starts_with(r#"{"kind":"session","iss":"https://id.example.com""#));
    /// ```
    #[must_use]
    pub fn session(issuer: &str, id: &SessionId, until: DateTime<Utc>) -> Self {
        let (iss, id, until) = (issuer.into(), id.clone(), ceil(until));
        Self(Target::Session { iss, id, until })
    }

    /// Revokes one token, whose expiry is `until`.
    ///
    /// The session's other tokens stay valid, and so do the sessions that are nested in it, since
    /// their tokens do not name the parent's token.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{TimeDelta, Utc};
    /// use tower_session_token::{Revocation, TokenId};
    ///
    /// let until = Utc::now() + TimeDelta::minutes(10);
    /// let revocation = Revocation::token("https://id.example.com", &TokenId::from("a-17"), until);
    /// ```
    #[must_use]
    pub fn token(issuer: &str, id: &TokenId, until: DateTime<Utc>) -> Self {
        let (iss, id, until) = (issuer.into(), id.clone(), ceil(until));
        Self(Target::Token { iss, id, until })
    }

    /// Revokes the sessions of a user that began before `before`, and those in which that user acts
    /// for another.
    ///
    /// `until` is the expiry of the last of their tokens, or later.
    ///
    /// A session began at the earlier of `auth_time` and `iat` in tokens of the types `session+jwt`
    /// and `nested-session+jwt`, and at `iat` in those of other types, since single sign-on opens new
    /// sessions by an old authentication. A session without `iat` is revoked. Where the issuer writes
    /// `iat` in milliseconds, as [`SessionIssuer`](crate::SessionIssuer) does, a sign-in right after
    /// `before` is accepted, and so is an earlier one in the same millisecond: add a millisecond to
    /// `before` to revoke that too. Where it writes whole seconds, tokens that are issued within the
    /// second of `before` are rejected.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use chrono::Utc;
    /// use tower_session_token::{Revocation, UserId};
    ///
    /// let now = Utc::now();
    /// let week = Duration::from_secs(7 * 24 * 3600);
    /// let everywhere = Revocation::user_before("https://id.example.com", &UserId::from("ann"), now, now + week);
    /// ```
    #[must_use]
    pub fn user_before(
        issuer: &str,
        id: &UserId,
        before: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Self {
        Self(Target::UserBefore {
            iss: issuer.into(),
            id: id.clone(),
            before: NumericDate::from(before).to_millis(),
            until: ceil(until),
        })
    }

    /// Revokes all sessions of an issuer that began before `before`, as after a leak of its key.
    ///
    /// `before` counts as in [`user_before`](Self::user_before), and `until` is the expiry of the last of
    /// their tokens, or later.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{TimeDelta, Utc};
    /// use tower_session_token::Revocation;
    ///
    /// let now = Utc::now();
    /// let revocation = Revocation::issuer_before("https://id.example.com", now, now + TimeDelta::days(7));
    /// ```
    #[must_use]
    pub fn issuer_before(issuer: &str, before: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let (iss, until) = (issuer.into(), ceil(until));
        let before = NumericDate::from(before).to_millis();
        Self(Target::IssuerBefore { iss, before, until })
    }

    /// Revokes this session, as when its user logs out; `None` where it has no token.
    ///
    /// `until` is the expiry of the session's token. For a session that has several tokens, use
    /// [`session`](Self::session) with the last expiry.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Revocation, RevocationList, Session};
    ///
    /// fn log_out(session: &Session, list: &RevocationList) {
    ///     if let Some(revocation) = Revocation::of(session) {
    ///         list.revoke(&revocation);
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn of(session: &Session) -> Option<Self> {
        let issuer = session.issuer().unwrap_or_default();
        Some(Self::session(issuer, session.id(), session.expires_at()?))
    }

    /// The expiry of the last token concerned, in whole milliseconds, at most the end of the year 9999.
    #[must_use]
    pub fn until(&self) -> DateTime<Utc> {
        let (Target::Session { until, .. }
        | Target::Token { until, .. }
        | Target::UserBefore { until, .. }
        | Target::IssuerBefore { until, .. }) = &self.0;
        until.to_date_time()
    }
}

const INVALID: ParseError = ParseError::new("not the text form of a revocation");

/// Writes a line of JSON.
impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&json)
    }
}

/// Parses the JSON that `Display` writes. A member that is missing or unknown is an error.
impl FromStr for Revocation {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text).map_err(|_| INVALID)
    }
}

/// Shows the kind and the instants: identifiers must not reach logs by accident.
impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, before, until) = match &self.0 {
            Target::Session { until, .. } => ("session", None, until),
            Target::Token { until, .. } => ("token", None, until),
            Target::UserBefore { before, until, .. } => ("user_before", Some(before), until),
            Target::IssuerBefore { before, until, .. } => ("issuer_before", Some(before), until),
        };
        f.debug_struct("Revocation")
            .field("kind", &kind)
            .field("before", &before)
            .field("until", until)
            .finish_non_exhaustive()
    }
}
