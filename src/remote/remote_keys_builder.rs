//! The builder of the keys of an issuer, which reports each mistake before the first read.

use std::{error::Error, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use tokio::runtime::Handle;
use tower::Service;

use super::{
    address::Origin,
    driver::{self, OnEvent, Shared},
    fetch::{self, Client, Fetcher},
    machine::Settings,
    remote_keys::RemoteKeys,
    snapshot::KeySnapshot,
    status::KeyEvent,
};
use crate::{debug::partial_debug, error::ConfigError, key::Algorithm};

const DEFAULT_FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_LONGEST_WAIT: Duration = Duration::from_secs(5);
const DEFAULT_MAX_STALE: Duration = Duration::from_secs(24 * 3600);
/// How long [`RemoteKeysBuilder::load`] tries.
const LOAD_PATIENCE: Duration = Duration::from_secs(30);

impl RemoteKeys {
    /// Begins the keys of an issuer whose metadata name the address of its set (OpenID Connect
    /// Discovery 1.0 §4, RFC 8414 §3).
    ///
    /// The issuer is what tokens have as `iss`, byte by byte. The metadata are read with the set,
    /// and again each day and after failures.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::RemoteKeys;
    ///
    /// let builder = RemoteKeys::discover("https://id.example.com/realms/shop");
    /// ```
    pub fn discover(issuer: impl Into<String>) -> RemoteKeysBuilder {
        RemoteKeysBuilder::new(Place::Issuer(issuer.into()))
    }

    /// Begins the keys of the JWK Set at this address (`jwks_uri`), without metadata.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::RemoteKeys;
    ///
    /// let builder = RemoteKeys::at("https://id.example.com/jwks");
    /// ```
    pub fn at(jwks_uri: impl Into<String>) -> RemoteKeysBuilder {
        RemoteKeysBuilder::new(Place::Set(jwks_uri.into()))
    }
}

enum Place {
    Issuer(String),
    Set(String),
}

/// A builder of [`RemoteKeys`].
///
/// Only the client has to be set, and with the feature `https` not even that. The client of that feature
/// trusts the root certificates of the system, or those of the environment variables `SSL_CERT_FILE` and
/// `SSL_CERT_DIR`. It uses no proxy: `HTTPS_PROXY` and `NO_PROXY` are not read. Where there is one, set
/// a [`client`](Self::client) that uses it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_token::{Algorithm, KeyEvent, RemoteKeys};
///
/// let builder = RemoteKeys::discover("https://id.example.com")
///     .algorithm(Algorithm::RS256)
///     .max_stale(Duration::from_secs(3600))
///     .on_event(|event| {
///         if let KeyEvent::Failed(reason) = event {
///             eprintln!("the keys cannot be read: {reason}");
///         }
///     });
/// ```
#[must_use = "a builder makes nothing before `start` or `load`"]
pub struct RemoteKeysBuilder {
    place: Place,
    client: Option<Client>,
    algorithms: Vec<Algorithm>,
    allow_http: bool,
    fetch_timeout: Duration,
    settings: Settings,
    seed: Option<KeySnapshot>,
    on_event: OnEvent,
    #[cfg(feature = "https")]
    roots: super::https::Roots,
}

impl RemoteKeysBuilder {
    fn new(place: Place) -> Self {
        Self {
            place,
            client: None,
            algorithms: Vec::new(),
            allow_http: false,
            fetch_timeout: DEFAULT_FETCH_TIMEOUT,
            settings: Settings {
                longest_wait: DEFAULT_LONGEST_WAIT,
                refresh_interval: None,
                max_stale: DEFAULT_MAX_STALE,
            },
            seed: None,
            on_event: Box::new(|_| {}),
            #[cfg(feature = "https")]
            roots: super::https::Roots::default(),
        }
    }

    /// Adds the algorithm of keys that name none (`alg`), for their type; see
    /// [`KeySet::from_jwks_with_algorithms`](crate::KeySet::from_jwks_with_algorithms).
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithms.push(algorithm);
        self
    }

    /// Sets the HTTP client: a Tower service, such as the one of hyper-util, with the TLS, the proxy
    /// and the certificates of the application.
    ///
    /// It should not follow redirects. Timeouts and sizes are limited here, and a panic in it is a failed
    /// read.
    ///
    /// # Examples
    ///
    /// An adapter of a client that is not a Tower service:
    ///
    /// ```
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use tower::service_fn;
    /// use tower_session_token::RemoteKeys;
    ///
    /// # async fn get(url: String) -> Result<(u16, Vec<u8>), std::io::Error> { Ok((404, Vec::new())) }
    /// let client = service_fn(|request: Request<String>| async move {
    ///     let (status, body) = get(request.uri().to_string()).await?;
    ///     let response = Response::builder().status(status);
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(response.body(Full::new(bytes::Bytes::from(body)))?)
    /// });
    /// let builder = RemoteKeys::at("https://id.example.com/jwks").client(client);
    /// ```
    pub fn client<C, ReqBody, ResBody>(mut self, client: C) -> Self
    where
        C: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + Sync + 'static,
        C::Future: Send,
        C::Error: Into<Box<dyn Error + Send + Sync>>,
        ReqBody: Default + Send + 'static,
        ResBody: Body<Data: Send> + Send + 'static,
    {
        self.client = Some(fetch::client(client));
        self
    }

    /// Trusts these root certificates too, beside those of the system: one or more in PEM, for the
    /// client of the feature `https`.
    #[cfg(feature = "https")]
    pub fn root_certificate_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.roots.pem.push(pem.as_ref().to_vec());
        self
    }

    /// Trusts the given root certificates alone, and not those of the system.
    #[cfg(feature = "https")]
    pub fn only_root_certificates(mut self) -> Self {
        self.roots.without_system = true;
        self
    }

    /// Allows addresses without TLS. Those of this machine (`localhost`, `127.0.0.0/8`, `::1`) are
    /// always allowed.
    ///
    /// # Security
    ///
    /// Whoever is on the way to the provider can then choose the keys that are trusted.
    pub fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Sets the time limit of a read, metadata and set together: 5 seconds by default, from 1 to 30.
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.fetch_timeout = timeout;
        self
    }

    /// Sets the maximum wait of a request for its key: 5 seconds by default, from 0 to 30.
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.settings.longest_wait = wait;
        self
    }

    /// Sets the lifetime of a set, whatever its response says; from 10 seconds to a day.
    ///
    /// A key that the issuer withdraws is trusted until the next read, so for this long at most. New
    /// keys are read when a token names them.
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.settings.refresh_interval = Some(interval);
        self
    }

    /// Sets how long keys are trusted after their lifetime while they cannot be read: 24 hours by
    /// default. [`Duration::MAX`] trusts them until the process ends.
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.settings.max_stale = max_stale;
        self
    }

    /// Starts with the keys of an earlier run, if they are not older than
    /// [`max_stale`](Self::max_stale). They are stale, and read again at once.
    pub fn seed(mut self, snapshot: KeySnapshot) -> Self {
        self.seed = Some(snapshot);
        self
    }

    /// Calls `on_event` after each read and when the keys expire, for logs and metrics. It should
    /// return quickly, since the next read waits for it. A panic in it is caught.
    pub fn on_event(mut self, on_event: impl Fn(&KeyEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Box::new(on_event);
        self
    }

    /// Starts to read the keys, in a task of the current tokio runtime, and returns at once, so that
    /// a provider that is down stops no deployment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the option that is missing or out of range: also where no tokio runtime
    /// runs, and with the client of the feature `https` where there are no root certificates. The
    /// runtime needs its timer (`enable_time`).
    pub fn start(self) -> Result<RemoteKeys, ConfigError> {
        let wrong = |option, reason: &'static str| Err(ConfigError::new(option, reason));
        let seconds = |from, to| Duration::from_secs(from)..=Duration::from_secs(to);
        if !seconds(1, 30).contains(&self.fetch_timeout) {
            return wrong("fetch_timeout", "is not from 1 to 30 seconds");
        }
        if !seconds(0, 30).contains(&self.settings.longest_wait) {
            return wrong("longest_wait", "is above 30 seconds");
        }
        let interval = self.settings.refresh_interval;
        if interval.is_some_and(|interval| !seconds(10, 86_400).contains(&interval)) {
            return wrong("refresh_interval", "is not from 10 seconds to a day");
        }
        let Ok(runtime) = Handle::try_current() else {
            return wrong("start", "no tokio runtime is running");
        };
        let origin = match self.place {
            Place::Issuer(issuer) => Origin::issuer(issuer, self.allow_http)?,
            Place::Set(uri) => Origin::set(&uri, self.allow_http)?,
        };
        let name = origin.name();
        if self.seed.as_ref().is_some_and(|seed| seed.origin != name) {
            return wrong("seed", "it is of another issuer or address");
        }
        let seed = self.seed.map(|seed| (seed.age(), seed.keys));
        let (age, keys) = seed
            .filter(|(age, _)| *age < self.settings.max_stale)
            .unzip();
        #[cfg(feature = "https")]
        let client = match self.client {
            Some(client) => client,
            None => fetch::client(self.roots.client()?),
        };
        #[cfg(not(feature = "https"))]
        let Some(client) = self.client else {
            let reason = "none is set; call `client`, or turn on the feature `https`";
            return wrong("client", reason);
        };
        let fetcher = Fetcher::new(origin, client, self.algorithms, self.allow_http);
        let shared = Arc::new(Shared::new(self.settings, age));
        let store = driver::start(
            &runtime,
            Arc::clone(&shared),
            fetcher,
            self.fetch_timeout,
            keys,
            self.on_event,
        );
        Ok(RemoteKeys::new(store, shared, name))
    }

    /// Starts to read the keys, and waits for the first successful read: for a service that should
    /// not start without keys.
    ///
    /// A failure that time does not mend, such as a certificate that is not trusted or the metadata
    /// of another issuer, is returned at once; others are retried for 30 seconds.
    ///
    /// # Errors
    ///
    /// The [`ConfigError`] of [`start`](Self::start), or one of the option `load` with the reason why
    /// the last read failed.
    pub async fn load(self) -> Result<RemoteKeys, ConfigError> {
        let keys = self.start()?;
        match keys.load(LOAD_PATIENCE).await {
            Ok(()) => Ok(keys),
            Err(failure) => Err(ConfigError::new("load", failure.to_string())),
        }
    }
}

partial_debug! {
    RemoteKeysBuilder(builder) {
        algorithms: builder.algorithms,
        allow_http: builder.allow_http,
        fetch_timeout: builder.fetch_timeout,
        settings: builder.settings,
    }
}
