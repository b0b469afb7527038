//! An engine or a network that is away.

use std::time::Duration;

use tower_session_token::RevocationStatus;
use tower_session_token_redis::{Problem, State};

use crate::{
    engine::Engine,
    process::{Process, eventually, names, throughout},
    proxy::Proxy,
};

const AGE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_starts_without_an_engine_accepts_nothing_before_it_has_read_one() {
    let mut engine = Engine::start().await;
    assert!(Process::ready(engine.client(), AGE).await.revoke("s").await);
    engine.kill();
    let process = Process::start(engine.client(), AGE);
    let unready = process.revocations.ready(Duration::from_millis(500)).await;
    assert_eq!(unready.unwrap_err().problem(), Some(Problem::Unreachable));
    assert_eq!(process.check("s"), RevocationStatus::Unknown);
    assert_eq!(process.revocations.health().state, State::Starting);
    let restart = async { engine.restart().await };
    let ready = eventually("it accepts", Duration::from_secs(10), async || {
        assert_ne!(process.check("s"), RevocationStatus::Valid);
        process.accepts()
    });
    tokio::join!(restart, ready);
    assert!(process.rejects("s"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_without_an_engine_is_enforced_here_and_published_later() {
    let mut engine = Engine::start().await;
    let one = Process::ready(engine.client(), Duration::from_secs(60)).await;
    let other = Process::ready(engine.client(), Duration::from_secs(60)).await;
    engine.kill();
    assert!(!one.revoke("s").await);
    assert!(one.rejects("s") && other.accepts() && !other.rejects("s"));
    engine.restart().await;
    eventually("the other rejects it", Duration::from_secs(6), async || {
        other.rejects("s")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_engine_is_bridged_within_the_age_and_unknown_beyond() {
    let engine = Engine::start().await;
    let fleet = [
        Process::ready(engine.client(), AGE).await,
        Process::ready(engine.client(), AGE).await,
    ];
    let accepts = || fleet.iter().all(Process::accepts);
    let is_live = async || {
        let mut states = fleet
            .iter()
            .map(|process| process.revocations.health().state);
        accepts() && states.all(|state| state == State::Live)
    };
    engine.pause();
    throughout("bridged", AGE / 3, accepts).await;
    engine.resume();
    eventually("live again", Duration::from_secs(4), is_live).await;
    throughout("accepts", Duration::from_millis(1500), accepts).await;

    engine.pause();
    for process in &fleet {
        let limit = AGE + Duration::from_millis(200);
        eventually("unknown", limit, async || !process.accepts()).await;
        assert!(AGE < process.age());
        assert_eq!(process.revocations.health().state, State::Stale);
    }
    throughout("stays unknown", Duration::from_millis(500), || !accepts()).await;
    engine.resume();
    eventually("live again", Duration::from_secs(4), is_live).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_cut_off_answers_unknown_beyond_the_age_and_the_others_do_not_notice() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(engine.port()).await;
    let far = Process::ready(proxy.client(), AGE).await;
    let near = Process::ready(engine.client(), AGE).await;
    for (round, held) in [[true, true], [true, false], [false, true]]
        .into_iter()
        .enumerate()
    {
        let name = format!("s-{round}");
        proxy.hold(held);
        assert!(near.revoke(&name).await);
        let limit = AGE + Duration::from_millis(200);
        eventually("it knows, or it is unknown", limit, async || {
            assert!(near.accepts());
            far.check(&name) != RevocationStatus::Valid
        })
        .await;
        eventually("unknown", limit, async || !far.accepts()).await;
        proxy.hold([false, false]);
        eventually("it is back", Duration::from_secs(6), async || {
            assert_ne!(far.check(&name), RevocationStatus::Valid);
            far.accepts()
        })
        .await;
        assert!(far.rejects(&name));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_break_all_the_time_lose_nothing() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(engine.port()).await;
    let far = Process::ready(proxy.client(), AGE).await;
    let near = Process::ready(engine.client(), AGE).await;
    let names = names("s", 600);
    for (number, name) in names.iter().enumerate() {
        let process = if number % 2 == 0 { &far } else { &near };
        process.revoke(name).await;
        assert!(process.rejects(name) && far.accepts() && near.accepts());
        if number % 20 == 0 {
            proxy.reset();
            engine.run::<usize>("CLIENT KILL TYPE normal").await;
        }
    }
    eventually(
        "all are rejected everywhere",
        Duration::from_secs(20),
        async || {
            names
                .iter()
                .all(|name| far.rejects(name) && near.rejects(name))
        },
    )
    .await;
}
