//! A fleet and its engine in virtual time: what no order of events may break.
//!
//! `PROPTEST_CASES` sets how many orders are tried.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseResult, TestRunner},
};

use super::{
    check::{RevocationCheck, RevocationStatus},
    list::RevocationList,
    mirror::{Asked, MirroredRevocations, RevocationFeed},
    value::Revocation,
};
use crate::{Session, SessionToken, User, time::Clocks};

const MAX_AGE: u64 = 60;
/// The wall clock of [`STEPPED`] is set, and the steady one of [`SUSPENDED`] stands still at times; the
/// other clock of each, and both of a third process, run at the right rate.
const STEPPED: usize = 0;
const SUSPENDED: usize = 1;
const PROCESSES: usize = 3;
const SUBJECTS: usize = 4;

/// What happens to a process, by its number, or to all. A process that is stopped does nothing while
/// time goes by.
#[derive(Clone, Debug)]
enum Event {
    /// It revokes a subject, and queues that for the engine.
    Publish(usize, usize),
    /// The engine gets what is queued first; where the acknowledgement is lost, it is sent again.
    Deliver {
        to: usize,
        is_acknowledged: bool,
    },
    /// It sends a read.
    Ask(usize),
    /// The engine answers all reads of a process.
    Serve(usize),
    /// An answer arrives, in any order: all of it or the first half, and maybe once more later.
    Answer {
        to: usize,
        which: usize,
        is_whole: bool,
        is_repeated: bool,
    },
    /// A read or its answer is lost.
    Drop(usize, usize),
    /// All of them are.
    Reset(usize),
    /// The engine loses its last entries.
    LoseSuffix(usize),
    /// It puts back what the engine lacks.
    Repair(usize),
    /// It starts again, and knows nothing.
    Restart(usize),
    Advance(u64),
    /// As time goes by, the steady clock of [`SUSPENDED`] stands still.
    Suspend(u64),
    /// The wall clock of [`STEPPED`] is set forward or back.
    Step(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let process = || 0..PROCESSES;
    prop_oneof![
        3 => (process(), 0..SUBJECTS).prop_map(|(process, subject)| Event::Publish(process, subject)),
        4 => (process(), any::<bool>())
            .prop_map(|(to, is_acknowledged)| Event::Deliver { to, is_acknowledged }),
        4 => process().prop_map(Event::Ask),
        4 => process().prop_map(Event::Serve),
        6 => (process(), 0..4_usize, any::<bool>(), any::<bool>()).prop_map(
            |(to, which, is_whole, is_repeated)| Event::Answer { to, which, is_whole, is_repeated }
        ),
        1 => (process(), 0..4_usize).prop_map(|(process, which)| Event::Drop(process, which)),
        1 => process().prop_map(Event::Reset),
        1 => (1..3_usize).prop_map(Event::LoseSuffix),
        1 => process().prop_map(Event::Repair),
        1 => process().prop_map(Event::Restart),
        3 => (0..50_u64).prop_map(Event::Advance),
        1 => (0..90_u64).prop_map(Event::Suspend),
        1 => (-200..200_i64).prop_map(Event::Step),
    ]
}

/// What is revoked: a session, a token, a user's sessions, an issuer's.
struct Subjects(Vec<(Session, Revocation)>);

impl Subjects {
    fn new() -> Self {
        let instant = |seconds| DateTime::<Utc>::from_timestamp(seconds, 0).unwrap();
        let (before, until) = (instant(1_890_000_000), instant(1_900_000_000));
        let subject = |number: usize| {
            let issuer = format!("https://{number}.example.com");
            let token = SessionToken::builder(User::new("ann"))
                .issuer(&*issuer)
                .audience("orders")
                .application_id("web-shop")
                .lifetime(Duration::from_secs(600));
            let session = Session::in_process(token.build().unwrap());
            let token = session.token().unwrap();
            let revocation = match number {
                0 => Revocation::session(&issuer, session.id(), until),
                1 => Revocation::token(&issuer, token.id().unwrap(), until),
                2 => Revocation::user_before(&issuer, session.user().id(), before, until),
                _ => Revocation::issuer_before(&issuer, before, until),
            };
            (session, revocation)
        };
        Self((0..SUBJECTS).map(subject).collect())
    }

