//! What the handles, the reader and the writer share.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, AtomicU64},
};

use tokio::sync::{mpsc, oneshot, watch};
use tower_session_token::{MirroredRevocations, Revocation};

use crate::{
    connect::Connect,
    error::PublishErrorKind,
    health::Problem,
    wire::{Cursors, Streams},
};

/// A revocation that the writer hands to the engine.
pub(crate) struct Entry {
    pub(crate) revocation: Revocation,
    /// Where the result goes, if somebody waits for it.
    pub(crate) acknowledge: Option<oneshot::Sender<Result<(), PublishErrorKind>>>,
}

pub(crate) struct Shared {
    pub(crate) mirror: MirroredRevocations,
    pub(crate) streams: Streams,
    pub(crate) replicas: usize,
    pub(crate) connect: Connect,
    pub(crate) outbox: mpsc::Sender<Entry>,
    pub(crate) status: watch::Sender<Status>,
    /// The last entries that the engine has acknowledged since the reader connected.
    written: Mutex<Cursors>,
    /// Whether a revocation found the outbox full, so that the engine lacks it.
    pub(crate) has_overflowed: AtomicBool,
    pub(crate) unreadable: AtomicU64,
    pub(crate) put_back: AtomicU64,
    pub(crate) clock_difference_millis: AtomicI64,
}

#[derive(Clone, Copy)]
pub(crate) struct Status {
    pub(crate) read_problem: Option<Problem>,
    pub(crate) write_problem: Option<Problem>,
    pub(crate) is_repairing: bool,
}

impl Shared {
    pub(crate) fn new(
        mirror: MirroredRevocations,
        streams: Streams,
        replicas: usize,
        connect: Connect,
        outbox: mpsc::Sender<Entry>,
    ) -> Arc<Self> {
        let status = Status {
            read_problem: Some(Problem::Unreachable),
            write_problem: None,
            is_repairing: false,
        };
        Arc::new(Self {
            mirror,
            streams,
            replicas,
            connect,
            outbox,
            status: watch::Sender::new(status),
            written: Mutex::default(),
            has_overflowed: AtomicBool::new(false),
            unreadable: AtomicU64::new(0),
            put_back: AtomicU64::new(0),
            clock_difference_millis: AtomicI64::new(0),
        })
    }

    pub(crate) fn written(&self) -> Cursors {
        *self.lock_written()
    }

    pub(crate) fn forget_written(&self) {
        *self.lock_written() = Cursors::default();
    }

    pub(crate) fn note_written(&self, cursors: &Cursors) {
        self.lock_written().advance(cursors);
    }

    fn lock_written(&self) -> std::sync::MutexGuard<'_, Cursors> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the problem of the reader, or that it has none.
    pub(crate) fn set_read_problem(&self, problem: Option<Problem>, is_repairing: bool) {
        self.status.send_if_modified(|status| {
            let is_new = status.read_problem != problem || status.is_repairing != is_repairing;
            status.read_problem = problem;
            status.is_repairing = is_repairing;
            is_new
        });
    }

    pub(crate) fn set_write_problem(&self, problem: Option<Problem>) {
        self.status.send_if_modified(|status| {
            let is_new = status.write_problem != problem;
            status.write_problem = problem;
            is_new
        });
    }
}
