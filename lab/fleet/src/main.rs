//! Measures a fleet of ten processes, which are ten drivers in one process, behind a real engine.
//!
//! Usage: `fleet REDIS_SERVER`, the program to start. Prints a line for each figure.
#![expect(clippy::as_conversions, reason = "figures that are printed")]

use std::{
    env, fs,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use tokio::{task::JoinSet, time};
use tower_session_token::{
    Revocation, RevocationCheck, RevocationStatus, Session, SessionId, SessionToken, User,
};
use tower_session_token_redis::{RedisRevocations, State};

type Failure = Box<dyn std::error::Error>;

const ISSUER: &str = "https://id.example.com";
const FLEET: usize = 10;
const PORT: u16 = 16_399;

struct Engine(Child);

impl Drop for Engine {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let program = env::args().nth(1).ok_or("usage: fleet REDIS_SERVER")?;
    propagation(&program).await?;
    kills(&program).await?;
    first_read(&program).await
}

/// 10,000 revocations at 1,000 a second from one process after the other, until all ten reject them.
async fn propagation(program: &str) -> Result<(), Failure> {
    const COUNT: usize = 10_000;
    let _engine = start(program)?;
    let (fleet, _drivers) = fleet().await?;
    let sessions: Vec<_> = (0..COUNT)
        .map(|number| session(&format!("s-{number}")))
        .collect();
    let mut all = JoinSet::new();
    let mut ticks = time::interval(Duration::from_millis(1));
    for (number, session) in sessions.into_iter().enumerate() {
        ticks.tick().await;
        let fleet = fleet.clone();
        all.spawn(async move {
            let revoking = fleet[number % FLEET].revoke(revocation(&session));
            let is_acknowledged = revoking.await.is_ok();
            let acknowledged = Instant::now();
            while !fleet.iter().all(|process| rejects(process, &session)) {
                time::sleep(Duration::from_millis(1)).await;
                if acknowledged.elapsed() > Duration::from_secs(30) {
                    return (is_acknowledged, None);
                }
            }
            (is_acknowledged, Some(acknowledged.elapsed()))
        });
    }
    let results = all.join_all().await;
    let unacknowledged = results
        .iter()
        .filter(|(is_acknowledged, _)| !is_acknowledged)
        .count();
    let mut times: Vec<_> = results.iter().filter_map(|(_, time)| *time).collect();
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!(
        "propagation to {FLEET} of {COUNT} at 1,000/s: p50 {:?}, p99 {:?}, max {:?}; {} lost, {unacknowledged} not acknowledged",
        at(50),
        at(99),
        at(100),
        COUNT - times.len(),
    );
    Ok(())
}

/// kill -9 under load, twenty times.
async fn kills(program: &str) -> Result<(), Failure> {
    const ROUNDS: usize = 20;
    let mut engine = Some(start(program)?);
    let (fleet, _drivers) = fleet().await?;
    let (mut acknowledged, mut slowest_live, mut slowest_all) = (0, Duration::ZERO, Duration::ZERO);
    let mut missing = 0;
    for round in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let mut revoking = JoinSet::new();
        for (number, process) in fleet.iter().enumerate() {
            let (process, stop) = (process.clone(), Arc::clone(&stop));
            revoking.spawn(async move {
                let mut sessions = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    time::sleep(Duration::from_millis(10)).await;
                    let session = session(&format!("{round}-{number}-{}", sessions.len()));
                    if process.revoke(revocation(&session)).await.is_ok() {
                        sessions.push(session);
                    }
                }
                sessions
            });
        }
        time::sleep(Duration::from_millis(300)).await;
        drop(engine.take());
        time::sleep(Duration::from_millis(200)).await;
        engine = Some(restart(program)?);
        let restarted = Instant::now();
        while !fleet
            .iter()
            .all(|process| matches!(process.health().state, State::Live | State::Repairing))
        {
            time::sleep(Duration::from_millis(5)).await;
        }
        slowest_live = slowest_live.max(restarted.elapsed());
        stop.store(true, Ordering::SeqCst);
        let sessions = revoking.join_all().await.concat();
        acknowledged += sessions.len();
        let stopped = Instant::now();
        let is_known = |session| fleet.iter().all(|process| rejects(process, session));
        while !sessions.iter().all(is_known) && stopped.elapsed() < Duration::from_secs(25) {
            time::sleep(Duration::from_millis(5)).await;
        }
        missing += sessions.iter().filter(|session| !is_known(session)).count();
        slowest_all = slowest_all.max(stopped.elapsed());
    }
    println!(
        "kill -9 under load, {ROUNDS} rounds: {acknowledged} acknowledged, {missing} lost; live again within {slowest_live:?}, all known within {slowest_all:?}"
    );
    Ok(())
}

