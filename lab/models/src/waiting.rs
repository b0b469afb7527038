//! Requests that wait for keys, and the task that fetches these: `src/remote/driver.rs`,
//! `src/verify/unknown_key.rs` and `src/middleware/wait.rs`.
//!
//! Nothing blocks here: a future is polled until it is pending, on its own thread first, and once the
//! threads have ended for as long as it has been woken. Whoever is pending then waits for ever.

use loom::{
    model,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// How requests and the task take turns.
#[derive(Clone, Copy)]
struct Protocol {
    /// A request listens for the end of a read before it looks at the keys.
    listens_first: bool,
    /// The task releases the requests after it has changed what they look at.
    releases_last: bool,
    /// A call that comes before the task sleeps is kept.
    keeps_calls: bool,
    /// The task releases the requests when it ends.
    releases_at_the_end: bool,
    /// A request that is dropped makes room.
    drop_makes_room: bool,
}

const OURS: Protocol = Protocol {
    listens_first: true,
    releases_last: true,
    keeps_calls: true,
    releases_at_the_end: true,
    drop_makes_room: true,
};

/// `Shared`, and a store that has the key of the requests or not.
struct Keys {
    protocol: Protocol,
    has_key: AtomicBool,
    state: Mutex<State>,
    /// `asked`: whether the task is called, and whether it sleeps.
    is_called: AtomicBool,
    is_asleep: AtomicBool,
    /// `done`: the number of calls of `notify_waiters`.
    done: AtomicUsize,
    /// The number of requests that may wait.
    room: AtomicUsize,
}

#[derive(Default)]
struct State {
    is_asked: bool,
    is_stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Accepted,
    Awaited,
    Unavailable,
}

impl Keys {
    fn new(protocol: Protocol, room: usize) -> Arc<Self> {
        Arc::new(Self {
            protocol,
            has_key: AtomicBool::new(false),
            state: Mutex::new(State::default()),
            is_called: AtomicBool::new(false),
            is_asleep: AtomicBool::new(false),
            done: AtomicUsize::new(0),
            room: AtomicUsize::new(room),
        })
    }

    /// `SessionVerifier::verify`, with `Source::ask`.
    fn verify(&self) -> Answer {
        if self.has_key.load(Ordering::Acquire) {
            return Answer::Accepted;
        }
        {
            let mut state = self.state.lock().unwrap();
            if state.is_stopped {
                return Answer::Unavailable;
            }
            state.is_asked = true;
        }
        if self.protocol.keeps_calls || self.is_asleep.load(Ordering::Acquire) {
            self.is_called.swap(true, Ordering::AcqRel);
        }
        Answer::Awaited
    }

    /// `Driver::drop`.
    fn end(&self) {
        self.has_key.store(false, Ordering::Release);
        self.state.lock().unwrap().is_stopped = true;
        if self.protocol.releases_at_the_end {
            self.release();
        }
    }

    /// `notify_waiters`
    fn release(&self) {
        self.done.fetch_add(1, Ordering::AcqRel);
    }

    /// `notified`, which listens before it is polled.
    fn listen(&self) -> usize {
        self.done.load(Ordering::Acquire)
    }
}

/// `verify_or_wait`, or `Parked`.
struct Request {
    keys: Arc<Keys>,
    answer: Answer,
    /// What was listened for, while it has a place: the `Wait`.
    wait: Option<usize>,
}

impl Request {
    fn new(keys: &Arc<Keys>) -> Self {
        let mut request = Self {
            answer: keys.verify(),
            keys: keys.clone(),
            wait: None,
        };
        let take_place = || {
            let less = |room: usize| room.checked_sub(1);
            keys.room
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, less)
        };
        if request.answer == Answer::Awaited && take_place().is_ok() {
            request.look();
        }
        request
    }

    /// In a thread of its own: the request, once it is pending or over.
    fn spawn(keys: &Arc<Keys>) -> thread::JoinHandle<Self> {
        let keys = keys.clone();
        thread::spawn(move || {
            let mut request = Self::new(&keys);
            while request.poll() {}
            request
        })
    }

    fn look(&mut self) {
        let before = self.keys.listen();
        self.answer = self.keys.verify();
        self.wait = Some(if self.keys.protocol.listens_first {
            before
        } else {
            self.keys.listen()
        });
        if self.answer != Answer::Awaited {
            self.leave();
        }
    }

    fn leave(&mut self) {
        if self.wait.take().is_some() {
            self.keys.room.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// `false` if it is pending, or over.
    fn poll(&mut self) -> bool {
        let is_woken = self.wait.is_some_and(|wait| wait != self.keys.listen());
        if is_woken {
            self.look();
        }
        is_woken
    }
}

/// `Driver`, with what its reads on demand find.
struct Task {
    keys: Arc<Keys>,
    reads: &'static [bool],
    is_asleep: bool,
}

impl Task {
    fn new(keys: &Arc<Keys>, reads: &'static [bool]) -> Self {
        Self {
            keys: keys.clone(),
            reads,
            is_asleep: false,
        }
    }

    /// `false` if it is pending, or over.
    fn poll(&mut self) -> bool {
        let keys = &*self.keys;
        if self.is_asleep && !keys.is_called.swap(false, Ordering::AcqRel) {
            return false;
        }
        self.is_asleep = false;
        keys.is_asleep.store(false, Ordering::Release);
        let [finds_key, rest @ ..] = self.reads else {
            return false;
        };
        if !keys.state.lock().unwrap().is_asked {
            keys.is_asleep.store(true, Ordering::Release);
            self.is_asleep = true;
            return true;
        }
        self.reads = rest;
        if !keys.protocol.releases_last {
            keys.release();
        }
        if *finds_key {
            keys.has_key.store(true, Ordering::Release);
            keys.state.lock().unwrap().is_asked = false;
        }
        if keys.protocol.releases_last {
            keys.release();
        }
        true
    }
}

/// A request waits for a key that the last of these reads brings.
fn wait_for_a_key(protocol: Protocol, reads: &'static [bool]) {
    model(move || {
        let keys = Keys::new(protocol, 1);
        let mut task = Task::new(&keys, reads);
        let request = Request::spawn(&keys);
        while task.poll() {}
        let mut request = request.join().unwrap();
        while task.poll() || request.poll() {}
        assert_eq!(request.answer, Answer::Accepted, "a wake-up was lost");
        assert_eq!(keys.room.load(Ordering::Acquire), 1, "a place was lost");
    });
}

#[test]
fn a_request_that_waits_is_released_by_the_read_that_brings_its_key() {
    wait_for_a_key(OURS, &[true]);
    wait_for_a_key(OURS, &[false, true]);
}

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn listening_after_a_look_at_the_keys_would_not_do() {
    let protocol = Protocol {
        listens_first: false,
        ..OURS
    };
    wait_for_a_key(protocol, &[true]);
}

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn releasing_before_the_keys_are_in_force_would_not_do() {
    let protocol = Protocol {
        releases_last: false,
        ..OURS
    };
    wait_for_a_key(protocol, &[true]);
}

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn a_call_that_only_wakes_a_sleeping_task_would_not_do() {
    let protocol = Protocol {
        keeps_calls: false,
        ..OURS
    };
    wait_for_a_key(protocol, &[true]);
}

/// The task ends, with its runtime, while a request comes and waits.
fn task_ends(protocol: Protocol) {
    model(move || {
        let keys = Keys::new(protocol, 1);
        let request = Request::spawn(&keys);
        keys.end();
        assert_eq!(keys.verify(), Answer::Unavailable);
        let mut request = request.join().unwrap();
        while request.poll() {}
        assert_eq!(request.answer, Answer::Unavailable, "a wake-up was lost");
        assert_eq!(keys.room.load(Ordering::Acquire), 1, "a place was lost");
    });
}

#[test]
fn no_request_waits_for_a_task_that_has_ended() {
    task_ends(OURS);
}

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn a_task_that_ends_in_silence_would_not_do() {
    task_ends(Protocol {
        releases_at_the_end: false,
        ..OURS
    });
}

/// Two requests come where there is room for one, and one of them is dropped while it waits.
fn drop_while_waiting(protocol: Protocol) {
    model(move || {
        let keys = Keys::new(protocol, 1);
        let dropped = {
            let keys = keys.clone();
            thread::spawn(move || {
                let mut request = Request::new(&keys);
                if keys.protocol.drop_makes_room {
                    request.leave();
                }
            })
        };
        let mut request = Request::new(&keys);
        let has_place = request.wait.is_some();
        dropped.join().unwrap();
        let mut task = Task::new(&keys, &[true]);
        while task.poll() || request.poll() {}
        // Without a place it was answered at once.
        assert!(!has_place || request.answer == Answer::Accepted);
        assert!(request.wait.is_none(), "a wake-up was lost");
        assert_eq!(keys.room.load(Ordering::Acquire), 1, "a place was lost");
    });
}

#[test]
fn a_request_that_is_dropped_makes_room_and_disturbs_no_other() {
    drop_while_waiting(OURS);
}

#[test]
#[should_panic(expected = "a place was lost")]
fn a_dropped_request_that_keeps_its_place_would_not_do() {
    drop_while_waiting(Protocol {
        drop_makes_room: false,
        ..OURS
    });
}
