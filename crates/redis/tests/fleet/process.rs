//! What stands for a process of the fleet: revocations with a driver and connections of their own.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use redis::Client;
use tokio::task::JoinHandle;
use tower_session_token::{
    Revocation, RevocationCheck, RevocationStatus, Session, SessionId, SessionToken, User,
};
use tower_session_token_redis::{RedisRevocations, RedisRevocationsBuilder};

pub(crate) const ISSUER: &str = "https://id.example.com";

pub(crate) struct Process {
    pub(crate) revocations: RedisRevocations,
    driver: JoinHandle<()>,
}

impl Process {
    pub(crate) fn start(client: Client, max_age: Duration) -> Self {
        Self::with(
            RedisRevocations::builder("shop")
                .client(client)
                .max_age(max_age),
        )
    }

    pub(crate) fn with(builder: RedisRevocationsBuilder) -> Self {
        let (revocations, driver) = builder.build().unwrap();
        let driver = tokio::spawn(driver.run(std::future::pending()));
        Self {
            revocations,
            driver,
        }
    }

    /// Starts it, and waits until it is fresh.
    pub(crate) async fn ready(client: Client, max_age: Duration) -> Self {
        let process = Self::start(client, max_age);
        let ready = process.revocations.ready(Duration::from_secs(20));
        ready.await.unwrap();
        process
    }

    pub(crate) async fn revoke(&self, name: &str) -> bool {
        self.revocations.revoke(revocation(name)).await.is_ok()
    }

    pub(crate) fn check(&self, name: &str) -> RevocationStatus {
        self.revocations.check(&session(name))
    }

    pub(crate) fn rejects(&self, name: &str) -> bool {
        self.check(name) == RevocationStatus::Revoked
    }

    /// Whether it decides: whether a session that nobody revoked is accepted.
    pub(crate) fn accepts(&self) -> bool {
        self.check("never revoked") == RevocationStatus::Valid
    }

    pub(crate) fn age(&self) -> Duration {
        self.revocations.mirror().age().unwrap_or(Duration::MAX)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

pub(crate) fn session(name: &str) -> Session {
    let token = SessionToken::builder(User::new("ann"))
        .issuer(ISSUER)
        .audience("orders")
        .application_id("web-shop")
        .session_id(name)
        .lifetime(Duration::from_secs(600));
    Session::in_process(token.build().unwrap())
}

pub(crate) fn revocation(name: &str) -> Revocation {
    Revocation::session(
        ISSUER,
        &SessionId::from(name),
        Utc::now() + TimeDelta::minutes(30),
    )
}

pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{prefix}-{number}"))
        .collect()
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Checks all the while that something holds.
pub(crate) async fn throughout(what: &str, during: Duration, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while started.elapsed() < during {
        assert!(holds(), "{what}, after {:?}", started.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
