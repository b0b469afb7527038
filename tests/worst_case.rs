//! Worst-case memory of 64 KiB of input: total allocations, freed ones included, stay within four times
//! the length of the input plus 4 KiB.
#![allow(clippy::unwrap_used)]

use std::{convert::Infallible, future::ready};

use http::{HeaderMap, Request, Response, header};
use tower::{Layer, service_fn};
use tower_session_token::{Session, SessionErrorKind as Kind, SessionVerifier};

mod hostile;
use hostile::{
    LENGTH, garbage, good_token, layer, length, requests, send, signed, unsigned, verifier,
    verifiers,
};

/// A cache with room for one token of 64 KiB and its session.
fn cached_verifier() -> SessionVerifier {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    verifier(true, 8 * LENGTH * threads)
}

/// Inputs that exceeded the bound, and the results of all.
#[derive(Default)]
struct Judge {
    too_much: Vec<String>,
    rejected: Vec<Kind>,
    accepted: usize,
}

impl Judge {
    /// Returns whether the input was accepted.
    fn measure(&mut self, name: &str, length: usize, f: impl FnOnce() -> Option<Kind>) -> bool {
        let mut outcome = None;
        let allocated = allocation_counter::measure(|| outcome = f()).bytes_total;
        match outcome {
            Some(kind) => self.rejected.push(kind),
            None => self.accepted += 1,
        }
        let bound = 4 * length + 4096;
        if allocated > u64::try_from(bound).unwrap() {
            let line = format!("{name}: {allocated} bytes for {length}, {outcome:?}");
            self.too_much.push(line);
        }
        outcome.is_none()
    }

    /// Checks that more than `accepted` inputs were accepted, and that each kind of `rejected` occurred:
    /// the inputs reached the checks they were made for.
    fn finish(self, accepted: usize, rejected: &[Kind]) {
        assert!(self.too_much.is_empty(), "{:#?}", self.too_much);
        assert!(self.accepted > accepted, "{}", self.accepted);
        for kind in rejected {
            assert!(self.rejected.contains(kind), "{kind:?}");
        }
    }
}

#[test]
fn no_token_makes_the_verifier_allocate_more() {
    let mut judge = Judge::default();
    let tokens: Vec<_> = [garbage(), unsigned(), signed()].concat();
    for (limits, verifier) in verifiers() {
        verifier.verify(good_token().as_bytes()).unwrap();
        for (name, token) in &tokens {
            assert!(token.len() <= LENGTH, "{name}: {}", token.len());
            let name = format!("{limits}: {name}");
            let verify = |verifier: &SessionVerifier| {
                let session = verifier.verify(token.as_bytes());
                // The id is parsed when it is read.
                session
                    .map(|session| session.id().clone())
                    .err()
                    .map(|error| error.kind())
            };
            if judge.measure(&name, token.len(), || verify(&verifier)) {
                // A separate cache, whose table does not grow for other tokens meanwhile. It admits
                // the token at the second verification.
                let cached = cached_verifier();
                for _ in 0..3 {
                    judge.measure(&name, token.len(), || verify(&cached));
                }
                assert_eq!(cached.cache_stats().hits, 1, "{name}");
            }
        }
    }
    judge.finish(
        100,
        &[
            Kind::TokenMalformed,
            Kind::TokenUnacceptable,
            Kind::SignatureInvalid,
            Kind::ClaimInvalid,
        ],
    );
}

#[test]
fn no_request_makes_the_layer_allocate_more() {
    let mut judge = Judge::default();
    let mut requests = requests();
    for (name, token) in [garbage(), unsigned()].concat() {
        let mut headers = HeaderMap::new();
        let value = format!("Bearer {}", &token[..token.len().min(LENGTH - 30)]);
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        requests.push((name, headers));
    }
    for (limits, verifier) in verifiers() {
        let mut service = layer(verifier).layer(service_fn(|request: Request<()>| {
            assert!(request.extensions().get::<Session>().is_some());
            ready(Ok::<_, Infallible>(Response::new(())))
        }));
        let mut good = HeaderMap::new();
        good.insert("x-token", good_token().parse().unwrap());
        for _ in 0..3 {
            assert_eq!(send(&mut service, good.clone()), None);
        }
        for (name, headers) in &requests {
            let length = length(headers);
            assert!(length <= LENGTH, "{name}: {length}");
            let (name, headers) = (format!("{limits}: {name}"), headers.clone());
            judge.measure(&name, length, || send(&mut service, headers));
        }
    }
    judge.finish(
        100,
        &[
            Kind::TokenMissing,
            Kind::RequestInvalid,
            Kind::TokenMalformed,
            Kind::TokenUnacceptable,
            Kind::SignatureInvalid,
        ],
    );
}
