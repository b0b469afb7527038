//! What stands in the streams.

use std::time::Duration;

use chrono::Utc;
use tower_session_token::{Revocation, RevocationStatus};

use crate::{
    engine::Engine,
    process::{Process, eventually, names, revocation},
};

const AGE: Duration = Duration::from_secs(60);
const KEY: &str = "tst:{shop}:rev:1h";

#[tokio::test]
async fn an_entry_is_the_text_form_in_the_field_r() {
    let engine = Engine::start().await;
    let process = Process::ready(engine.client(), AGE).await;
    let sent = revocation("s");
    process.revocations.revoke(sent.clone()).await.unwrap();
    let found: Vec<(String, Vec<String>)> = engine.run(&format!("XRANGE {KEY} - +")).await;
    let [(_, fields)] = &*found else {
        panic!("{found:?}")
    };
    assert_eq!(fields[0], "r");
    assert_eq!(fields[1].parse::<Revocation>().unwrap(), sent);
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_and_skipped() {
    let engine = Engine::start().await;
    let process = Process::ready(engine.client(), AGE).await;
    let text = revocation("s").to_string();
    let long = "x".repeat(5000);
    for fields in [
        "q 1",
        "r",
        "r {}",
        &format!("r {long}"),
        &format!("q 1 r {text}"),
    ] {
        let mut add = redis::cmd("XADD");
        add.arg(KEY)
            .arg("*")
            .arg(fields.split(' ').collect::<Vec<_>>());
        if fields == "r" {
            add.arg(&b"\xff"[..]);
        }
        add.query_async::<String>(&mut engine.connection().await)
            .await
            .unwrap();
    }
    eventually("what follows is read", Duration::from_secs(5), async || {
        process.rejects("s")
    })
    .await;
    assert_eq!(process.revocations.health().unreadable, 4);
    assert!(process.accepts());
}

#[tokio::test]
async fn what_is_over_is_trimmed_by_the_engines_clock_and_what_is_not_stays() {
    let engine = Engine::start().await;
    let minute = 60_000;
    let mut connection = engine.connection().await;
    let mut pipe = redis::pipe();
    for (age, count) in [(80 * minute, 300), (60 * minute, 5)] {
        for number in 0..count {
            let id = format!("{}-{number}", Utc::now().timestamp_millis() - age);
            pipe.cmd("XADD")
                .arg(KEY)
                .arg(id)
                .arg("r")
                .arg(revocation("old").to_string());
        }
    }
    pipe.query_async::<()>(&mut connection).await.unwrap();
    let process = Process::ready(engine.client(), AGE).await;
    for name in names("s", 64) {
        assert!(process.revoke(&name).await);
    }
    eventually("it is trimmed", Duration::from_secs(5), async || {
        // Whole nodes of a hundred entries go.
        let length = engine.run::<usize>(&format!("XLEN {KEY}")).await;
        assert!(69 <= length);
        length <= 69 + 100
    })
    .await;
    let other = Process::ready(engine.client(), AGE).await;
    assert!(other.revoke("late").await);
    eventually("it has read again", Duration::from_secs(5), async || {
        process.rejects("late")
    })
    .await;
    assert_eq!(process.check("never revoked"), RevocationStatus::Valid);
    assert_eq!(process.revocations.health().put_back, 0);
}
