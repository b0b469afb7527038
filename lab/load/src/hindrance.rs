//! Clients that hold resources of the server: slow and half-open ones.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    aliases::{Failure, Shared},
    client::{Connection, PATIENCE},
    report::Report,
    request::Requests,
};

/// Concurrent clients of each kind.
const OF_EACH: usize = 16;
/// How long they hold a connection.
const HOLD: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Sends byte by byte, and expects its answer.
    Slow,
    /// Connects, and sends nothing.
    Silent,
    /// Sends a part of a request.
    Half,
    /// Sends many requests, and reads no answer.
    Deaf,
}

pub fn spawn(
    clients: &mut JoinSet<()>,
    address: SocketAddr,
    requests: &Shared<Requests>,
    report: &Shared<Report>,
    end: Instant,
) {
    for kind in [Kind::Slow, Kind::Silent, Kind::Half, Kind::Deaf] {
        for _ in 0..OF_EACH {
            let (requests, report) = (requests.clone(), report.clone());
            clients.spawn_local(async move {
                while Instant::now() < end {
                    let result = kind.hinder(address, &requests).await;
                    let mut report = report.borrow_mut();
                    match result {
                        Ok(()) => report.hindrances += 1,
                        Err(error) => report.wrong("hindrance", format_args!("{kind:?}: {error}")),
                    }
                }
            });
        }
    }
}

impl Kind {
    async fn hinder(self, address: SocketAddr, requests: &Shared<Requests>) -> Result<(), Failure> {
        let mut connection = Connection::open(address).await?;
        // Of a session that stays, since it is under way for long.
        let request = requests.borrow_mut().accepted_always();
        match self {
            Self::Slow => {
                for byte in &request.bytes {
                    connection.send(&[*byte]).await?;
                    sleep(Duration::from_millis(3)).await;
                }
                let answer = timeout(PATIENCE, connection.answer()).await??;
                return match answer.differs_from(&request.expected) {
                    None => Ok(()),
                    Some(how) => Err(how.into()),
                };
            }
            Self::Silent => {}
            Self::Half => {
                connection
                    .send(&request.bytes[..request.bytes.len() / 2])
                    .await?;
            }
            Self::Deaf => {
                let many = request.bytes.repeat(2000);
                // It ends when the server's buffers are full.
                let _ = timeout(HOLD, connection.send(&many)).await;
            }
        }
        sleep(HOLD).await;
        Ok(())
    }
}
