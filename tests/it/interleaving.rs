//! Thousands of requests interleaved on a few threads, that panic and are dropped: each sees its
//! own session, at every poll, and nothing stays behind.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use serde_json::json;
use tokio::{
    runtime::Builder,
    task::{JoinSet, spawn, spawn_blocking, yield_now},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_session_token::{Session, SessionContext, SessionLayer, User};

use crate::support::{Body, bearer, token, verifier};

const REQUESTS: usize = 3000;
const WORKERS: usize = 4;
/// Message of the deliberate panics, to distinguish them from failed assertions.
const ON_PURPOSE: &str = "on purpose";

/// The course of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Plain,
    WithoutToken,
    PanicInCall,
    PanicInPoll,
    PanicInNestedScope,
    Nested,
    Spawned,
    Blocking,
    Aborted,
    DroppedInTheMiddle,
    DroppedElsewhere,
}

const WAYS: [Way; 11] = [
    Way::Plain,
    Way::WithoutToken,
    Way::PanicInCall,
    Way::PanicInPoll,
    Way::PanicInNestedScope,
    Way::Nested,
    Way::Spawned,
    Way::Blocking,
    Way::Aborted,
    Way::DroppedInTheMiddle,
    Way::DroppedElsewhere,
];

/// Counts the observations, and the wrong ones.
#[derive(Clone, Default)]
struct Seen {
    looks: Arc<AtomicUsize>,
    wrong: Arc<AtomicUsize>,
}

