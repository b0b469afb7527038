//! The connection that writes.

use std::{convert::Infallible, sync::atomic::Ordering, time::Duration};

use chrono::{TimeDelta, Utc};
use redis::aio::MultiplexedConnection;
use tokio::{sync::mpsc, time};

use crate::{
    connect::{self, Backoff},
    error::PublishErrorKind,
    health::Problem,
    shared::{Entry, Shared},
    wire::{self, Cursors},
};

/// The most revocations that wait for an acknowledgement, but for one batch.
pub(crate) const OUTBOX: usize = 10_000;
const BATCH: usize = 100;
/// The writes of a process after which it trims.
const TRIM_EVERY: usize = 64;
const IDLE: Duration = Duration::from_secs(10);
const MAX_CLOCK_DIFFERENCE: i64 = 60_000;

pub(crate) async fn run(shared: &Shared, outbox: &mut mpsc::Receiver<Entry>) -> Infallible {
    let (mut backoff, mut batch) = (Backoff::default(), Vec::new());
    loop {
        let Err(problem) = write(shared, outbox, &mut batch, &mut backoff).await;
        shared.set_write_problem(Some(problem));
        backoff.pause().await;
    }
}

/// Writes what comes, until there is a problem: then `batch` has what was not acknowledged.
async fn write(
    shared: &Shared,
    outbox: &mut mpsc::Receiver<Entry>,
    batch: &mut Vec<Entry>,
    backoff: &mut Backoff,
) -> Result<Infallible, Problem> {
    let mut connection = connect::open(&shared.connect).await?;
    let mut untrimmed = 0;
    loop {
        while batch.is_empty() {
            if time::timeout(IDLE, outbox.recv_many(batch, BATCH))
                .await
                .is_err()
            {
                wire::ping(&mut connection).await?;
            }
        }
        // Every list has dropped it five minutes after it is over.
        let over = Utc::now() - TimeDelta::minutes(5);
        batch.retain(|entry| entry.revocation.until() > over);
        let revocations = batch.iter().map(|entry| &entry.revocation);
        let adding = shared
            .streams
            .add(&mut connection, revocations, shared.replicas);
        let (last, confirmed) = adding.await?;
        shared.note_written(&last);
        if confirmed < shared.replicas {
            acknowledge(batch, Err(PublishErrorKind::NotReplicated));
            shared.set_write_problem(Some(Problem::FewReplicas));
        } else {
            acknowledge(batch, Ok(()));
            shared.set_write_problem(None);
        }
        backoff.reset();
        untrimmed += batch.len();
        batch.clear();
        if TRIM_EVERY <= untrimmed {
            untrimmed = 0;
            trim(shared, &mut connection, &last).await?;
        }
    }
}

fn acknowledge(batch: &mut [Entry], result: Result<(), PublishErrorKind>) {
    for entry in batch {
        if let Some(acknowledge) = entry.acknowledge.take() {
            // The caller may have gone.
            _ = acknowledge.send(result);
        }
    }
}

/// Trims by the engine's clock, unless that or ours is wrong.
async fn trim(
    shared: &Shared,
    connection: &mut MultiplexedConnection,
    last: &Cursors,
) -> Result<(), Problem> {
    let now = last.0.iter().map(|id| id.millis).max().unwrap_or_default();
    let difference = i64::try_from(now).unwrap_or(i64::MAX) - Utc::now().timestamp_millis();
    shared
        .clock_difference_millis
        .store(difference, Ordering::Relaxed);
    if difference.abs() <= MAX_CLOCK_DIFFERENCE {
        shared.streams.trim(connection, now).await?;
    }
    Ok(())
}
