//! A list of revocations.

use std::{collections::HashMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};

use super::{
    check::{RevocationCheck, RevocationStatus},
    table::Table,
    value::{Revocation, Target},
};
use crate::{
    identity::{Actor, SessionId, TokenId, UserId},
    session::Session,
    time::{Clock, NumericDate},
};

/// A list of revocations, in memory.
///
/// A clone shares the list: one clone goes to the verifier, another to the code that logs users
/// out. Once [`revoke`](Self::revoke) has returned, the sessions concerned are rejected. As the list
/// grows, it drops entries five minutes (the largest leeway) after their tokens have expired.
/// Issuers are never dropped: each takes 16 KiB for each kind of revocation that it has had: of one
/// session, of one token, and of all sessions before an instant.
///
/// # Examples
///
/// ```
/// use tower_session_token::{Revocation, RevocationCheck, RevocationList, RevocationStatus, Session};
/// # use std::time::Duration;
/// # use tower_session_token::{SessionToken, User};
/// # let token = SessionToken::builder(User::new("ann")).issuer("https://id.example.com").audience("orders")
/// #     .application_id("web-shop").lifetime(Duration::from_secs(600)).build()?;
/// # let session = Session::in_process(token);
///
/// let list = RevocationList::new();
/// assert_eq!(list.check(&session), RevocationStatus::Valid);
/// list.revoke(&Revocation::of(&session).expect("it has a token"));
/// assert_eq!(list.check(&session), RevocationStatus::Revoked);
/// # Ok::<(), tower_session_token::TokenError>(())
/// ```
#[derive(Clone)]
pub struct RevocationList {
    inner: Arc<ListInner>,
}

struct ListInner {
    clock: Clock,
    /// The tables of each issuer, which are never dropped.
    issuers: ArcSwap<HashMap<Box<str>, Arc<Tables>>>,
}

#[derive(Default)]
struct Tables {
    sessions: Table<SessionId, ()>,
    tokens: Table<TokenId, ()>,
    /// For a user, or `None` for the whole issuer: the instant before which the revoked sessions began.
    before: Table<Option<UserId>, NumericDate>,
}

impl Default for RevocationList {
    fn default() -> Self {
        Self::new()
    }
}

