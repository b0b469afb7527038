//! Keys of providers, read over HTTPS and kept up to date.

use std::{fs, time::Duration};

use tower_session_token::{
    Algorithm, ConfigError, KeyEvent, KeyStore, RemoteKeys, RemoteKeysBuilder, SessionLayer,
    WaitingLayer,
};

use crate::Failure;

/// The arguments that name providers, and say how to read their keys.
#[derive(Default)]
pub(crate) struct Remote {
    place: Option<Place>,
    also: Vec<String>,
    /// In PEM.
    root_certificates: Vec<Vec<u8>>,
    allow_http: bool,
    refresh_interval: Option<Duration>,
}

enum Place {
    /// Where the metadata of `--issuer` say.
    Metadata,
    /// A `jwks_uri`.
    Uri(String),
}

impl Remote {
    pub(crate) fn set_flag(&mut self, name: &str) -> Result<(), Failure> {
        match name {
            "discover" => self.set_place(Place::Metadata),
            _ => {
                self.allow_http = true;
                Ok(())
            }
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: String) -> Result<(), Failure> {
        match name {
            "jwks-uri" => self.set_place(Place::Uri(value))?,
            "also" => self.also.push(value),
            "root-certificate" => self.root_certificates.push(fs::read(value)?),
            "refresh-interval" => {
                self.refresh_interval = Some(Duration::from_secs(value.parse()?));
            }
            _ => return Err("there is no such option; --help lists them".into()),
        }
        Ok(())
    }

    fn set_place(&mut self, place: Place) -> Result<(), Failure> {
        match self.place.replace(place) {
            None => Ok(()),
            Some(_) => Err("the keys are given already".into()),
        }
    }

    /// Whether the keys of `--issuer` are a provider's.
    pub(crate) const fn has_place(&self) -> bool {
        self.place.is_some()
    }

    /// The issuers of `--also`.
    pub(crate) fn also(&self) -> &[String] {
        &self.also
    }

    /// Starts to read the keys, and does not wait for them.
    pub(crate) fn start(
        &self,
        issuer: Option<&str>,
        algorithms: &[Algorithm],
    ) -> Result<Providers, Failure> {
        let start = |name: &str, builder| self.provider(name, builder, algorithms);
        let discover = |issuer: &str| start(issuer, RemoteKeys::discover(issuer));
        let own = match &self.place {
            None => None,
            Some(Place::Metadata) => {
                Some(discover(issuer.ok_or("--discover: needs an --issuer")?)?)
            }
            Some(Place::Uri(uri)) => Some(start(issuer.unwrap_or(uri), RemoteKeys::at(uri))?),
        };
        let also = self.also.iter();
        let also = also.map(|issuer| discover(issuer).map_err(about_also));
        let also = also.collect::<Result<_, _>>()?;
        Ok(Providers { own, also })
    }

    fn provider(
        &self,
        name: &str,
        mut builder: RemoteKeysBuilder,
        algorithms: &[Algorithm],
    ) -> Result<Provider, ConfigError> {
        for algorithm in algorithms {
            builder = builder.algorithm(*algorithm);
        }
        for pem in &self.root_certificates {
            builder = builder.root_certificate_pem(pem);
        }
        if self.allow_http {
            builder = builder.allow_http();
        }
        if let Some(interval) = self.refresh_interval {
            builder = builder.refresh_interval(interval);
        }
        let name = name.to_owned();
        let said = name.clone();
        let builder = builder.on_event(move |event| match event {
            KeyEvent::Read {
                keys,
                changed: true,
                ..
            } => println!("{said}: {keys} keys"),
            KeyEvent::Failed(reason) => eprintln!("{said}: {reason}"),
            KeyEvent::Expired => eprintln!("{said}: its keys are too old"),
            _ => {}
        });
        let keys = builder.start()?;
        Ok(Provider { name, keys })
    }
}

/// Names the argument of an issuer that is not an address.
fn about_also(error: ConfigError) -> Failure {
    match error.option() {
        "discover" => format!("--also: {}", error.reason()).into(),
        _ => error.into(),
    }
}

struct Provider {
    /// The issuer, or the address of the keys if there is no `--issuer`.
    name: String,
    keys: RemoteKeys,
}

/// The keys of the providers.
pub(crate) struct Providers {
    own: Option<Provider>,
    also: Vec<Provider>,
}

impl Providers {
    /// The keys of `--issuer`, where a provider has them.
    pub(crate) fn own(&self) -> Option<KeyStore> {
        self.own.as_ref().map(|provider| (&provider.keys).into())
    }

    /// Each issuer of `--also`, and its keys.
    pub(crate) fn also(&self) -> impl Iterator<Item = (&str, KeyStore)> {
        let also = self.also.iter();
        also.map(|provider| (&*provider.name, (&provider.keys).into()))
    }

    /// A line for each provider whose keys cannot be had.
    pub(crate) fn unready(&self) -> String {
        let unready = self.own.iter().chain(&self.also);
        let unready = unready.filter(|provider| !provider.keys.is_ready());
        let lines = unready.map(|Provider { name, keys }| match keys.status().last_failure {
            Some(reason) => format!("no keys of {name}: {reason}\n"),
            None => format!("no keys of {name} yet\n"),
        });
        lines.collect()
    }
}

/// Lets requests with an unknown key wait for it.
pub(crate) fn waiting<R>(layer: SessionLayer<R>) -> WaitingLayer<R> {
    layer.wait_for_keys()
}
