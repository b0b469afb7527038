//! The provider, which serves its set on loopback.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::spawn_local,
    time::{sleep, timeout},
};

use super::{
    fault::{self, Rest, response},
    ring::Ring,
    schedule::{Phase, Schedule},
};
use crate::aliases::{Failure, Shared};

/// The interval at which the schedule is looked at.
const TICK: Duration = Duration::from_millis(10);

#[derive(Default)]
pub struct Log {
    /// Requests for the set.
    pub requests: u64,
    /// Those of them that were answered by each fault.
    pub faults: BTreeMap<&'static str, u64>,
    /// Requests whose fault is not over.
    pub open_faults: usize,
    faults_begun: usize,
    seed: usize,
}

impl Log {
    pub fn new(seed: usize) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// The number of the next fault: 0 at first, which hangs, and then all in turn from any one on.
    fn next_fault(&mut self) -> usize {
        self.faults_begun += 1;
        self.open_faults += 1;
        if self.faults_begun == 1 {
            0
        } else {
            self.seed + self.faults_begun
        }
    }
}

#[derive(Clone)]
pub struct Provider {
    pub ring: Shared<Ring>,
    pub log: Shared<Log>,
    pub schedule: Schedule,
}

impl Provider {
    /// Starts to serve, and returns the address.
    pub async fn start(self) -> Result<SocketAddr, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        spawn_local(async move {
            // The server notices that there is no provider any more, and the run with it.
            if let Err(error) = self.serve(listener).await {
                eprintln!("the provider ended: {error}");
            }
        });
        Ok(address)
    }

    /// Whether a read of the server fails.
    pub fn is_broken(&self) -> bool {
        self.schedule.phase() != Phase::Healthy || self.log.borrow().open_faults > 0
    }

    async fn serve(self, mut listener: TcpListener) -> Result<(), Failure> {
        let address = listener.local_addr()?;
        loop {
            if self.schedule.phase() == Phase::Down {
                drop(listener);
                while self.schedule.phase() == Phase::Down {
                    sleep(TICK).await;
                }
                listener = TcpListener::bind(address).await?;
            }
            if let Ok(accepted) = timeout(TICK, listener.accept()).await {
                let (provider, (stream, _)) = (self.clone(), accepted?);
                // What a client that gave up does not read is lost.
                spawn_local(async move { provider.respond(stream).await.ok() });
            }
        }
    }

    async fn respond(self, mut stream: TcpStream) -> Result<(), Failure> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        self.ring.borrow_mut().read_begins();
        self.log.borrow_mut().requests += 1;
        let set = self.ring.borrow().jwks()?;
        if self.schedule.phase() == Phase::Healthy {
            self.ring.borrow_mut().set_is_sent();
            stream
                .write_all(response("200 OK", "", &set).as_bytes())
                .await?;
            return Ok(());
        }
        let fault = {
            let mut log = self.log.borrow_mut();
            let mut faults = fault::all(&set);
            let fault = faults.swap_remove(log.next_fault() % faults.len());
            *log.faults.entry(fault.name).or_default() += 1;
            fault
        };
        let result = fail(&mut stream, &fault.start, fault.rest).await;
        self.log.borrow_mut().open_faults -= 1;
        result
    }
}

/// Fails until the client gives up.
async fn fail(stream: &mut TcpStream, start: &[u8], rest: Rest) -> Result<(), Failure> {
    stream.write_all(start).await?;
    let (mut read, mut write) = stream.split();
    let given_up = async {
        let mut buffer = [0; 64];
        while read.read(&mut buffer).await.is_ok_and(|len| len > 0) {}
    };
    let chunk = [b"1000\r\n", &[b' '; 4096][..], b"\r\n"].concat();
    let goes_on = async {
        loop {
            match rest {
                Rest::Closed => return Ok(()),
                Rest::Silence => std::future::pending().await,
                Rest::Trickle => {
                    sleep(Duration::from_secs(1)).await;
                    write.write_all(b" ").await?;
                }
                Rest::Endless => write.write_all(&chunk).await?,
            }
        }
    };
    tokio::select! {
        () = given_up => Ok(()),
        result = goes_on => result,
    }
}
