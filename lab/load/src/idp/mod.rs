//! Drives the server with the keys of a provider that rotates without notice and is broken a fifth of
//! the time, and checks each answer.

use std::{
    cell::RefCell,
    ffi::OsStr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

mod fault;
mod kind;
mod provider;
mod report;
mod ring;
mod schedule;
mod traffic;

use provider::{Log, Provider};
use report::Report;
use ring::Ring;
use schedule::Schedule;
use traffic::{Client, Hostile, Part};

use crate::{
    aliases::{Failure, Shared},
    client::{Connection, PATIENCE},
    memory::WARM_UP,
    server::Server,
};

/// Clients with tokens of the newest key.
const NEW: usize = 16;
/// Clients with tokens of unknown keys: more than may wait.
const WAITING: usize = 1200;
/// How long a request is under way before it counts as one that waits: longer than a busy machine
/// delays an answer, and shorter than a request waits while the provider hangs.
const LONG: Duration = Duration::from_secs(4);
/// The interval at which these are counted.
const TICK: Duration = Duration::from_millis(100);

/// The server and all clients end with this, however it ends.
pub async fn load(
    path: &OsStr,
    duration: Duration,
    connections: usize,
    seed: u64,
) -> Result<bool, Failure> {
    let start = Instant::now();
    let provider = Provider {
        ring: Rc::new(RefCell::new(Ring::new()?)),
        log: Rc::new(RefCell::new(Log::new(usize::try_from(seed % 1024)?))),
        schedule: Schedule { start },
    };
    let jwks_uri = format!("http://{}/jwks", provider.clone().start().await?);
    let server = Server::start(path, ["--jwks-uri", &jwks_uri]).await?;
    wait_until_ready(&server).await?;
    let sockets = server.sockets()?;
    let hostile = Rc::new(RefCell::new(Hostile::new(seed)?));
    let report = Rc::new(RefCell::new(Report::default()));
    let under_way = Rc::new(RefCell::new(Vec::new()));

    let before = server.effort()?;
    let end = start + duration;
    let mut clients = JoinSet::new();
    for (part, count) in [
        (Part::Busy, connections),
        (Part::New, NEW),
        (Part::Waiting, WAITING),
    ] {
        for _ in 0..count {
            let client = Client {
                address: server.address,
                provider: provider.clone(),
                hostile: hostile.clone(),
                report: report.clone(),
                under_way: under_way.clone(),
            };
            clients.spawn_local(client.run(part, end));
        }
    }
    watch(&server, &provider, &report, &under_way, end).await?;
    report.borrow_mut().effort = server.effort()?.since(before);

    // Each waits for its answer, or says that there is none.
    while let Some(client) = clients.join_next().await {
        client?;
    }
    let left = server.sockets_left(sockets).await?;
    report.borrow_mut().sockets[0] = sockets;
    report.borrow_mut().sockets[2] = left;
    server.stop().await?;
    let is_right = report.borrow().print(&provider.log.borrow());
    Ok(is_right)
}

async fn wait_until_ready(server: &Server) -> Result<(), Failure> {
    let ready = async {
        loop {
            let mut connection = Connection::open(server.address).await?;
            connection
                .send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .await?;
            if connection.answer().await?.status == 200 {
                return Ok::<_, Failure>(());
            }
            sleep(TICK).await;
        }
    };
    timeout(PATIENCE, ready).await?
}

/// Rotates by schedule, and samples the server and the requests that wait.
async fn watch(
    server: &Server,
    provider: &Provider,
    report: &Shared<Report>,
    under_way: &Shared<Vec<Option<Instant>>>,
    end: Instant,
) -> Result<(), Failure> {
    let (start, mut sampled_at) = (Instant::now(), Instant::now());
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while Instant::now() < end {
        ticks.tick().await;
        let mut report = report.borrow_mut();
        if Instant::now() >= provider.schedule.rotation(report.rotations + 1) {
            provider.ring.borrow_mut().rotate()?;
            report.rotations += 1;
        }
        let is_long = |since: &&Option<Instant>| since.is_some_and(|since| since.elapsed() > LONG);
        let waiting = under_way.borrow().iter().filter(is_long).count();
        report.waiting = report.waiting.max(waiting);
        if sampled_at.elapsed() < Duration::from_secs(1) {
            continue;
        }
        sampled_at = Instant::now();
        report.sockets[1] = report.sockets[1].max(server.sockets()?);
        if start.elapsed() > WARM_UP {
            report.memory.push(server.memory()?);
        }
    }
    Ok(())
}