impl RevocationList {
    /// Makes an empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Clock::System)
    }

    /// Makes an empty list that drops expired entries by another clock than the system's; see
    /// [`SessionVerifierBuilder::clock`](crate::SessionVerifierBuilder::clock).
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{DateTime, Utc};
    /// use tower_session_token::RevocationList;
    ///
    /// let then: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    /// let list = RevocationList::with_clock(move || then);
    /// assert!(list.is_empty());
    /// ```
    #[must_use]
    pub fn with_clock(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self::with(Clock::Custom(Arc::new(now)))
    }

    fn with(clock: Clock) -> Self {
        Self {
            inner: Arc::new(ListInner {
                clock,
                issuers: ArcSwap::default(),
            }),
        }
    }

    /// Adds a revocation, and returns whether the list has changed.
    ///
    /// A revocation that is listed already, or that revokes less and ends no later than a listed
    /// one, changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{TimeDelta, Utc};
    /// use tower_session_token::{Revocation, RevocationList, SessionId};
    ///
    /// let list = RevocationList::new();
    /// let until = Utc::now() + TimeDelta::hours(1);
    /// let revocation = Revocation::session("https://id.example.com", &SessionId::from("s-1"), until);
    /// assert!(list.revoke(&revocation));
    /// assert!(!list.revoke(&revocation), "it is listed already");
    /// assert_eq!(list.len(), 1);
    /// ```
    #[expect(clippy::must_use_candidate, reason = "most callers need not know")]
    pub fn revoke(&self, revocation: &Revocation) -> bool {
        let now = self.now();
        match &revocation.0 {
            Target::Session { iss, id, until } => {
                self.tables(iss).sessions.insert(id, *until, now, ())
            }
            Target::Token { iss, id, until } => self.tables(iss).tokens.insert(id, *until, now, ()),
            Target::UserBefore {
                iss,
                id,
                before,
                until,
            } => {
                let user = Some(id.clone());
                self.tables(iss).before.insert(&user, *until, now, *before)
            }
            Target::IssuerBefore { iss, before, until } => {
                self.tables(iss).before.insert(&None, *until, now, *before)
            }
        }
    }

    /// Calls `f` with each entry, in no particular order: to save the list, for instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{TimeDelta, Utc};
    /// use tower_session_token::{Revocation, RevocationList, TokenId};
    ///
    /// let list = RevocationList::new();
    /// let until = Utc::now() + TimeDelta::hours(1);
    /// list.revoke(&Revocation::token("https://id.example.com", &TokenId::from("a-17"), until));
    /// let mut lines = Vec::new();
    /// list.for_each(|revocation| lines.push(revocation.to_string()));
    /// assert_eq!(lines.len(), 1);
    /// ```
    pub fn for_each(&self, mut f: impl FnMut(&Revocation)) {
        for (issuer, tables) in self.inner.issuers.load().iter() {
            let (iss, mut call) = (|| issuer.clone(), |target| f(&Revocation(target)));
            tables.sessions.for_each(|id, (), until| {
                let iss = iss();
                call(Target::Session { iss, id, until });
            });
            tables.tokens.for_each(|id, (), until| {
                let iss = iss();
                call(Target::Token { iss, id, until });
            });
            tables.before.for_each(|user, before, until| {
                let iss = iss();
                call(match user {
                    Some(id) => Target::UserBefore {
                        iss,
                        id,
                        before,
                        until,
                    },
                    None => Target::IssuerBefore { iss, before, until },
                });
            });
        }
    }

    /// Drops the entries that expired five minutes ago or earlier (the largest leeway), and returns the
    /// number of the others. It visits every entry.
    #[must_use]
    pub fn len(&self) -> usize {
        let now = self.now();
        let issuers = self.inner.issuers.load();
        issuers
            .values()
            .flat_map(|tables| {
                [
                    tables.sessions.len(now),
                    tables.tokens.len(now),
                    tables.before.len(now),
                ]
            })
            .sum()
    }

    /// Whether [`len`](Self::len) is 0. It visits every entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn now(&self) -> NumericDate {
        self.inner.clock.now()
    }

    fn tables(&self, issuer: &str) -> Arc<Tables> {
        if let Some(tables) = self.inner.issuers.load().get(issuer) {
            return Arc::clone(tables);
        }
        let new = Arc::<Tables>::default();
        self.inner.issuers.rcu(|had| {
            let mut issuers = HashMap::clone(had);
            issuers
                .entry(issuer.into())
                .or_insert_with(|| Arc::clone(&new));
            issuers
        });
        let issuers = self.inner.issuers.load();
        issuers.get(issuer).map_or(new, Arc::clone)
    }
}

impl RevocationCheck for RevocationList {
    fn check(&self, session: &Session) -> RevocationStatus {
        let Some(token) = session.token() else {
            return RevocationStatus::Valid;
        };
        let issuers = self.inner.issuers.load();
        let Some(tables) = issuers.get(token.issuer().unwrap_or_default()) else {
            return RevocationStatus::Valid;
        };
        let began_at = token.began_at();
        let is_revoked_session = |id| tables.sessions.get(id).is_some();
        let is_revoked_before = |user: Option<&UserId>, began_at: Option<NumericDate>| {
            let before = tables.before.get(&user.cloned());
            before.is_some_and(|before| began_at.is_none_or(|began_at| began_at < before))
        };
        // A nested session ends with its parents, which began before it.
        let mut outer = session.actor().into_iter().flat_map(Actor::chain);
        let is_revoked = is_revoked_session(session.id())
            || token.id().is_some_and(|id| tables.tokens.get(id).is_some())
            || is_revoked_before(Some(session.user().id()), began_at)
            || is_revoked_before(None, began_at)
            || outer.any(|actor| {
                let began_at = began_at.min(token.actor_began_at(actor).or(began_at));
                actor.session_id().is_some_and(is_revoked_session)
                    || is_revoked_before(Some(actor.user_id()), began_at)
            });
        if is_revoked {
            RevocationStatus::Revoked
        } else {
            RevocationStatus::Valid
        }
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the length, which takes locks.
        f.debug_struct("RevocationList").finish_non_exhaustive()
    }
}