impl Seen {
    /// Checks that the ambient session is this user's, or absent.
    ///
    /// A mismatch is counted and does not panic: panics are part of the test, and happen in drops too.
    fn expect(&self, user: Option<&str>) {
        let current = SessionContext::current().map(|session| session.user().id().to_string());
        self.looks.fetch_add(1, Ordering::SeqCst);
        if current.as_deref() != user {
            self.wrong.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A future that must run, and be dropped, with this user's session as the ambient one.
    fn watch<F: Future>(&self, user: Option<&str>, future: F) -> Watched<F> {
        Watched {
            seen: self.clone(),
            user: user.map(Into::into),
            future: Box::pin(future),
        }
    }
}

struct Watched<F> {
    seen: Seen,
    user: Option<String>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.seen.expect(self.user.as_deref());
        let output = self.future.as_mut().poll(cx);
        self.seen.expect(self.user.as_deref());
        output
    }
}

impl<F> Drop for Watched<F> {
    fn drop(&mut self) {
        self.seen.expect(self.user.as_deref());
    }
}

/// Polls a future at most N `times`, and then drops it, finished or not.
async fn poll_at_most<F: Future>(times: usize, future: F) {
    let mut future = Box::pin(future);
    let mut left = times;
    poll_fn(|cx| match left.checked_sub(1) {
        None => Poll::Ready(()),
        Some(less) => {
            left = less;
            future.as_mut().poll(cx).map(|_| ())
        }
    })
    .await;
}

async fn yield_often(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// The handler, in the scope of `session`.
async fn handle(way: Way, number: usize, session: Option<Session>, seen: Seen) {
    let user = session
        .as_ref()
        .map(|session| session.user().id().to_string());
    let own = user.as_deref();
    yield_often(number % 4).await;
    match (way, session) {
        (Way::PanicInPoll, _) => panic!("{ON_PURPOSE}"),
        (Way::PanicInNestedScope, Some(session)) => {
            nested(&session, &seen, "panicking", true).await;
        }
        (Way::Spawned, _) => spawned(own, &seen).await,
        (Way::Blocking, Some(session)) => blocking(session, &seen).await,
        (
            Way::Nested | Way::Aborted | Way::DroppedInTheMiddle | Way::DroppedElsewhere,
            Some(session),
        ) => {
            // Two at once, in one task.
            tokio::join!(
                nested(&session, &seen, "left", false),
                nested(&session, &seen, "right", false)
            );
        }
        _ => {}
    }
    seen.expect(own);
    yield_often(3).await;
}

/// Two scopes, one in the other.
async fn nested(session: &Session, seen: &Seen, name: &str, panics: bool) {
    let own = session.user().id().to_string();
    let [outer, inner] = ["outer", "inner"].map(|place| format!("{place} {name} of {own}"));
    let of = |user: &str| Session::system(User::new(user));
    let innermost = SessionContext::scope(
        of(&inner),
        seen.watch(Some(&inner), async {
            yield_often(2).await;
            assert!(!panics, "{ON_PURPOSE}");
        }),
    );
    let outermost = seen.watch(Some(&outer), async {
        yield_now().await;
        innermost.await;
        yield_now().await;
    });
    SessionContext::scope(of(&outer), outermost).await;
    seen.expect(Some(&own));
}

async fn spawned(own: Option<&str>, seen: &Seen) {
    let with = seen.watch(own, yield_often(3));
    let without = seen.watch(None, yield_often(3));
    let with = spawn(SessionContext::propagate(with));
    let without = spawn(without);
    with.await.unwrap();
    without.await.unwrap();
}

async fn blocking(session: Session, seen: &Seen) {
    let own = session.user().id().to_string();
    let seen = seen.clone();
    let task = spawn_blocking(move || {
        seen.expect(None);
        SessionContext::sync_scope(session, || seen.expect(Some(&own)));
        seen.expect(None);
    });
    task.await.unwrap();
}

/// How a request's task ended: `Ok` is a response or a drop; a panic was on purpose or a failure.
fn outcome(done: Result<(), tokio::task::JoinError>) -> &'static str {
    match done {
        Ok(()) => "ended",
        Err(error) if error.is_cancelled() => "cancelled",
        Err(error) => {
            let said = error.into_panic();
            let text = said.downcast_ref::<&str>().copied();
            let text = text.or_else(|| said.downcast_ref::<String>().map(String::as_str));
            match text {
                Some(ON_PURPOSE) => "panicked",
                _ => "failed",
            }
        }
    }
}

#[test]
fn interleaved_requests_never_see_each_other_s_sessions() {
    let seen = Seen::default();
    let (parked, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let look_on = |count: &Arc<AtomicUsize>| {
        let (seen, count) = (seen.clone(), Arc::clone(count));
        move || {
            seen.expect(None);
            count.fetch_add(1, Ordering::SeqCst);
        }
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        // An idle worker, and a thread that stops, has no ambient session.
        .on_thread_park(look_on(&parked))
        .on_thread_stop(look_on(&stopped))
        .build()
        .unwrap();
    let mut outcomes = runtime.block_on(run(&seen));
    drop(runtime);
    seen.expect(None);
    assert_eq!(seen.wrong.load(Ordering::SeqCst), 0);
    assert!(seen.looks.load(Ordering::SeqCst) > 10 * REQUESTS);
    assert!(parked.load(Ordering::SeqCst) > 0);
    assert!(stopped.load(Ordering::SeqCst) >= WORKERS);

    // All ended as intended; an aborted request may have ended before.
    outcomes.sort_unstable_by_key(|(way, _)| WAYS.iter().position(|other| other == way));
    for (way, outcome) in outcomes {
        let meant: &[_] = match way {
            Way::PanicInCall | Way::PanicInPoll | Way::PanicInNestedScope => &["panicked"],
            Way::Aborted => &["ended", "cancelled"],
            _ => &["ended"],
        };
        assert!(meant.contains(&outcome), "{way:?}: {outcome}");
    }
}

async fn run(seen: &Seen) -> Vec<(Way, &'static str)> {
    let of_service = seen.clone();
    let service =
        SessionLayer::new(verifier())
            .optional()
            .layer(service_fn(move |request: Request<()>| {
                let session = request.extensions().get::<Session>().cloned();
                let (way, number) = *request.extensions().get::<(Way, usize)>().unwrap();
                let user = session
                    .as_ref()
                    .map(|session| session.user().id().to_string());
                let is_right = match way {
                    Way::WithoutToken => user.is_none(),
                    _ => user.as_deref() == Some(&format!("user-{number}")),
                };
                assert!(is_right, "{user:?}");
                of_service.expect(user.as_deref());
                assert!(way != Way::PanicInCall, "{ON_PURPOSE}");
                let handled = handle(way, number, session, of_service.clone());
                let watched = of_service.watch(user.as_deref(), handled);
                async {
                    watched.await;
                    Ok::<_, std::convert::Infallible>(Response::new(Body::default()))
                }
            }));
    let mut tasks = JoinSet::new();
    for number in 0..REQUESTS {
        let way = WAYS[number % WAYS.len()];
        let mut request = match way {
            Way::WithoutToken => Request::new(()),
            _ => bearer(&token(&json!({ "sub": format!("user-{number}") }))),
        };
        request.extensions_mut().insert((way, number));
        let (service, seen) = (service.clone(), seen.clone());
        let answered = async move {
            let response = service.oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
        };
        let polls = number % 9;
        let task = async move {
            seen.expect(None);
            match way {
                Way::DroppedInTheMiddle => poll_at_most(polls, answered).await,
                Way::DroppedElsewhere => {
                    let mut future = Box::pin(answered);
                    poll_at_most(polls, future.as_mut()).await;
                    // In another thread, and in the scope of another session.
                    let other = Session::system(User::new("other"));
                    let seen = seen.clone();
                    let dropped = spawn_blocking(move || {
                        SessionContext::sync_scope(other, || {
                            drop(future);
                            seen.expect(Some("other"));
                        });
                    });
                    dropped.await.unwrap();
                }
                // A request without a session has none in the scope of another one either.
                Way::WithoutToken => {
                    let other = Session::system(User::new("other"));
                    SessionContext::scope(other, answered).await;
                }
                _ => answered.await,
            }
            seen.expect(None);
        };
        tasks.spawn(async move { (way, outcome(spawn_and_join(way, number, task).await)) });
        if number % 50 == 0 {
            yield_now().await;
        }
    }
    tasks.join_all().await
}

/// Spawns a task, and returns how it ended; [`Way::Aborted`] aborts it after a while.
async fn spawn_and_join(
    way: Way,
    number: usize,
    task: impl Future<Output = ()> + Send + 'static,
) -> Result<(), tokio::task::JoinError> {
    let task = spawn(task);
    if way == Way::Aborted {
        yield_often(number % 13).await;
        task.abort();
    }
    task.await
}
