//! A primary that Sentinel replaces.

use std::time::Duration;

use redis::{Client, RedisError, aio::MultiplexedConnection};
use tower_session_token::RevocationStatus;
use tower_session_token_redis::{Problem, PublishErrorKind, RedisRevocations, State};

use crate::{
    engine::Engine,
    process::{Process, eventually, names, revocation, throughout},
    proxy::Proxy,
};

const CONFIG: &str = "\
sentinel resolve-hostnames no
sentinel monitor shop 127.0.0.1 PORT 1
sentinel down-after-milliseconds shop 500
sentinel failover-timeout shop 3000
";

/// A connection to the primary of the moment, as a service behind Sentinel makes it.
async fn connect(sentinel: Client) -> Result<MultiplexedConnection, RedisError> {
    let mut sentinel = sentinel.get_multiplexed_async_connection().await?;
    let mut ask = redis::cmd("SENTINEL");
    ask.arg("get-master-addr-by-name").arg("shop");
    let (host, port): (String, u16) = ask.query_async(&mut sentinel).await?;
    let primary = Client::open(format!("redis://{host}:{port}"))?;
    primary.get_multiplexed_async_connection().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_follows_a_failover_and_loses_nothing() {
    let mut primary = Engine::start().await;
    let replica = Engine::with(&["--replicaof", "127.0.0.1", &primary.port().to_string()]).await;
    let config = CONFIG.replace("PORT", &primary.port().to_string());
    let sentinel = Engine::sentinel(&config).await;
    eventually(
        "the sentinel knows the replica",
        Duration::from_secs(20),
        async || {
            sentinel
                .run::<Vec<redis::Value>>("SENTINEL replicas shop")
                .await
                .len()
                == 1
                && replica
                    .run::<String>("INFO replication")
                    .await
                    .contains("master_link_status:up")
        },
    )
    .await;

    let start = || {
        let client = sentinel.client();
        let builder =
            RedisRevocations::builder("shop").connect_with(move || connect(client.clone()));
        Process::with(builder.max_age(Duration::from_secs(60)))
    };
    let fleet = [start(), start()];
    for process in &fleet {
        process
            .revocations
            .ready(Duration::from_secs(10))
            .await
            .unwrap();
    }
    let names = names("s", 300);
    for name in &names[..200] {
        assert!(fleet[0].revoke(name).await);
    }
    primary.kill();
    for name in &names[200..] {
        fleet[1].revoke(name).await;
        assert!(fleet[1].rejects(name) && fleet.iter().all(Process::accepts));
        if replica
            .run::<String>("INFO replication")
            .await
            .contains("role:master")
        {
            break;
        }
    }
    let revoked: Vec<_> = names.iter().filter(|name| fleet[1].rejects(name)).collect();
    eventually(
        "all are rejected everywhere",
        Duration::from_secs(30),
        async || {
            let newcomer = start();
            newcomer
                .revocations
                .ready(Duration::from_secs(30))
                .await
                .unwrap();
            let mut processes = fleet.iter().chain([&newcomer]);
            processes.all(|process| revoked.iter().all(|name| process.rejects(name)))
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_isolated_old_primary_stops_being_believed_where_a_replica_is_wanted() {
    const AGE: Duration = Duration::from_secs(4);
    /// For which a replica may be silent.
    const LAG: Duration = Duration::from_secs(15);
    let old = Engine::start().await;
    let proxy = Proxy::start(old.port()).await;
    let new = Engine::with(&["--replicaof", "127.0.0.1", &proxy.port().to_string()]).await;
    let builder = RedisRevocations::builder("shop").client(old.client());
    let beside = Process::with(builder.replicas(1).max_age(AGE));
    let ready = beside.revocations.ready(Duration::from_secs(20));
    ready.await.unwrap();
    eventually("it is replicated", Duration::from_secs(10), async || {
        beside.revoke("kept").await
    })
    .await;

    proxy.hold([true, true]);
    new.run::<()>("REPLICAOF NO ONE").await;
    let elsewhere = Process::ready(new.client(), Duration::from_secs(60)).await;
    assert!(elsewhere.rejects("kept") && elsewhere.revoke("s").await);
    let unreplicated = beside.revocations.revoke(revocation("t")).await;
    let kind = unreplicated.unwrap_err().kind();
    assert_eq!(kind, PublishErrorKind::NotReplicated);
    eventually("reads do not count", LAG + AGE, async || {
        beside.check("s") != RevocationStatus::Valid
    })
    .await;
    let health = beside.revocations.health();
    assert_eq!(health.read_problem, Some(Problem::FewReplicas));
    assert_eq!(health.state, State::Stale);
    throughout("stays unknown", Duration::from_secs(2), || {
        beside.check("s") == RevocationStatus::Unknown
    })
    .await;
    assert!(beside.rejects("kept") && beside.rejects("t") && elsewhere.accepts());
}
