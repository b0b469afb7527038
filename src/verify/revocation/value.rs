//! A revocation, as a value with a text form.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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
/// `until` is rounded up, and `before` down, as the `iat` of tokens that are issued here.
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
#[serde(try_from = "Fields", into = "Fields")]
pub struct Revocation {
    issuer: Box<str>,
    target: Target,
    until: Millis,
}

#[derive(Clone, Eq, Hash, PartialEq)]
pub(super) enum Target {
    Session(SessionId),
    Token(TokenId),
    /// The sessions of a user, or without one of the issuer, that began before an instant.
    Before(Option<UserId>, Millis),
}

/// Milliseconds since 1970, in the range of [`NumericDate`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub(super) struct Millis(NumericDate);

impl Millis {
    fn rounded_down(instant: DateTime<Utc>) -> Self {
        Self(NumericDate::from(instant).to_millis().min(NumericDate::MAX))
    }

    fn rounded_up(instant: DateTime<Utc>) -> Self {
        const ALMOST: Duration = Duration::from_nanos(999_999);
        let date = NumericDate::from(instant).saturating_add(ALMOST);
        Self(date.to_millis().min(NumericDate::MAX))
    }

    pub(super) fn date(self) -> NumericDate {
        self.0
    }
}

impl TryFrom<u64> for Millis {
    type Error = ParseError;

    fn try_from(millis: u64) -> Result<Self, Self::Error> {
        NumericDate::from_millis(millis).map(Self).ok_or(INVALID)
    }
}

impl From<Millis> for u64 {
    fn from(millis: Millis) -> Self {
        millis.0.millis()
    }
}

impl Revocation {
    /// Revokes a session, with all its tokens and the sessions that are nested in it.
    ///
    /// `until` is the expiry of the last of these tokens, or later.
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
        Self::new(issuer, Target::Session(id.clone()), until)
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
        Self::new(issuer, Target::Token(id.clone()), until)
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
    /// `before` is accepted; where it writes whole seconds, tokens that are issued within the second
    /// of `before` are rejected.
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
        let before = Millis::rounded_down(before);
        Self::new(issuer, Target::Before(Some(id.clone()), before), until)
    }

    /// Revokes all sessions of an issuer that began before `before`, as after a leak of its key.
    ///
    /// `until` is the expiry of the last of their tokens, or later.
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
        let before = Millis::rounded_down(before);
        Self::new(issuer, Target::Before(None, before), until)
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

    fn new(issuer: &str, target: Target, until: DateTime<Utc>) -> Self {
        Self {
            issuer: issuer.into(),
            target,
            until: Millis::rounded_up(until),
        }
    }

    pub(super) fn from_list(issuer: &str, target: Target, until: NumericDate) -> Self {
        Self::new(issuer, target, until.to_date_time())
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn until(&self) -> NumericDate {
        self.until.date()
    }
}

impl Target {
    pub(super) fn before(user: Option<UserId>, before: NumericDate) -> Self {
        Self::Before(user, Millis(before))
    }
}

const INVALID: ParseError = ParseError::new("not the text form of a revocation");

/// The members of the text form.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    kind: Kind,
    iss: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Millis>,
    until: Millis,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Session,
    Token,
    UserBefore,
    IssuerBefore,
}

impl From<Revocation> for Fields {
    fn from(revocation: Revocation) -> Self {
        let (kind, id, before) = match revocation.target {
            Target::Session(id) => (Kind::Session, Some(id.to_string()), None),
            Target::Token(id) => (Kind::Token, Some(id.to_string()), None),
            Target::Before(Some(id), before) => {
                (Kind::UserBefore, Some(id.to_string()), Some(before))
            }
            Target::Before(None, before) => (Kind::IssuerBefore, None, Some(before)),
        };
        Self {
            kind,
            iss: revocation.issuer.into(),
            id,
            before,
            until: revocation.until,
        }
    }
}

impl TryFrom<Fields> for Revocation {
    type Error = ParseError;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let target = match (fields.kind, fields.id, fields.before) {
            (Kind::Session, Some(id), None) => Target::Session(id.into()),
            (Kind::Token, Some(id), None) => Target::Token(id.into()),
            (Kind::UserBefore, Some(id), Some(before)) => Target::Before(Some(id.into()), before),
            (Kind::IssuerBefore, None, Some(before)) => Target::Before(None, before),
            _ => return Err(INVALID),
        };
        Ok(Self {
            issuer: fields.iss.into(),
            target,
            until: fields.until,
        })
    }
}

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
        let (kind, before) = match &self.target {
            Target::Session(_) => ("session", None),
            Target::Token(_) => ("token", None),
            Target::Before(Some(_), before) => ("user_before", Some(before)),
            Target::Before(None, before) => ("issuer_before", Some(before)),
        };
        f.debug_struct("Revocation")
            .field("kind", &kind)
            .field("before", &before)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
