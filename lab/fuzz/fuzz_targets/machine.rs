//! The state machine of remote keys, among requests that wait and a provider that rotates, fails and
//! hangs, in virtual time: what it promises holds whatever happens.
//!
//! An input is one byte, which picks the settings, and events of three bytes each. Machine and
//! simulation are not public, so that their files are compiled here.

#![no_main]

#[path = "../../../src/jws/key_source.rs"]
#[expect(dead_code, reason = "the answer alone is needed")]
mod key_source;
#[path = "../../../src/remote/machine.rs"]
#[expect(dead_code, reason = "the status needs the rest")]
mod machine;
#[path = "../../../src/remote/simulation.rs"]
mod simulation;

mod jws {
    pub(crate) use super::key_source::KeyAnswer;
}
mod status {
    pub(crate) use tower_session_token::{FetchErrorKind, RemoteKeysState};
}

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use simulation::Simulation;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let events = rest.chunks_exact(3);
    let events = events.map(|event| (event[0], u16::from_le_bytes([event[1], event[2]])));
    // By then keys have expired, but where `max_stale` has no end.
    Simulation::run(*choice, events.take(200), Duration::from_secs(2 * 86_400));
});