    fn number(&self, revocation: &Revocation) -> usize {
        let mut subjects = self.0.iter();
        subjects.position(|(_, own)| own == revocation).unwrap()
    }
}

/// An entry of the engine, and since when it stands there.
#[derive(Clone, Copy)]
struct Entry {
    subject: usize,
    since: u64,
}

#[derive(Clone)]
struct Read {
    asked: Asked,
    at: [u64; 2],
    answer: Option<Vec<usize>>,
}

struct Process {
    mirror: MirroredRevocations,
    feed: RevocationFeed,
    queued: VecDeque<usize>,
    reads: Vec<Read>,
    /// What it has rejected, and when the last complete read was asked for: what a mirror has to say.
    known: [bool; SUBJECTS],
    asked_at: Option<[u64; 2]>,
}

/// A steady clock and one that may be set, in seconds.
type Time = Arc<[AtomicU64; 2]>;

impl Process {
    fn start(time: &Time) -> Self {
        let (steady_and_wall, wall) = (Arc::clone(time), Arc::clone(time));
        let list = RevocationList::with_clock(move || {
            let seconds = wall[1].load(Relaxed).try_into().unwrap();
            DateTime::<Utc>::from_timestamp(seconds, 0).unwrap()
        });
        let clocks = move || {
            steady_and_wall
                .each_ref()
                .map(|clock| Duration::from_secs(clock.load(Relaxed)))
        };
        let max_age = Duration::from_secs(MAX_AGE);
        let clocks = Clocks::Custom(Arc::new(clocks));
        let (mirror, feed) = MirroredRevocations::with(list, max_age, clocks);
        Self {
            mirror,
            feed,
            queued: VecDeque::new(),
            reads: Vec::new(),
            known: [false; SUBJECTS],
            asked_at: None,
        }
    }
}

struct World<'a> {
    subjects: &'a Subjects,
    now: u64,
    times: [Time; PROCESSES],
    engine: Vec<Entry>,
    processes: [Process; PROCESSES],
}

impl<'a> World<'a> {
    fn new(subjects: &'a Subjects) -> Self {
        let time = || Arc::new([0, 1_800_000_000].map(AtomicU64::new));
        let times: [Time; PROCESSES] = std::array::from_fn(|_| time());
        Self {
            subjects,
            now: 0,
            processes: times.each_ref().map(Process::start),
            times,
            engine: Vec::new(),
        }
    }

    fn happen(&mut self, event: &Event) -> TestCaseResult {
        match *event {
            Event::Publish(at, subject) => {
                let process = &mut self.processes[at];
                let revocation = &self.subjects.0[subject].1;
                let is_new = process.mirror.list().revoke(revocation);
                prop_assert_eq!(is_new, !process.known[subject]);
                process.known[subject] = true;
                process.queued.push_back(subject);
            }
            Event::Deliver {
                to,
                is_acknowledged,
            } => {
                let queued = &mut self.processes[to].queued;
                if let Some(&subject) = queued.front() {
                    self.add(subject);
                    if is_acknowledged {
                        self.processes[to].queued.pop_front();
                    }
                }
            }
            Event::Ask(at) => {
                let process = &mut self.processes[at];
                process.reads.push(Read {
                    asked: process.feed.asking(),
                    at: self.times[at].each_ref().map(|clock| clock.load(Relaxed)),
                    answer: None,
                });
            }
            Event::Serve(at) => {
                let entries = self.engine.iter().map(|entry| entry.subject);
                let answer: Vec<_> = entries.collect();
                for read in &mut self.processes[at].reads {
                    read.answer.get_or_insert_with(|| answer.clone());
                }
            }
            Event::Answer {
                to,
                which,
                is_whole,
                is_repeated,
            } => return self.answer(to, which, is_whole, is_repeated),
            Event::Drop(at, which) => {
                let reads = &mut self.processes[at].reads;
                if which < reads.len() {
                    reads.remove(which);
                }
            }
            Event::Reset(at) => self.processes[at].reads.clear(),
            Event::LoseSuffix(count) => {
                let kept = self.engine.len().saturating_sub(count);
                self.engine.truncate(kept);
            }
            Event::Repair(at) => return self.repair(at),
            Event::Restart(at) => self.processes[at] = Process::start(&self.times[at]),
            Event::Advance(seconds) => self.advance(seconds, true),
            Event::Suspend(seconds) => self.advance(seconds, false),
            Event::Step(seconds) => {
                let wall = &self.times[STEPPED][1];
                let stepped = wall.load(Relaxed).checked_add_signed(seconds);
                wall.store(stepped.unwrap(), Relaxed);
            }
        }
        Ok(())
    }

    fn add(&mut self, subject: usize) {
        let since = self.now;
        self.engine.push(Entry { subject, since });
    }

