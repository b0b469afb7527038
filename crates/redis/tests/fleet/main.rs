//! Tests against a real engine: `redis-server` of the path, or the program that `REDIS_SERVER` names.
#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod engine;
mod failover;
mod faults;
mod losses;
mod process;
mod proxy;
mod sharing;
mod wire;
