//! The provider's keys: a permanent one, and one more with each rotation.

use std::{collections::VecDeque, time::Instant};

use tower_session_token::{Algorithm, KeySet, SigningKey, VerifyingKey, testing::TestIssuer};

use crate::{
    aliases::Failure,
    keys::{AUDIENCE, ISSUER},
    session::{self, DAY, Session},
};

/// The newest keys that the set has beside the permanent one.
const PUBLISHED: usize = 3;
/// Older ones, which the set no longer has.
const WITHDRAWN: usize = 2;
/// Sessions of the permanent key, and of each other.
const SESSIONS: [usize; 2] = [1000, 30];

/// A key, and what is known of the server's keys.
pub struct Key {
    pub number: u64,
    pub issuer: TestIssuer,
    pub sessions: Vec<Session>,
    /// When the provider began to sign with it.
    pub began_at: Instant,
    /// A good response with it has been sent.
    pub is_sent: bool,
    /// The server has accepted a token of it.
    pub is_known: bool,
    /// A good response without it has been sent.
    is_missed: bool,
    /// The server began another read after that one, so that it has no longer the key.
    pub is_dropped: bool,
}

pub struct Ring {
    pub permanent: Key,
    /// The newest first: [`PUBLISHED`], then [`WITHDRAWN`].
    rotated: VecDeque<Key>,
}

impl Key {
    fn new(number: u64, sessions: usize) -> Result<Self, Failure> {
        let key = SigningKey::generate(Algorithm::ES256)?.with_id(format!("r{number}"));
        let issuer = TestIssuer::with_key(key).issuer(ISSUER).audience(AUDIENCE);
        let sessions = (0..sessions).map(|at| session::new(&issuer, at, DAY));
        Ok(Self {
            number,
            sessions: sessions.collect::<Result<_, _>>()?,
            issuer,
            began_at: Instant::now(),
            is_sent: false,
            is_known: false,
            is_missed: false,
            is_dropped: false,
        })
    }
}

impl Ring {
    /// The keys that the server has when the run begins.
    pub fn new() -> Result<Self, Failure> {
        let mut first = Key::new(1, SESSIONS[1])?;
        first.is_known = true;
        Ok(Self {
            permanent: Key::new(0, SESSIONS[0])?,
            rotated: [first].into(),
        })
    }

    /// Signs with a new key, which the set has from now on, and withdraws the oldest one.
    pub fn rotate(&mut self) -> Result<(), Failure> {
        let number = self.newest().number + 1;
        self.rotated.push_front(Key::new(number, SESSIONS[1])?);
        self.rotated.truncate(PUBLISHED + WITHDRAWN);
        Ok(())
    }

    pub fn jwks(&self) -> Result<String, Failure> {
        let rotated = self.rotated.iter().take(PUBLISHED);
        let keys = rotated.chain([&self.permanent]);
        let keys: Vec<VerifyingKey> = keys.map(|key| key.issuer.verifying_key()).collect();
        Ok(KeySet::new(keys)?.to_jwks())
    }

    /// Notes that the server begins a read: each one before is over, and its set in force.
    pub fn read_begins(&mut self) {
        for key in &mut self.rotated {
            key.is_dropped = key.is_missed;
        }
    }

    /// Notes that a good response is sent.
    pub fn set_is_sent(&mut self) {
        for (at, key) in self.rotated.iter_mut().enumerate() {
            key.is_sent |= at < PUBLISHED;
            key.is_missed = at >= PUBLISHED;
        }
    }

    pub fn newest(&self) -> &Key {
        &self.rotated[0]
    }

    /// A key that the server has, and that the set will have for as long as any request takes.
    pub fn known(&self, at: usize) -> &Key {
        let known = self.rotated.iter().take(PUBLISHED - 1).nth(at);
        known.filter(|key| key.is_known).unwrap_or(&self.permanent)
    }

    /// A key that the server has no longer.
    pub fn dropped(&self) -> Option<&Key> {
        self.rotated.iter().find(|key| key.is_dropped)
    }

    pub fn key(&mut self, number: u64) -> Option<&mut Key> {
        self.rotated.iter_mut().find(|key| key.number == number)
    }
}
