//! Keys that are fetched over HTTPS and HTTP from a provider on this machine, in real time.
#![allow(clippy::unwrap_used)]

use std::{
    env,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, proxy::Tunnel},
    },
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tower::{Layer, ServiceExt, service_fn};
use tower_session_token::{
    Algorithm, FetchErrorKind, KeySet, RemoteKeys, RemoteKeysBuilder, RemoteKeysState,
    SessionLayer, SessionVerifier, SigningKey, User, testing::TestIssuer,
};

const AUTHORITY: &[u8] = include_bytes!("../certificates/authority.pem");

/// The response for each path with this end.
type Answers = Arc<Mutex<Vec<(&'static str, Vec<u8>)>>>;

/// How a server answers.
#[derive(Clone)]
enum Answer {
    /// These bytes, for each path that ends so; then it closes the connection.
    Bytes(Answers),
    /// Reads the request, and stays silent.
    Silence,
    /// Closes the connection at once.
    Close,
}

fn ok(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
    format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn bytes(bytes: Vec<u8>) -> Answer {
    Answer::Bytes(Arc::new(Mutex::new(vec![("", bytes)])))
}

async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Answer) {
    let mut request = Vec::new();
    // A record of TLS begins with 22.
    while !request.ends_with(b"\r\n\r\n") && request != [22] {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    match answer {
        Answer::Bytes(answers) => {
            let request = String::from_utf8(request).unwrap();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let answers = answers.lock().unwrap().clone();
            let found = answers.iter().find(|(end, _)| path.ends_with(end));
            let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
            let bytes = found.map_or(missing, |(_, bytes)| bytes.clone());
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Answer::Silence => std::future::pending().await,
        Answer::Close => {}
    }
}

/// Starts a server with this certificate, or without TLS, and returns its port.
async fn serve(tls: Option<Arc<ServerConfig>>, answer: Answer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, answer) = (tls.clone(), answer.clone());
            tokio::spawn(async move {
                match tls {
                    _ if matches!(answer, Answer::Close) => {}
                    Some(tls) => {
                        if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                            respond(stream, answer).await;
                        }
                    }
                    None => respond(stream, answer).await,
                }
            });
        }
    });
    port
}

