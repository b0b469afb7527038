//! The handle, and the task behind it.

use std::{
    fmt,
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time,
};
use tower_session_token::{
    MirroredRevocations, Revocation, RevocationCheck, RevocationFeed, RevocationStatus, Session,
};

use crate::{
    error::{NotReady, PublishError, PublishErrorKind},
    health::{Health, State},
    reader,
    shared::{Entry, Shared},
    wire::Streams,
    writer,
};

const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(3);

/// The revocations of a fleet, for the verifier and for the code that logs users out.
///
/// A clone shares them. They need their [`Driver`] to run, and the tokio runtime for the methods that
/// wait. See the [crate](crate) for what is guaranteed.
#[derive(Clone)]
pub struct RedisRevocations {
    shared: Arc<Shared>,
}

/// The task that reads and writes the engine.
#[must_use = "the revocations are stale until it runs"]
pub struct Driver {
    shared: Arc<Shared>,
    feed: RevocationFeed,
    outbox: mpsc::Receiver<Entry>,
}

impl RedisRevocations {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Rejects what is revoked from now on in this process, whatever comes of the rest; publishes it, and
    /// waits for the engine's acknowledgement for up to three seconds. Dropping the future does not take
    /// it back.
    ///
    /// # Errors
    ///
    /// [`PublishError`] where the engine has not acknowledged it. Its [kind](PublishError::kind) says
    /// whether it is sent again.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), PublishError> {
        self.shared.mirror.list().revoke(&revocation);
        if !Streams::can_hold(&revocation) {
            return Err(PublishError(PublishErrorKind::OutOfRange));
        }
        let (sender, acknowledged) = oneshot::channel();
        let entry = Entry {
            revocation,
            acknowledge: Some(sender),
        };
        if let Err(TrySendError::Full(_)) = self.shared.outbox.try_send(entry) {
            // The reader will find that the engine lacks it.
            self.shared.has_overflowed.store(true, Ordering::SeqCst);
        }
        match time::timeout(ACKNOWLEDGED_WITHIN, acknowledged).await {
            Ok(Ok(result)) => result.map_err(PublishError),
            _ => Err(PublishError(PublishErrorKind::Unavailable)),
        }
    }

    /// Waits until the revocations are fresh, for up to `timeout`.
    ///
    /// # Errors
    ///
    /// [`NotReady`] if they are not by then.
    pub async fn ready(&self, timeout: Duration) -> Result<(), NotReady> {
        let mut status = self.shared.status.subscribe();
        let ready = status.wait_for(|_| self.shared.mirror.is_fresh());
        let in_time = time::timeout(timeout, ready).await.is_ok();
        if in_time {
            Ok(())
        } else {
            Err(NotReady(self.shared.status.borrow().read_problem))
        }
    }

    /// The local copy, with its age and its list.
    #[must_use]
    pub fn mirror(&self) -> &MirroredRevocations {
        &self.shared.mirror
    }

    /// The state and the figures, for readiness checks and metrics. It visits every entry.
    #[must_use]
    pub fn health(&self) -> Health {
        let Shared { mirror, outbox, .. } = &*self.shared;
        let status = *self.shared.status.borrow();
        let age = mirror.age();
        let state = match status.read_problem {
            _ if age.is_none() => State::Starting,
            _ if !mirror.is_fresh() => State::Stale,
            Some(_) => State::Silent,
            None if status.is_repairing => State::Repairing,
            None => State::Live,
        };
        Health {
            state,
            age,
            entries: mirror.list().len(),
            queued: outbox.max_capacity().saturating_sub(outbox.capacity()),
            unreadable: self.shared.unreadable.load(Ordering::Relaxed),
            put_back: self.shared.put_back.load(Ordering::Relaxed),
            read_problem: status.read_problem,
            write_problem: status.write_problem,
            clock_difference_millis: self.shared.clock_difference_millis.load(Ordering::Relaxed),
        }
    }
}

impl RevocationCheck for RedisRevocations {
    fn check(&self, session: &Session) -> RevocationStatus {
        self.shared.mirror.check(session)
    }
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        feed: RevocationFeed,
        outbox: mpsc::Receiver<Entry>,
    ) -> Self {
        Self {
            shared,
            feed,
            outbox,
        }
    }

    /// Reads and writes the engine until `shutdown` completes; the local copy then grows stale. Let it
    /// end after the requests have: a revocation that waits then is not published.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) {
        tokio::select! {
            () = shutdown => {}
            never = reader::run(&self.shared, &self.feed) => match never {},
            never = writer::run(&self.shared, &mut self.outbox) => match never {},
        }
    }
}

impl fmt::Debug for RedisRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRevocations")
            .field("mirror", &self.shared.mirror)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}
