//! Putting back what the engine has lost.

use std::{mem, sync::atomic::Ordering, time::Duration};

use chrono::{TimeDelta, Utc};
use tokio::{task, time::Instant};
use tower_session_token::{Revocation, RevocationList};

use crate::{
    connect::random_up_to,
    shared::{Entry, Shared},
};

/// The most revocations that are put back before the rest is looked for.
const AT_ONCE: usize = 10_000;
const BATCH: usize = 100;
const BATCH_EVERY: Duration = Duration::from_millis(100);
/// The process that begins first puts most of it back; the others find it there.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The comparison of what this process holds with what it has read of the engine.
pub(crate) enum Repair {
    /// The engine has all.
    Done,
    /// Being read from the start.
    Reading(RevocationList),
    /// It lacked something, and others may put it back first.
    Waiting(RevocationList, Instant),
    /// These are being put back, the last first, and the next batch at the instant.
    PuttingBack(RevocationList, Vec<Revocation>, Instant),
}

impl Repair {
    pub(crate) fn start() -> Self {
        Self::Reading(RevocationList::new())
    }

    pub(crate) fn is_repairing(&self) -> bool {
        // What is waited for is in the outbox, mostly.
        matches!(self, Self::PuttingBack(..))
    }

    /// How long the next read may wait for new entries.
    pub(crate) fn wait(&self) -> Duration {
        match self {
            Self::PuttingBack(..) => BATCH_EVERY,
            _ => Duration::from_secs(1),
        }
    }

    /// Notes an entry of the engine.
    pub(crate) fn note(&self, revocation: &Revocation) {
        match self {
            Self::Done => {}
            Self::Reading(engine) | Self::Waiting(engine, _) | Self::PuttingBack(engine, ..) => {
                engine.revoke(revocation);
            }
        }
    }

    /// Goes on, after a complete read.
    pub(crate) async fn step(&mut self, shared: &Shared) {
        *self = match mem::replace(self, Self::Done) {
            Self::Reading(engine) => match missing(shared, engine).await {
                Some((engine, _)) => {
                    Self::Waiting(engine, Instant::now() + random_up_to(LONGEST_WAIT))
                }
                None => Self::Done,
            },
            Self::Waiting(engine, due) if due <= Instant::now() => {
                match missing(shared, engine).await {
                    Some((engine, missing)) => Self::PuttingBack(engine, missing, Instant::now()),
                    None => Self::Done,
                }
            }
            Self::PuttingBack(engine, mut missing, due) if due <= Instant::now() => {
                put_back(shared, &engine, &mut missing);
                if missing.is_empty() {
                    Self::Waiting(engine, Instant::now())
                } else {
                    Self::PuttingBack(engine, missing, Instant::now() + BATCH_EVERY)
                }
            }
            other => other,
        };
    }
}

/// Queues the next batch, without what the engine has got meanwhile.
fn put_back(shared: &Shared, engine: &RevocationList, missing: &mut Vec<Revocation>) {
    for _ in 0..BATCH {
        let Ok(permit) = shared.outbox.try_reserve() else {
            return;
        };
        let Some(revocation) = missing.pop() else {
            return;
        };
        if engine.revoke(&revocation) {
            permit.send(Entry {
                revocation,
                acknowledge: None,
            });
            shared.put_back.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What this process holds, the engine lacks, and will not be over in a minute; `None` if nothing is. The lists
/// may be long: they are compared, and dropped, where no request waits.
async fn missing(
    shared: &Shared,
    engine: RevocationList,
) -> Option<(RevocationList, Vec<Revocation>)> {
    let held = shared.mirror.list().clone();
    let comparing = task::spawn_blocking(move || {
        let soon = Utc::now() + TimeDelta::seconds(60);
        let known = RevocationList::new();
        engine.for_each(|revocation| _ = known.revoke(revocation));
        let mut missing = Vec::new();
        held.for_each(|revocation| {
            if missing.len() < AT_ONCE && revocation.until() > soon && known.revoke(revocation) {
                missing.push(revocation.clone());
            }
        });
        (!missing.is_empty()).then_some((engine, missing))
    });
    // A runtime that shuts down runs no more of these, and drops the driver next.
    comparing.await.ok().flatten()
}