fn tls(
    certificate: &str,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Option<Arc<ServerConfig>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/certificates/");
    let certificate = CertificateDer::from_pem_file(format!("{folder}{certificate}.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{folder}leaf.key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Some(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws_lc_rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws_lc_rs"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

fn key(id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256).unwrap().with_id(id)
}

fn jwks(keys: &[&SigningKey]) -> String {
    let keys = keys.iter().map(|key| key.verifying_key());
    KeySet::new(keys).unwrap().to_jwks()
}

fn at(host: &str, port: u16) -> RemoteKeysBuilder {
    RemoteKeys::at(format!("https://{host}:{port}/jwks"))
        .root_certificate_pem(AUTHORITY)
        .only_root_certificates()
        .fetch_timeout(Duration::from_secs(2))
}

/// Waits for the first read, whatever its result is.
async fn first_read(builder: RemoteKeysBuilder) -> (RemoteKeysState, Option<FetchErrorKind>) {
    let keys = builder.start().unwrap();
    let _ = keys.refresh().await;
    let status = keys.status();
    (status.state, status.last_failure)
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

#[tokio::test]
async fn a_provider_with_a_trusted_certificate_is_read() {
    let set = || bytes(ok(&jwks(&[&key("a")])));
    for versions in [BOTH, &[&version::TLS12], &[&version::TLS13]] {
        let port = serve(tls("good", versions), set()).await;
        for host in ["localhost", "127.0.0.1"] {
            let read = first_read(at(host, port)).await;
            assert_eq!(read, (RemoteKeysState::Fresh, None), "{host}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_a_failure_of_tls() {
    let set = || bytes(ok(&jwks(&[&key("a")])));
    let failed = (RemoteKeysState::Loading, Some(FetchErrorKind::Tls));
    for certificate in ["other_name", "expired", "of_stranger"] {
        let port = serve(tls(certificate, BOTH), set()).await;
        assert_eq!(
            first_read(at("localhost", port)).await,
            failed,
            "{certificate}"
        );
        let error = at("localhost", port).load().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "load: the provider's certificate is not trusted"
        );
    }
    // The system's certificates do not have this authority.
    let port = serve(tls("good", BOTH), set()).await;
    let stranger = include_bytes!("../certificates/stranger.pem");
    let builder =
        RemoteKeys::at(format!("https://localhost:{port}/jwks")).root_certificate_pem(stranger);
    assert_eq!(first_read(builder).await, failed);
    // Without TLS on the port.
    let port = serve(None, set()).await;
    assert_eq!(first_read(at("localhost", port)).await, failed);
}

#[tokio::test]
async fn a_broken_connection_is_a_failure_of_the_client() {
    let set = jwks(&[&key("a")]);
    let mut cut = ok(&set);
    cut.truncate(cut.len() / 2);
    let unused = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n".to_vec();
    for (name, port) in [
        ("nothing listens", unused),
        ("closed", serve(tls("good", BOTH), Answer::Close).await),
        ("cut", serve(tls("good", BOTH), bytes(cut)).await),
        ("chunked", serve(tls("good", BOTH), bytes(endless)).await),
        (
            "no HTTP",
            serve(tls("good", BOTH), bytes(b"220 smtp\r\n\r\n".to_vec())).await,
        ),
    ] {
        let read = first_read(at("localhost", port)).await;
        assert_eq!(
            read,
            (RemoteKeysState::Loading, Some(FetchErrorKind::Client)),
            "{name}"
        );
    }
    // No DNS has a label of 64 letters.
    let nowhere = format!("http://{}.example/jwks", "a".repeat(64));
    let read = first_read(RemoteKeys::at(nowhere).allow_http()).await;
    assert_eq!(
        read,
        (RemoteKeysState::Loading, Some(FetchErrorKind::Client))
    );
    let port = serve(tls("good", BOTH), Answer::Silence).await;
    let read = first_read(at("localhost", port)).await;
    assert_eq!(
        read,
        (RemoteKeysState::Loading, Some(FetchErrorKind::Timeout))
    );
}

#[tokio::test]
async fn a_length_that_cuts_the_set_is_a_failure() {
    let set = ok(&jwks(&[&key("a")]));
    let set = String::from_utf8(set).unwrap();
    let (head, body) = set.split_once("\r\n\r\n").unwrap();
    let head = head.rsplit_once(':').unwrap().0;
    let cut = format!("{head}: {}\r\n\r\n{body}", body.len() - 1);
    let port = serve(tls("good", BOTH), bytes(cut.into_bytes())).await;
    let read = first_read(at("localhost", port)).await;
    let failure = Some(FetchErrorKind::NoUsableKey);
    assert_eq!(read, (RemoteKeysState::Loading, failure));
}

#[tokio::test]
async fn the_roots_are_those_of_ssl_cert_file_and_no_proxy_is_used() {
    const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/certificates/authority.pem");
    if env::var("SSL_CERT_FILE").as_deref() != Ok(AUTHORITY) {
        // The same test, in a process with these variables.
        let test = "the_roots_are_those_of_ssl_cert_file_and_no_proxy_is_used";
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", test])
            .env("SSL_CERT_FILE", AUTHORITY)
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .env("ALL_PROXY", "http://127.0.0.1:1")
            .env_remove("NO_PROXY")
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains("1 passed; 0 failed"), "{printed}");
        return;
    }
    let set = || bytes(ok(&jwks(&[&key("a")])));
    let uri = |port| format!("https://localhost:{port}/jwks");
    let port = serve(tls("good", BOTH), set()).await;
    let read = first_read(RemoteKeys::at(uri(port))).await;
    assert_eq!(read, (RemoteKeysState::Fresh, None));
    let port = serve(tls("of_stranger", BOTH), set()).await;
    let read = first_read(RemoteKeys::at(uri(port))).await;
    let failed = (RemoteKeysState::Loading, Some(FetchErrorKind::Tls));
    assert_eq!(read, failed);
}

/// The recipe of `docs/deployment.md`.
#[tokio::test]
async fn a_client_of_one_s_own_reads_through_a_proxy() {
    let tunnels = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    let count = Arc::clone(&tunnels);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap();
            let target = request.strip_prefix("CONNECT ").unwrap();
            let target = target.split(' ').next().unwrap();
            let mut server = TcpStream::connect(target).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move { copy_bidirectional(&mut stream, &mut server).await });
        }
    });
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(AUTHORITY).unwrap();
    roots.add(authority).unwrap();
    let tls_config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tunnel = Tunnel::new(
        format!("http://{proxy}").parse().unwrap(),
        HttpConnector::new(),
    );
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls_config)
        .https_only()
        .enable_http1()
        .wrap_connector(tunnel);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);

    let port = serve(tls("good", BOTH), bytes(ok(&jwks(&[&key("a")])))).await;
    let builder = RemoteKeys::at(format!("https://localhost:{port}/jwks")).client(client);
    let read = first_read(builder).await;
    assert_eq!(read, (RemoteKeysState::Fresh, None));
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".to_vec();
    let port = serve(tls("good", BOTH), bytes(redirect)).await;
    let read = first_read(at("localhost", port)).await;
    let failure = FetchErrorKind::Status(StatusCode::FOUND);
    assert_eq!(read, (RemoteKeysState::Loading, Some(failure)));
}

