//! Credentials, roles and settings of the engine.

use std::time::Duration;

use redis::{Client, TlsCertificates};
use rustls::crypto::aws_lc_rs;
use tower_session_token::RevocationStatus;
use tower_session_token_redis::{Problem, PublishErrorKind, RedisRevocations, State};

use crate::{
    engine::{Engine, free_port},
    process::{Process, eventually, revocation},
};

const AGE: Duration = Duration::from_secs(60);
const READING: &str =
    "resetchannels -@all ~tst:{shop}:rev:* +xread +xrange +info +hello +select +ping";

fn client(engine: &Engine, credentials: &str) -> Client {
    Client::open(format!("redis://{credentials}@127.0.0.1:{}", engine.port())).unwrap()
}

async fn problem(process: &Process, wanted: Problem) {
    eventually(
        "the problem is reported",
        Duration::from_secs(10),
        async || {
            assert!(!process.accepts());
            process.revocations.health().read_problem == Some(wanted)
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_acl_is_enough_to_repair() {
    let engine = Engine::start().await;
    engine
        .run::<()>(&format!(
            "ACL SETUSER orders on >pw {READING} +xadd +xtrim +wait"
        ))
        .await;
    let process = Process::ready(client(&engine, "orders:pw"), AGE).await;
    assert!(process.revoke("s").await);
    eventually("it is read", Duration::from_secs(5), async || {
        engine.run::<()>("PING").await;
        process.revocations.health().state == State::Live && process.rejects("s")
    })
    .await;
    engine.run::<()>("FLUSHALL").await;
    eventually("it is put back", Duration::from_secs(20), async || {
        engine.run::<usize>("EXISTS tst:{shop}:rev:1h").await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_only_read_enforces_and_cannot_publish() {
    let engine = Engine::start().await;
    engine
        .run::<()>(&format!("ACL SETUSER reader on >pw {READING}"))
        .await;
    let reader = Process::ready(client(&engine, "reader:pw"), AGE).await;
    let writer = Process::ready(engine.client(), AGE).await;
    assert!(writer.revoke("s").await);
    eventually("it is read", Duration::from_secs(5), async || {
        reader.rejects("s")
    })
    .await;
    let error = reader
        .revocations
        .revoke(revocation("t"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Unavailable);
    assert!(reader.rejects("t") && !writer.rejects("t"));
    assert_eq!(
        reader.revocations.health().write_problem,
        Some(Problem::Denied)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_of_either_protocol_will_do() {
    let engine = Engine::start().await;
    let second = Process::ready(engine.client(), AGE).await;
    let url = format!("redis://127.0.0.1:{}?protocol=resp3", engine.port());
    let third = Process::ready(Client::open(url).unwrap(), AGE).await;
    assert!(second.revoke("a").await && third.revoke("b").await);
    eventually("each reads it", Duration::from_secs(5), async || {
        [&second, &third]
            .iter()
            .all(|process| process.rejects("a") && process.rejects("b"))
    })
    .await;
    assert!(third.accepts());
    engine.run::<()>("FLUSHALL").await;
    drop(second);
    eventually("it is put back", Duration::from_secs(20), async || {
        engine.run::<usize>("XLEN tst:{shop}:rev:1h").await == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_reported_and_nothing_is_accepted() {
    let engine = Engine::start().await;
    engine
        .run::<()>(&format!("ACL SETUSER orders on >pw {READING}"))
        .await;
    let process = Process::start(client(&engine, "orders:wrong"), AGE);
    problem(&process, Problem::Denied).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_over_tls_is_trusted_by_its_authority_alone() {
    const FOLDER: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../lab/provider/certificates"
    );
    // A caller chooses one, too. The first that is installed stays.
    _ = aws_lc_rs::default_provider().install_default();
    let file = |name| format!("{FOLDER}/{name}.pem");
    let port = free_port();
    let engine = Engine::with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &file("good"),
        "--tls-key-file",
        &file("leaf.key"),
        "--tls-ca-cert-file",
        &file("authority"),
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let client = |authority| {
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(std::fs::read(file(authority)).unwrap()),
        };
        Client::build_with_tls(format!("rediss://127.0.0.1:{port}"), certificates).unwrap()
    };
    let plain = Process::ready(engine.client(), AGE).await;
    let secure = Process::ready(client("authority"), AGE).await;
    assert!(plain.revoke("s").await && secure.revoke("t").await);
    eventually("each reads it", Duration::from_secs(5), async || {
        plain.rejects("t") && secure.rejects("s")
    })
    .await;
    let deceived = Process::start(client("stranger"), AGE);
    problem(&deceived, Problem::Unreachable).await;
    assert_eq!(deceived.check("s"), RevocationStatus::Unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_evicts_is_not_trusted() {
    let engine = Engine::with(&["--maxmemory-policy", "allkeys-lru"]).await;
    let process = Process::start(engine.client(), AGE);
    problem(&process, Problem::Evicts).await;
    engine
        .run::<()>("CONFIG SET maxmemory-policy noeviction")
        .await;
    process
        .revocations
        .ready(Duration::from_secs(10))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_not_trusted_and_is_waited_for_where_wanted() {
    let primary = Engine::start().await;
    let wanting = || {
        RedisRevocations::builder("shop")
            .client(primary.client())
            .replicas(1)
    };
    let process = Process::with(wanting());
    problem(&process, Problem::FewReplicas).await;
    let error = process
        .revocations
        .revoke(revocation("s"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::NotReplicated);

    let replica = Engine::with(&["--replicaof", "127.0.0.1", &primary.port().to_string()]).await;
    process
        .revocations
        .ready(Duration::from_secs(20))
        .await
        .unwrap();
    eventually("it is replicated", Duration::from_secs(10), async || {
        process.revoke("t").await
    })
    .await;
    let lost = Process::start(replica.client(), AGE);
    problem(&lost, Problem::NotPrimary).await;
}

#[test]
fn a_builder_without_what_it_needs_is_an_error() {
    let client = || Client::open("redis://127.0.0.1").unwrap();
    let builder = RedisRevocations::builder;
    for (builder, error) in [
        (builder("shop"), "a client, or a way to connect, is missing"),
        (
            builder("").client(client()),
            "a fleet is 1 to 64 of A-Z a-z 0-9 . _ -",
        ),
        (
            builder("a}b").client(client()),
            "a fleet is 1 to 64 of A-Z a-z 0-9 . _ -",
        ),
        (
            builder("shop")
                .client(client())
                .max_age(Duration::from_secs(2)),
            "the age is from 3 seconds to one day",
        ),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), error);
    }
}
