//! The ambient session, for code without access to the request.

use std::{
    cell::RefCell,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::session::Session;
use crate::debug::partial_debug;

thread_local! {
    static CURRENT: RefCell<Option<Session>> = const { RefCell::new(None) };
}

/// Access to the ambient session of the running code.
///
/// The layer sets it around the inner service: `call` and every poll of its future run in the
/// scope of the request's session, or of none where an optional layer admitted a request without
/// one. [`scope`](Self::scope) and [`sync_scope`](Self::sync_scope) put another session in its
/// place, such as a [nested](Session::nested) one. Scopes nest, and the previous session is restored
/// after every poll, on a panic and on drop.
///
/// Code that runs elsewhere does not see it: a streamed body, the worker of a
/// `tower::buffer::Buffer`, a spawned task or thread. Wrap a future that is spawned in
/// [`propagate`](Self::propagate), and a closure in [`propagate_fn`](Self::propagate_fn). No
/// particular runtime is needed.
///
/// Anything polled inside a scope sees its session, even another request's work: a future that
/// several requests share runs in the scope of the request that polls it, and a thread of a
/// work-stealing pool that waits inside a scope may run another job meanwhile. Wrap shared work in
/// a [`scope`](Self::scope) of its own.
///
/// # Examples
///
/// ```
/// use tower_session_token::{Session, SessionContext, User};
///
/// let session = Session::system(User::new("nightly-report"));
/// SessionContext::sync_scope(session, || {
///     let current = SessionContext::current().unwrap();
///     assert_eq!(current.user().id().to_string(), "nightly-report");
/// });
/// assert!(SessionContext::current().is_none());
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SessionContext;

impl SessionContext {
    /// Returns the ambient session; `None` outside of any scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, SessionContext, User};
    ///
    /// assert!(SessionContext::current().is_none());
    /// let session = Session::system(User::new("nightly-report"));
    /// SessionContext::sync_scope(session, || assert!(SessionContext::current().is_some()));
    /// ```
    #[must_use]
    pub fn current() -> Option<Session> {
        CURRENT
            .try_with(|current| current.borrow().clone())
            .unwrap_or_default()
    }

    /// Wraps `future` so that `session` is the ambient one at every poll and at its drop.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, SessionContext, User};
    ///
    /// # futures_executor::block_on(async {
    /// let outer = Session::system(User::new("outer"));
    /// let inner = Session::system(User::new("inner"));
    /// SessionContext::scope(outer, async {
    ///     SessionContext::scope(inner, async {
    ///         assert_eq!(SessionContext::current().unwrap().user().id().to_string(), "inner");
    ///     })
    ///     .await;
    ///     assert_eq!(SessionContext::current().unwrap().user().id().to_string(), "outer");
    /// })
    /// .await;
    /// # });
    /// ```
    pub fn scope<F: Future>(session: Session, future: F) -> SessionScope<F> {
        SessionScope::new(Some(session), future)
    }

    /// Calls `f` with `session` as the ambient one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, SessionContext, User};
    ///
    /// let session = Session::system(User::new("nightly-report"));
    /// let user = SessionContext::sync_scope(session, || {
    ///     SessionContext::current().map(|session| session.user().id().to_string())
    /// });
    /// assert_eq!(user.as_deref(), Some("nightly-report"));
    /// ```
    pub fn sync_scope<T>(session: Session, f: impl FnOnce() -> T) -> T {
        let mut slot = Some(session);
        let _entered = Entered::new(&mut slot);
        f()
    }

    /// Wraps `future` so that the current ambient session, or none, is the ambient one wherever it
    /// runs, such as in a spawned task.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, SessionContext, User};
    ///
    /// let session = Session::system(User::new("parent"));
    /// let task = SessionContext::sync_scope(session, || {
    ///     SessionContext::propagate(async { SessionContext::current() })
    /// });
    /// let seen = std::thread::spawn(|| futures_executor::block_on(task)).join().unwrap();
    /// assert_eq!(seen.unwrap().user().id().to_string(), "parent");
    /// ```
    pub fn propagate<F: Future>(future: F) -> SessionScope<F> {
        SessionScope::new(Self::current(), future)
    }

    /// Wraps `f` so that the current ambient session, or none, is the ambient one in the thread that
    /// calls it, such as one of `spawn_blocking`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, SessionContext, User};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let session = Session::system(User::new("parent"));
    /// let seen = SessionContext::scope(session, async {
    ///     let job = SessionContext::propagate_fn(|| SessionContext::current());
    ///     tokio::task::spawn_blocking(job).await
    /// })
    /// .await?;
    /// assert_eq!(seen.unwrap().user().id().to_string(), "parent");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn propagate_fn<F, T>(f: F) -> impl FnOnce() -> T
    where
        F: FnOnce() -> T,
    {
        let mut slot = Self::current();
        move || {
            let _entered = Entered::new(&mut slot);
            f()
        }
    }

    /// Whether `session` is the ambient one, and not only equal to it.
    pub(crate) fn is_current(session: &Session) -> bool {
        Self::current().is_some_and(|current| current.is_same(session))
    }
}

/// A guard that makes the slot's session, or none, the ambient one until its drop. The slot holds
/// the previous one meanwhile: swapping costs no reference count at a poll, as cloning would.
pub(crate) struct Entered<'a> {
    slot: &'a mut Option<Session>,
}

impl<'a> Entered<'a> {
    #[inline]
    pub(crate) fn new(slot: &'a mut Option<Session>) -> Self {
        exchange(slot);
        Self { slot }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        exchange(self.slot);
    }
}

/// Swaps the slot with the ambient session, except in a thread whose thread-locals are destroyed.
#[inline]
fn exchange(slot: &mut Option<Session>) {
    let _ = CURRENT.try_with(|current| mem::swap(&mut *current.borrow_mut(), slot));
}

pin_project! {
    /// A future that runs in the scope of an ambient session; see [`SessionContext::scope`].
    #[must_use = "futures do nothing unless polled"]
    pub struct SessionScope<F> {
        // Emptied when it is ready or dropped, so that it is dropped inside the scope too.
        #[pin]
        future: Option<F>,
        session: Option<Session>,
    }

    impl<F> PinnedDrop for SessionScope<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                let _entered = Entered::new(this.session);
                this.future.set(None);
            }
        }
    }
}

impl<F> SessionScope<F> {
    pub(crate) fn new(session: Option<Session>, future: F) -> Self {
        Self {
            future: Some(future),
            session,
        }
    }
}

impl<F: Future> Future for SessionScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let _entered = Entered::new(this.session);
        let output = ready!(future.poll(cx));
        this.future.set(None);
        Poll::Ready(output)
    }
}

partial_debug! { SessionScope<F>(scope) { session: scope.session } }
