//! The connection that reads.

use std::{
    convert::Infallible,
    mem,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use tokio::{task, time};
use tower_session_token::RevocationFeed;

use crate::{
    connect::{self, Backoff, random_up_to},
    health::Problem,
    repair::Repair,
    shared::Shared,
    wire::{self, Cursors},
};

/// So that a burst of revocations wakes a process 200 times a second at most.
const AFTER_ENTRIES: Duration = Duration::from_millis(5);
const BEFORE_ALL: Duration = Duration::from_millis(500);
/// How long entries are applied before other tasks run.
const WITHOUT_YIELD: Duration = Duration::from_micros(200);

pub(crate) async fn run(shared: &Shared, feed: &RevocationFeed) -> Infallible {
    let mut backoff = Backoff::default();
    loop {
        let Err(problem) = follow(shared, feed, &mut backoff).await;
        shared.set_read_problem(Some(problem), false);
        backoff.pause().await;
    }
}

/// Reads everything, and then what comes, until there is a problem.
async fn follow(
    shared: &Shared,
    feed: &RevocationFeed,
    backoff: &mut Backoff,
) -> Result<Infallible, Problem> {
    let mut connection = connect::open(&shared.connect).await?;
    if wire::evicts(&mut connection).await? {
        return Err(Problem::Evicts);
    }
    // What was acknowledged before is in the first complete read, or was lost.
    shared.forget_written();
    // An empty process has nothing to put back.
    let is_new = shared.mirror.list().is_empty();
    let mut repair = if is_new {
        Repair::Done
    } else {
        Repair::start()
    };
    let (mut cursors, mut is_first) = (Cursors::default(), true);
    loop {
        let (asked, written) = (feed.asking(), shared.written());
        // So that an empty engine has been read at once; zero would be for ever.
        let at_once = mem::take(&mut is_first).then_some(Duration::from_millis(1));
        let wait = at_once.unwrap_or_else(|| repair.wait());
        let page = shared.streams.read(&mut connection, &cursors, wait).await?;
        if !page.is_primary {
            return Err(Problem::NotPrimary);
        }
        shared
            .unreadable
            .fetch_add(page.unreadable, Ordering::Relaxed);
        // Decoding them has taken as long.
        let mut runs_since = None;
        for revocation in &page.revocations {
            if runs_since.is_none_or(|since: Instant| WITHOUT_YIELD <= since.elapsed()) {
                task::yield_now().await;
                runs_since = Some(Instant::now());
            }
            feed.apply(revocation);
            repair.note(revocation);
        }
        cursors = page.cursors;
        let lacks_written = !page.is_full && !cursors.reach(&written);
        if page.has_lost || lacks_written || shared.has_overflowed.swap(false, Ordering::SeqCst) {
            shared.forget_written();
            (cursors, repair) = (Cursors::default(), Repair::start());
            // So that not all processes of a fleet read everything at once.
            time::sleep(random_up_to(BEFORE_ALL)).await;
            continue;
        }
        if page.is_full {
            continue;
        }
        if page.replicas < shared.replicas {
            shared.set_read_problem(Some(Problem::FewReplicas), repair.is_repairing());
        } else {
            feed.complete(asked);
            backoff.reset();
            repair.step(shared).await;
            shared.set_read_problem(None, repair.is_repairing());
        }
        if !page.revocations.is_empty() {
            time::sleep(AFTER_ENTRIES).await;
        }
    }
}