    fn answer(
        &mut self,
        to: usize,
        which: usize,
        is_whole: bool,
        is_repeated: bool,
    ) -> TestCaseResult {
        let process = &mut self.processes[to];
        let Some((read, mut answer)) = process
            .reads
            .get(which)
            .and_then(|read| Some((read.clone(), read.answer.clone()?)))
        else {
            return Ok(());
        };
        if !is_repeated {
            process.reads.remove(which);
        }
        if !is_whole {
            answer.truncate(answer.len() / 2);
        }
        for subject in answer {
            let is_new = process.feed.apply(&self.subjects.0[subject].1);
            prop_assert_eq!(is_new, !process.known[subject]);
            process.known[subject] = true;
        }
        if is_whole {
            process.feed.complete(read.asked);
            if process.asked_at.is_none_or(|last| last[0] < read.at[0]) {
                process.asked_at = Some(read.at);
            }
        }
        Ok(())
    }

    fn repair(&mut self, at: usize) -> TestCaseResult {
        let mut held = [false; SUBJECTS];
        let list = self.processes[at].mirror.list().clone();
        list.for_each(|revocation| held[self.subjects.number(revocation)] = true);
        prop_assert_eq!(held, self.processes[at].known);
        for subject in (0..SUBJECTS).filter(|subject| held[*subject]) {
            if self.engine.iter().all(|entry| entry.subject != subject) {
                self.add(subject);
            }
        }
        Ok(())
    }

    fn advance(&mut self, seconds: u64, all_run: bool) {
        self.now += seconds;
        for (at, [steady, wall]) in self.times.iter().map(|time| &**time).enumerate() {
            if all_run || at != SUSPENDED {
                steady.fetch_add(seconds, Relaxed);
            }
            wall.fetch_add(seconds, Relaxed);
        }
    }

    /// Compares each process with what the guarantees of the fleet say.
    fn check(&self) -> TestCaseResult {
        for (process, time) in self.processes.iter().zip(&self.times) {
            let is_recent = |asked_at: [u64; 2]| {
                let mut clocks = time.iter().zip(asked_at);
                clocks.all(|(now, at)| now.load(Relaxed).saturating_sub(at) <= MAX_AGE)
            };
            let is_fresh = process.asked_at.is_some_and(is_recent);
            prop_assert_eq!(process.mirror.is_fresh(), is_fresh);
            prop_assert_eq!(process.mirror.age().is_some(), process.asked_at.is_some());
            for (subject, (session, _)) in self.subjects.0.iter().enumerate() {
                let status = process.mirror.check(session);
                // G1, G4, G5: whatever it has published or read once, and nothing before a complete read.
                let want = match (process.known[subject], is_fresh) {
                    (true, _) => RevocationStatus::Revoked,
                    (false, true) => RevocationStatus::Valid,
                    (false, false) => RevocationStatus::Unknown,
                };
                prop_assert_eq!(status, want);
                // G2: what has stood in the engine for longer than the age.
                let entries = self.engine.iter();
                let mut entries = entries.filter(|entry| entry.subject == subject);
                if entries.any(|entry| MAX_AGE < self.now - entry.since) {
                    prop_assert_ne!(status, RevocationStatus::Valid);
                }
            }
        }
        Ok(())
    }

    /// G6: what the engine lost it has again once those have repaired it that knew, and so has a newcomer.
    fn check_repaired(&mut self) -> TestCaseResult {
        let mut known = [false; SUBJECTS];
        for at in 0..PROCESSES {
            self.repair(at)?;
            for (known, own) in known.iter_mut().zip(self.processes[at].known) {
                *known |= own;
            }
        }
        self.processes[0] = Process::start(&self.times[0]);
        self.happen(&Event::Ask(0))?;
        self.happen(&Event::Serve(0))?;
        self.answer(0, 0, true, false)?;
        for (subject, (session, _)) in self.subjects.0.iter().enumerate() {
            let is_rejected = self.processes[0].mirror.check(session) == RevocationStatus::Revoked;
            prop_assert!(is_rejected || !known[subject]);
        }
        self.check()
    }
}

#[test]
fn no_schedule_breaks_a_guarantee() {
    let mut config = Config::default();
    config.cases = config.cases.max(2000);
    let subjects = Subjects::new();
    let schedules = prop::collection::vec(event(), 0..80);
    let run = |events: Vec<Event>| {
        let mut world = World::new(&subjects);
        for event in events {
            world.happen(&event)?;
            world.check()?;
        }
        world.check_repaired()
    };
    if let Err(error) = TestRunner::new(config).run(&schedules, run) {
        panic!("{error}");
    }
}
