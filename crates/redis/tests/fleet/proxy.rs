//! A TCP proxy that stops forwarding, in one direction or both, and resets connections.

use std::net::SocketAddr;

use redis::Client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

pub(crate) struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// To the server, and to the client.
    is_held: [bool; 2],
    resets: usize,
}

impl Proxy {
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = watch::Sender::new(State::default());
        let sender = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let state = sender.subscribe();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    let resets = state.borrow().resets;
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    let mut reset = state.clone();
                    tokio::select! {
                        () = forward(from_client, to_server, state.clone(), 0) => {}
                        () = forward(from_server, to_client, state, 1) => {}
                        _ = reset.wait_for(|state| state.resets != resets) => {}
                    }
                });
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn client(&self) -> Client {
        Client::open(format!("redis://{}", self.address)).unwrap()
    }

    /// Holds what is sent to the server, and to the client, back.
    pub(crate) fn hold(&self, is_held: [bool; 2]) {
        self.state.send_modify(|state| state.is_held = is_held);
    }

    /// Closes every connection, in the midst of what is being sent.
    pub(crate) fn reset(&self) {
        self.state.send_modify(|state| state.resets += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    direction: usize,
) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let open = state.wait_for(|state| !state.is_held[direction]);
        if open.await.is_err() || to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
    // The end of a connection is held back, too.
    _ = state.wait_for(|state| !state.is_held[direction]).await;
}