#[tokio::test]
async fn a_certificate_that_is_none_is_reported_at_the_start() {
    for pem in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let builder = RemoteKeys::at("https://localhost/jwks").root_certificate_pem(pem);
        assert_eq!(
            builder.start().unwrap_err().option(),
            "root_certificate_pem"
        );
    }
    let builder = RemoteKeys::at("https://localhost/jwks").only_root_certificates();
    assert_eq!(
        builder.start().unwrap_err().option(),
        "root_certificate_pem"
    );
}

/// The whole way: discovery by HTTP on loopback, a layer that waits, and keys that rotate.
#[tokio::test]
async fn a_service_follows_the_keys_of_its_provider() {
    let (old, new) = (key("a"), key("b"));
    let answers = Arc::new(Mutex::new(vec![("/jwks", ok(&jwks(&[&old])))]));
    let port = serve(None, Answer::Bytes(Arc::clone(&answers))).await;
    let issuer = format!("http://localhost:{port}/realms/shop");
    let metadata = format!(r#"{{"issuer":"{issuer}","jwks_uri":"http://127.0.0.1:{port}/jwks"}}"#);
    let place = "/.well-known/oauth-authorization-server/realms/shop";
    answers.lock().unwrap().push((place, ok(&metadata)));

    let keys = RemoteKeys::discover(&*issuer).load().await.unwrap();
    let verifier = SessionVerifier::builder()
        .keys(&keys)
        .issuer(&*issuer)
        .audience("orders")
        .build()
        .unwrap();
    let service = SessionLayer::new(verifier)
        .wait_for_keys()
        .layer(service_fn(async |_: Request<()>| {
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let status = async |key: &SigningKey| {
        let token = TestIssuer::with_key(key.clone())
            .issuer(&*issuer)
            .audience("orders");
        let request = token.token(User::new("ann")).request().body(()).unwrap();
        service
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(status(&old).await, 200);
    answers.lock().unwrap()[0].1 = ok(&jwks(&[&new]));
    assert_eq!((status(&new).await, keys.status().reads), (200, 2));
    assert_eq!(status(&old).await, 401, "it is withdrawn");
}
