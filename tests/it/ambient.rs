//! The ambient session: set in its scope, and nowhere else.

use std::{
    future::{Future, pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures_executor::block_on;
use http::{Request, Response};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_session_token::{Session, SessionContext, SessionLayer, User};

use crate::support::{Body, bearer, token, verifier};

fn of(user: &str) -> Session {
    Session::system(User::new(user))
}

fn current() -> Option<String> {
    SessionContext::current().map(|session| session.user().id().to_string())
}

fn is(user: &str) -> bool {
    current().as_deref() == Some(user)
}

#[test]
fn scopes_nest_and_restore() {
    assert_eq!(current(), None);
    SessionContext::sync_scope(of("a"), || {
        assert!(is("a"));
        SessionContext::sync_scope(of("b"), || assert!(is("b")));
        assert!(is("a"));
        block_on(SessionContext::scope(of("c"), async { assert!(is("c")) }));
        assert!(is("a"));
    });
    assert_eq!(current(), None);
}

#[test]
fn a_panic_ends_the_scope() {
    for _ in 0..2 {
        let caught = catch_unwind(|| {
            SessionContext::sync_scope(of("a"), || panic!("on purpose"));
        });
        assert!(caught.is_err());
        assert_eq!(current(), None);
    }
    let mut future = pin!(SessionContext::scope(of("a"), async {
        panic!("on purpose")
    }));
    let mut cx = Context::from_waker(Waker::noop());
    SessionContext::sync_scope(of("outer"), || {
        let poll = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(&mut cx).map(|()| ())
        }));
        assert!(poll.is_err());
        assert!(is("outer"));
    });
}

/// Records the ambient session at its drop.
struct Dropped(Arc<Mutex<Option<String>>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = current();
    }
}

#[test]
fn a_future_is_dropped_in_its_scope_which_then_ends() {
    let seen = Arc::new(Mutex::new(None));
    let guard = Dropped(Arc::clone(&seen));
    let mut future = Box::pin(SessionContext::scope(of("a"), async move {
        let _guard = guard;
        pending::<()>().await;
    }));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    assert_eq!(current(), None, "between polls");
    SessionContext::sync_scope(of("outer"), || {
        drop(future);
        assert!(is("outer"));
    });
    assert_eq!(seen.lock().unwrap().as_deref(), Some("a"));
}

#[test]
fn interleaved_polls_see_their_own_sessions() {
    let run = |user: &'static str| {
        SessionContext::scope(of(user), async move {
            for _ in 0..3 {
                assert!(is(user));
                yield_once().await;
            }
        })
    };
    let (mut a, mut b) = (pin!(run("a")), pin!(run("b")));
    let mut cx = Context::from_waker(Waker::noop());
    let mut polls = 0;
    while a.as_mut().poll(&mut cx).is_pending() {
        assert_eq!(current(), None);
        let _ = b.as_mut().poll(&mut cx);
        assert_eq!(current(), None);
        polls += 1;
    }
    assert_eq!(polls, 3);
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut yielded, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[test]
fn propagation_carries_the_session_or_its_absence() {
    let task = SessionContext::sync_scope(of("a"), || {
        SessionContext::propagate(async { assert!(is("a")) })
    });
    std::thread::spawn(|| block_on(task)).join().unwrap();
    let none = SessionContext::propagate(async { assert_eq!(current(), None) });
    SessionContext::sync_scope(of("b"), || block_on(none));
}

#[test]
fn a_propagated_closure_carries_the_session_or_its_absence() {
    let job = SessionContext::sync_scope(of("a"), || SessionContext::propagate_fn(current));
    assert_eq!(current(), None, "not before it runs");
    assert_eq!(
        std::thread::spawn(job).join().unwrap().as_deref(),
        Some("a")
    );

    let none = SessionContext::propagate_fn(current);
    SessionContext::sync_scope(of("b"), || {
        assert_eq!(none(), None);
        assert!(is("b"), "it is restored");
    });

    let panics = SessionContext::sync_scope(of("a"), || {
        SessionContext::propagate_fn(|| panic!("on purpose"))
    });
    SessionContext::sync_scope(of("outer"), || {
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert!(is("outer"));
    });
}

#[test]
fn the_layer_sets_the_session_around_call_and_future() {
    let service = SessionLayer::new(verifier()).layer(service_fn(|request: Request<()>| {
        let user = request
            .extensions()
            .get::<Session>()
            .unwrap()
            .user()
            .id()
            .to_string();
        assert!(is(&user), "in `call`");
        async move {
            yield_once().await;
            assert!(is(&user), "in a later poll");
            Ok::<_, std::convert::Infallible>(Response::new(Body::default()))
        }
    }));
    SessionContext::sync_scope(of("outer"), || {
        for user in ["a", "b"] {
            let request = bearer(&token(&json!({ "sub": user })));
            let mut future = pin!(service.clone().oneshot(request));
            let mut cx = Context::from_waker(Waker::noop());
            while future.as_mut().poll(&mut cx).is_pending() {
                assert!(is("outer"));
            }
            assert!(is("outer"));
        }
    });
}

#[test]
fn a_request_without_a_session_has_no_ambient_one() {
    let service = SessionLayer::new(verifier())
        .optional()
        .layer(service_fn(|_: Request<()>| {
            assert_eq!(current(), None);
            ready(Ok::<_, std::convert::Infallible>(Response::new(
                Body::default(),
            )))
        }));
    SessionContext::sync_scope(of("outer"), || {
        block_on(service.oneshot(Request::new(()))).unwrap();
        assert!(is("outer"));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn interleaved_requests_never_see_each_other() {
    let service = SessionLayer::new(verifier()).layer(service_fn(async |request: Request<()>| {
        let user = request
            .extensions()
            .get::<Session>()
            .unwrap()
            .user()
            .id()
            .to_string();
        for _ in 0..5 {
            tokio::task::yield_now().await;
            assert!(is(&user));
        }
        Ok::<_, std::convert::Infallible>(Response::new(Body::default()))
    }));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..2000 {
        let service = service.clone();
        let request = bearer(&token(&json!({ "sub": format!("user-{number}") })));
        let task = tasks.spawn(service.oneshot(request));
        if number % 7 == 0 {
            task.abort();
        }
    }
    while let Some(done) = tasks.join_next().await {
        assert!(done.is_ok() || done.unwrap_err().is_cancelled());
    }
    assert_eq!(current(), None);
}
