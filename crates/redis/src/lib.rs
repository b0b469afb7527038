//! Revocations that all processes of a service share through Redis or Valkey, and decide locally.
//!
//! A process holds every revocation in memory and knows how old its copy is: a request costs no round
//! trip, and one that cannot be decided gets *unknown* (503) instead of a guess. The engine is Redis
//! 6.2 or later, or Valkey, with one primary; Sentinel, TLS and credentials belong to the connection
//! that the [builder](RedisRevocationsBuilder) is given.
//!
//! # Examples
//!
//! ```no_run
//! use std::time::Duration;
//! use tower_session_token::{Revocation, Session, SessionVerifier, VerifyingKey};
//! use tower_session_token_redis::RedisRevocations;
//!
//! # async fn run(session: &Session) -> Result<(), Box<dyn std::error::Error>> {
//! # let (key, shutdown) = (VerifyingKey::hs256([7; 32])?, std::future::pending::<()>());
//! let (revocations, driver) = RedisRevocations::builder("shop")
//!     .client(redis::Client::open("redis://orders@redis.internal")?)
//!     .max_age(Duration::from_secs(60))
//!     .build()?;
//! tokio::spawn(driver.run(shutdown));
//! revocations.ready(Duration::from_secs(10)).await?; // or serve at once, and answer 503
//! let verifier = SessionVerifier::builder()
//!     .key(key)
//!     .issuer("https://id.example.com")
//!     .audience("orders")
//!     .revocation(revocations.clone())
//!     .build()?;
//!
//! // When a user logs out:
//! if let Some(revocation) = Revocation::of(session) {
//!     revocations.revoke(revocation).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! T is the instant at which [`revoke`](RedisRevocations::revoke) returned `Ok`, and Y is
//! [`max_age`](RedisRevocationsBuilder::max_age). Clocks run at the right rate. The tests named are
//! in `tests/fleet`, and run against real engines.
//!
//! | | guarantee | test |
//! | --- | --- | --- |
//! | G1 | Once `revoke` has returned, `Ok` or not, this process rejects what is revoked. | `a_revocation_without_an_engine_is_enforced_here_and_published_later` |
//! | G2 | From T + Y on, each process rejects it or answers *unknown*, whatever its network does, since it is fresh only by a complete read that it sent after T. The engine is the primary, and kept what it had acknowledged. | `a_process_that_is_cut_off_answers_unknown_beyond_the_age_and_the_others_do_not_notice`, `a_stopped_engine_is_bridged_within_the_age_and_unknown_beyond` |
//! | G3 | A connected process rejects it after a network delay and at most 5 ms. | `every_process_gets_every_revocation` |
//! | G4 | Nothing is accepted before the first complete read. | `a_process_that_starts_without_an_engine_accepts_nothing_before_it_has_read_one` |
//! | G5 | What a process rejected it rejects until the revocation's `until` and five minutes, whatever is lost, repeated or reordered. | `a_flush_changes_no_decision_and_is_repaired` |
//! | G6 | What the engine lost, and one live process that may write had applied, is in the engine again 20 s after that process has reconnected; of more than 10,000 entries, that many in each 20 s. | `a_flush_changes_no_decision_and_is_repaired`, `a_killed_engine_loses_nothing_that_it_acknowledged` |
//! | G7 | *Not promised:* an acknowledged write that died with its primary *and* with every process that had read it; freshness beside an isolated old primary without [`replicas`](RedisRevocationsBuilder::replicas), and with them for the ten seconds that a replica's silence is noticed after. | `an_isolated_old_primary_stops_being_believed_where_a_replica_is_wanted` |
//!
//! # In the engine
//!
//! The fleet `shop` has three streams of one hash slot: `tst:{shop}:rev:1h`, `:1d` and `:8d`. A
//! revocation is written to the first that outlasts its [`until`](tower_session_token::Revocation::until),
//! as one field, `r`, with the JSON that [`Revocation`](tower_session_token::Revocation) writes; a later form would have another name, and
//! what a process cannot read it counts and skips. The streams hold identifiers of sessions and users,
//! and no token or key. Writers trim what is older than the name and ten minutes, by the engine's clock.
//!
//! An ACL that is enough; a process that only reads, and puts nothing back, does without the last line:
//!
//! ```text
//! ACL SETUSER orders on >password resetchannels -@all ~tst:{shop}:rev:*
//!     +xread +xrange +info +hello +select +ping
//!     +xadd +xtrim +wait
//! ```
//!
//! Each process holds two connections. A read is sent every second; one that takes two is given up
//! with its connection. Reconnecting is tried for ever, at least every 1.5 s.

mod builder;
mod connect;
mod error;
mod health;
mod reader;
mod repair;
mod revocations;
mod shared;
mod wire;
mod writer;

pub use builder::RedisRevocationsBuilder;
pub use error::{BuildError, NotReady, PublishError, PublishErrorKind};
pub use health::{Health, Problem, State};
pub use revocations::{Driver, RedisRevocations};