/// A million entries: the first read, the longest time that another task waited, and `check`.
async fn first_read(program: &str) -> Result<(), Failure> {
    const COUNT: usize = 1_000_000;
    let _engine = start(program)?;
    let client = client()?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    connection.set_response_timeout(Duration::from_secs(60));
    let until = Utc::now() + TimeDelta::minutes(50);
    for batch in 0..COUNT / 1000 {
        let mut pipe = redis::pipe();
        for number in 0..1000 {
            let name = format!("0b5a6ae1-9f3c-4a55-8d3a-{:012x}", batch * 1000 + number);
            let revocation = Revocation::session(ISSUER, &SessionId::from(&*name), until);
            pipe.cmd("XADD")
                .arg("tst:{shop}:rev:1h")
                .arg("*")
                .arg("r")
                .arg(revocation.to_string())
                .ignore();
        }
        pipe.query_async::<()>(&mut connection).await?;
    }
    let bytes: usize = redis::cmd("MEMORY")
        .arg("USAGE")
        .arg("tst:{shop}:rev:1h")
        .query_async(&mut connection)
        .await?;
    println!("{} bytes an entry in the engine", bytes / COUNT);

    // On one thread, as a request that shares it with the reader.
    let longest = std::thread::spawn(move || -> Result<_, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.map_err(|error| error.to_string())?.block_on(async {
            let started = Instant::now();
            let (process, driver) = RedisRevocations::builder("shop")
                .client(client)
                .build()
                .map_err(|error| error.to_string())?;
            tokio::spawn(driver.run(std::future::pending()));
            let mut waits = Vec::new();
            while !process.mirror().is_fresh() {
                let before = cpu_time();
                tokio::task::yield_now().await;
                waits.push(cpu_time() - before);
            }
            let took = started.elapsed();
            waits.sort_unstable();
            Ok((process, took, waits))
        })
    });
    let (process, took, waits) = longest.join().map_err(|_| "the reader panicked")??;
    println!(
        "first read of {COUNT}: {took:?}; the thread was held for {:?} at p99.9, {:?} at most",
        waits[waits.len() * 999 / 1000],
        waits[waits.len() - 1],
    );

    let sessions: Vec<_> = (0..1000)
        .map(|number| session(&format!("valid-{number}")))
        .collect();
    const ROUNDS: usize = 2000;
    let mut rounds = Vec::with_capacity(ROUNDS);
    let allocated = allocation_counter::measure(|| {
        for _ in 0..ROUNDS {
            let started = cpu_time();
            for session in &sessions {
                std::hint::black_box(process.check(session));
            }
            rounds.push(cpu_time() - started);
        }
    });
    rounds.sort_unstable();
    let each = |round: Duration| round.as_nanos() as f64 / sessions.len() as f64;
    println!(
        "check with {COUNT} entries: {:.1} ns in the fastest round, {:.1} ns in the median, {} allocations",
        each(rounds[0]),
        each(rounds[ROUNDS / 2]),
        allocated.count_total,
    );
    Ok(())
}

/// Ten processes, and their drivers, which end when they are dropped.
async fn fleet() -> Result<(Vec<RedisRevocations>, JoinSet<()>), Failure> {
    let (mut fleet, mut drivers) = (Vec::new(), JoinSet::new());
    for _ in 0..FLEET {
        let (process, driver) = RedisRevocations::builder("shop")
            .client(client()?)
            .build()?;
        drivers.spawn(driver.run(std::future::pending()));
        process.ready(Duration::from_secs(10)).await?;
        fleet.push(process);
    }
    Ok((fleet, drivers))
}

/// The time that this thread has run, so that other programs of the machine do not count.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn rejects(process: &RedisRevocations, session: &Session) -> bool {
    process.check(session) == RevocationStatus::Revoked
}

#[expect(clippy::expect_used, reason = "all of it is written here")]
fn session(name: &str) -> Session {
    let token = SessionToken::builder(User::new("ann"))
        .issuer(ISSUER)
        .audience("orders")
        .application_id("web-shop")
        .session_id(name)
        .lifetime(Duration::from_secs(600));
    Session::in_process(token.build().expect("it has all claims"))
}

fn revocation(session: &Session) -> Revocation {
    Revocation::session(ISSUER, session.id(), Utc::now() + TimeDelta::minutes(30))
}

fn client() -> redis::RedisResult<redis::Client> {
    redis::Client::open(format!("redis://127.0.0.1:{PORT}"))
}

fn folder() -> std::path::PathBuf {
    env::temp_dir().join("tst-fleet")
}

/// Starts an empty engine.
fn start(program: &str) -> Result<Engine, Failure> {
    _ = fs::remove_dir_all(folder());
    fs::create_dir_all(folder())?;
    restart(program)
}

/// Starts an engine with the data that the last one left, and waits until it accepts connections.
fn restart(program: &str) -> Result<Engine, Failure> {
    let child = Command::new(program)
        .current_dir(folder())
        .args(["--port", &PORT.to_string(), "--bind", "127.0.0.1"])
        .args(["--appendonly", "yes", "--save", ""])
        .stdout(Stdio::null())
        .spawn()?;
    while std::net::TcpStream::connect(("127.0.0.1", PORT)).is_err() {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Engine(child))
}
