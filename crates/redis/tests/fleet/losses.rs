//! An engine that loses what it held.

use std::time::Duration;

use tower_session_token::RevocationStatus;

use crate::{
    engine::Engine,
    process::{Process, eventually, names, throughout},
};

const AGE: Duration = Duration::from_secs(60);
/// As promised.
const REPAIRED_WITHIN: Duration = Duration::from_secs(20);

async fn newcomer_rejects(engine: &Engine, names: &[String]) {
    eventually("a newcomer rejects all", REPAIRED_WITHIN, async || {
        let newcomer = Process::ready(engine.client(), AGE).await;
        names.iter().all(|name| newcomer.rejects(name))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_changes_no_decision_and_is_repaired() {
    let engine = Engine::start().await;
    let fleet = [
        Process::ready(engine.client(), AGE).await,
        Process::ready(engine.client(), AGE).await,
        Process::ready(engine.client(), AGE).await,
    ];
    let mut names = names("s", 1500);
    for name in &names {
        assert!(fleet[0].revoke(name).await);
    }
    eventually("all are read", Duration::from_secs(5), async || {
        fleet
            .iter()
            .all(|process| names.iter().all(|name| process.rejects(name)))
    })
    .await;
    engine.run::<()>("FLUSHALL").await;
    // A write right after it gives the stream a later id than the last that was read.
    assert!(fleet[1].revoke("late").await);
    names.push("late".into());
    throughout("rejected", Duration::from_millis(500), || {
        let early = &names[..1500];
        fleet
            .iter()
            .all(|process| early.iter().step_by(100).all(|name| process.rejects(name)))
    })
    .await;
    newcomer_rejects(&engine, &names).await;
    assert!(
        fleet
            .iter()
            .all(|process| names.iter().all(|name| process.rejects(name)))
    );
    let put_back: u64 = fleet
        .iter()
        .map(|process| process.revocations.health().put_back)
        .sum();
    assert!((1500..3000).contains(&put_back), "{put_back}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_engine_loses_nothing_that_it_acknowledged() {
    let mut engine = Engine::start().await;
    let fleet = [
        Process::ready(engine.client(), AGE).await,
        Process::ready(engine.client(), AGE).await,
    ];
    let names = names("s", 1200);
    for (round, names) in names.chunks(400).enumerate() {
        let revoking = async {
            for name in names {
                fleet[0].revoke(name).await;
                assert!(fleet[0].rejects(name));
            }
        };
        let killing = async {
            eventually("in the midst", Duration::from_secs(10), async || {
                fleet[1].rejects(&names[100])
            })
            .await;
            engine.kill();
            engine.restart().await;
        };
        tokio::join!(revoking, killing);
        // The engine may acknowledge what it has not written to its file yet.
        eventually("all are rejected", REPAIRED_WITHIN, async || {
            fleet
                .iter()
                .all(|process| names.iter().all(|name| process.rejects(name)))
        })
        .await;
        assert!(fleet.iter().all(Process::accepts), "round {round}");
    }
    newcomer_rejects(&engine, &names).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_restarts_empty_is_filled_by_those_who_know() {
    let mut engine = Engine::with(&["--appendonly", "no"]).await;
    let process = Process::ready(engine.client(), AGE).await;
    let names = names("s", 50);
    for name in &names {
        assert!(process.revoke(name).await);
    }
    engine.kill();
    engine.restart().await;
    let newcomer = Process::ready(engine.client(), AGE).await;
    assert_eq!(
        newcomer.check("s-0"),
        RevocationStatus::Valid,
        "the engine is empty"
    );
    eventually("all are rejected", REPAIRED_WITHIN, async || {
        assert!(process.rejects("s-0"));
        names.iter().all(|name| newcomer.rejects(name))
    })
    .await;
}
