//! Ten processes, and an engine that is well.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tower_session_token::{Revocation, RevocationCheck, RevocationStatus, UserId};
use tower_session_token_redis::{PublishErrorKind, RedisRevocations, State};

use crate::{
    engine::Engine,
    process::{ISSUER, Process, eventually, names, revocation, session},
};

const AGE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_process_gets_every_revocation() {
    let engine = Engine::start().await;
    let mut fleet = Vec::new();
    for _ in 0..10 {
        fleet.push(Process::ready(engine.client(), AGE).await);
    }
    let names = names("s", 600);
    for (number, name) in names.iter().enumerate() {
        assert!(fleet[number % 10].revoke(name).await);
        assert!(fleet[number % 10].rejects(name));
    }
    eventually(
        "all are rejected everywhere",
        Duration::from_secs(5),
        async || {
            fleet
                .iter()
                .all(|process| names.iter().all(|name| process.rejects(name)))
        },
    )
    .await;
    assert!(fleet.iter().all(Process::accepts));
    let health = fleet[3].revocations.health();
    assert_eq!(
        (health.state, health.entries, health.queued),
        (State::Live, 600, 0)
    );
    let newcomer = Process::ready(engine.client(), AGE).await;
    assert!(names.iter().all(|name| newcomer.rejects(name)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocations_of_users_and_with_every_lifetime_travel() {
    let engine = Engine::start().await;
    let (one, other) = (
        Process::ready(engine.client(), AGE).await,
        Process::ready(engine.client(), AGE).await,
    );
    let now = Utc::now() + TimeDelta::seconds(1);
    for (name, hours) in [("a", 1), ("b", 20), ("c", 7 * 24)] {
        let until = Utc::now() + TimeDelta::hours(hours);
        let id = UserId::from(name);
        one.revocations
            .revoke(Revocation::user_before(ISSUER, &id, now, until))
            .await
            .unwrap();
    }
    one.revocations
        .revoke(Revocation::user_before(
            ISSUER,
            &UserId::from("ann"),
            now,
            now + TimeDelta::minutes(5),
        ))
        .await
        .unwrap();
    eventually("the user is rejected", Duration::from_secs(5), async || {
        other.revocations.check(&session("s")) == RevocationStatus::Revoked
    })
    .await;
    for (stream, length) in [("1h", 2), ("1d", 1), ("8d", 1)] {
        let found: usize = engine.run(&format!("XLEN tst:{{shop}}:rev:{stream}")).await;
        assert_eq!(found, length, "{stream}");
    }
}

#[tokio::test]
async fn a_revocation_that_no_stream_outlasts_is_enforced_here_and_an_error() {
    let engine = Engine::start().await;
    let process = Process::ready(engine.client(), AGE).await;
    let until = Utc::now() + TimeDelta::days(9);
    let id = session("s").id().clone();
    let error = process
        .revocations
        .revoke(Revocation::session(ISSUER, &id, until))
        .await;
    assert_eq!(error.unwrap_err().kind(), PublishErrorKind::OutOfRange);
    assert!(process.rejects("s"));
}

#[tokio::test]
async fn two_fleets_of_one_engine_do_not_meet() {
    let engine = Engine::start().await;
    let shop = Process::ready(engine.client(), AGE).await;
    let start = || Process::with(RedisRevocations::builder("other").client(engine.client()));
    let (one, other) = (start(), start());
    assert!(shop.revoke("s").await && one.revoke("late").await);
    eventually("the other has read", Duration::from_secs(5), async || {
        other.rejects("late")
    })
    .await;
    assert!(!other.rejects("s"));
}

#[tokio::test]
async fn the_end_of_the_driver_lets_the_copy_grow_stale() {
    let engine = Engine::start().await;
    let builder = RedisRevocations::builder("shop").client(engine.client());
    let (revocations, driver) = builder.max_age(Duration::from_secs(3)).build().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(driver.run(async { _ = stopped.await }));
    revocations.ready(Duration::from_secs(10)).await.unwrap();
    stop.send(()).unwrap();
    task.await.unwrap();
    let error = revocations.revoke(revocation("s")).await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Unavailable);
    eventually("it is stale", Duration::from_secs(5), async || {
        revocations.health().state == State::Stale
    })
    .await;
}
