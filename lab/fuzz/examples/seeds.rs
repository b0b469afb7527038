//! Writes seeds for the fuzz targets from `tests/vectors`, into `lab/fuzz/corpus` or the folder that
//! is named:
//!
//! ```sh
//! cargo run -p tower-session-token-fuzz --example seeds -- /tmp/seeds
//! ```
//!
//! Those that are committed were minimised after it; see `lab/fuzz/README.md`.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tower_session_token::Algorithm;
use tower_session_token_fuzz::setup::{AUDIENCE, ISSUER, NOW, public_key};

fn main() -> io::Result<()> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let seeds = Seeds {
        folder: folder.unwrap_or_else(|| fuzz.join("corpus")),
    };
    for file in ["jws-visible.json", "rfc-examples.json"] {
        let json = fs::read(fuzz.join("../../tests/vectors").join(file))?;
        let vectors: Value = serde_json::from_slice(&json)?;
        for case in vectors["cases"].as_array().into_iter().flatten() {
            seeds.case(case)?;
        }
    }
    seeds.of_the_profile()
}

struct Seeds {
    folder: PathBuf,
}

impl Seeds {
    fn write(&self, target: &str, name: &str, choice: u8, rest: &[u8]) -> io::Result<()> {
        let folder = self.folder.join(target);
        let name = name.replace(|it: char| !it.is_ascii_alphanumeric(), "-");
        fs::create_dir_all(&folder)?;
        fs::write(
            folder.join(format!("{name}-{choice}")),
            [&[choice], rest].concat(),
        )
    }

    fn case(&self, case: &Value) -> io::Result<()> {
        let name = case["name"].as_str().unwrap_or_default();
        let token = match (case["token"].as_str(), case["token_b64"].as_str()) {
            (Some(token), _) => Some(token.as_bytes().to_vec()),
            (None, Some(base64)) => STANDARD.decode_to_vec(base64).ok(),
            (None, None) => None,
        };
        if let Some(token) = token.filter(|value| value.len() < 1500) {
            self.token(name, case["algorithm"].as_str(), &token)?;
        }
        let mut lines = Vec::new();
        for field in case["headers"].as_array().into_iter().flatten() {
            let value = STANDARD.decode_to_vec(field[1].as_str().unwrap_or_default());
            lines.extend(b"\na");
            lines.extend(value.unwrap_or_default());
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.write("request", name, 3, &lines)
    }

    fn token(&self, name: &str, algorithm: Option<&str>, token: &[u8]) -> io::Result<()> {
        let service = match algorithm {
            Some("HS256") => 2,
            Some("RS256") => 4,
            Some("PS256") => 5,
            Some("ES256") => 6,
            Some("EdDSA") => 7,
            _ => return Ok(()),
        };
        self.write("token", name, service, token)?;
        let parts: Vec<_> = token.split(|byte| *byte == b'.').collect();
        if let [header, payload, _] = parts[..]
            && let Ok(header) = URL_SAFE_NO_PAD.decode_to_vec(header)
            && let Ok(payload) = URL_SAFE_NO_PAD.decode_to_vec(payload)
            && service == 2
        {
            let lines = [&header[..], b"\n", &payload].concat();
            self.write("claims", name, 2, &lines)?;
        }
        Ok(())
    }

    /// What the vectors do not have: the claims and header fields of the profile.
    fn of_the_profile(&self) -> io::Result<()> {
        let claims = format!(
            r#"{{"iss":"{ISSUER}","aud":["x","{AUDIENCE}"],"sub":"ann","exp":{},"nbf":{NOW},"iat":{}.5,
            "jti":"t","sid":"3f2b8a54-9d0c-4d5e-8f6a-7b1c2d3e4f50","client_id":"web-shop",
            "client_kind":"web","name":"\u0410nn","preferred_username":"ann","access_level":"administrator",
            "locale":"zh-hant-tw","ui_locale":"de-CH-1901","utc_offset":-210,"zoneinfo":"Europe/Berlin",
            "server":"main","instance":"default","scope":"read write","roles":["admin","ops"],
            "auth_time":{}.125,"x":[{{"y":null}}]"#,
            NOW + 600,
            NOW - 60,
            NOW - 3600,
        );
        let act = format!(
            r#","act":{{"sub":"bob","sid":"s","client_id":"c","auth_time":{},"act":{{"sub":"cid"}}}}"#,
            NOW - 7200
        );
        let act = &*act;
        for (service, typ, act) in [
            (0, "session+jwt", ""),
            (1, "nested-session+jwt", act),
            (1, "session+jwt", ""),
            (2, "application/at+jwt", act),
            (2, "JWT", ""),
            (3, "nested-session+jwt", act),
        ] {
            let header = format!(r#"{{"alg":"HS256","kid":"v-hs256","typ":"{typ}"}}"#);
            let lines = format!("{header}\n{claims}{act}}}");
            self.write(
                "claims",
                &format!("profile {typ}"),
                service,
                lines.as_bytes(),
            )?;
        }
        self.of_others()?;
        self.of_a_provider()?;
        for (at, lines) in [
            "\naBearer \u{1}",
            "\nabearer  \u{1}\nh\u{1}\nc a=b; session=\"\u{1}\"; c=d\nwchat, bearer.\u{1}",
            "\naBearer \u{1}\nh\u{2}",
            "\naBasic eDp5\ncsession=\u{2}; session=\u{2}",
            "\np\nh\u{3}\ntapplication/grpc+proto",
            "\naBearer \u{4}",
            "\np\naBearer \u{5}\ntapplication/grpc-web-text",
            "\naBearer \u{5}\ntapplication/grpc",
            "\naBearer \u{6}",
            "\naBearer \u{7}",
            "\naBearer \u{8}\ntapplication/json",
            "\naBearer \u{1}\n1de-CH\n2en\n3+05:30\n4Asia/Kolkata\nlde-AT, en;q=0.5",
        ]
        .into_iter()
        .enumerate()
        {
            for layer in [0, 4, 5, 9] {
                self.write("request", &format!("profile {at}"), layer, lines.as_bytes())?;
            }
        }
        for (at, lines) in [
            "\n1de-CH-1901\n2zh-hans-cn\n3+05:30\n4Europe/Berlin",
            "\n1sl-rozaj-biske\n2en-u-nu-thai-ca-gregory\n3-03:30",
            "\n1en-t-de-m0-true\n2und-Latn-US\n3z\n4America/Argentina/Buenos_Aires",
            "\n1art-lojban\n2zh-cmn\n3-00:00\n4../etc/passwd",
            "\n1en-US-x-ours-a\n2es-419\n3+14:01\n4Etc/GMT+5",
            "\nlde-CH,de;q=0.9,en-US;q=0.8,*;q=0.1",
            "\nlde;q=0, de-AT, fr;q=0.123\nl en ; Q=1.000",
            "\n1en_US\n2\n3Z\nxdesktop\nxweb\nxother",
        ]
        .into_iter()
        .enumerate()
        {
            for service in [0, 1] {
                self.write(
                    "client",
                    &format!("profile {at}"),
                    service,
                    lines.as_bytes(),
                )?;
            }
        }
        Ok(())
    }
    /// What counts as absent in others' tokens and is rejected in ours, and the other way round.
    fn of_others(&self) -> io::Result<()> {
        let long = "n".repeat(1024);
        let roles = vec!["r"; 64].join("\",\"");
        for (at, claims) in [
            r#""scope":["read","write profile",""]"#,
            r#""scope":["read",null]"#,
            r#""roles":[],"auth_time":1749996400"#,
            r#""roles":["admin",1]"#,
            r#""roles":"admin""#,
            &format!(r#""roles":["{roles}"]"#),
            &format!(r#""roles":["{roles}","r"]"#),
            r#""auth_time":"1749996400""#,
            r#""auth_time":1749996400.1234567891"#,
            r#""auth_time":1.7499964e9,"nbf":1750000000.000000001"#,
            r#""act":{"sub":"bob","auth_time":1749996400.5}"#,
            r#""act":{"sub":"bob","auth_time":null}"#,
            r#""act":{"sub":"bob","auth_time":1,"auth_time":1}"#,
            r#""name":null,"preferred_username":[],"locale":1,"ui_locale":"not a tag""#,
            r#""zoneinfo":"../etc/passwd","utc_offset":"60""#,
            r#""zoneinfo":{},"utc_offset":60.5,"locale":"","ui_locale":"en_US""#,
            r#""utc_offset":841,"locale":{"a":[{"b":"\u0000"}]}"#,
            &format!(r#""name":"{long}","preferred_username":"{long}n""#),
            r#""client_kind":null,"access_level":"Regular""#,
            r#""azp":"web-shop","sid":null"#,
        ]
        .into_iter()
        .enumerate()
        {
            for (service, typ) in [(1, "session+jwt"), (1, "at+jwt"), (2, "JWT")] {
                let lines = format!(
                    r#"{{"alg":"HS256","kid":"v-hs256","typ":"{typ}"}}
{{"iss":"{ISSUER}","aud":"{AUDIENCE}","sub":"ann","exp":{},"iat":{},"jti":"t","sid":"s","client_id":"c",{claims}}}"#,
                    NOW + 600,
                    NOW - 60,
                );
                let name = format!("others {at} {typ}");
                self.write("claims", &name, service, lines.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Answers of a provider, with the public keys of the vectors.
    fn of_a_provider(&self) -> io::Result<()> {
        let key = |kid, algorithm| public_key(kid, algorithm).0;
        let (ed, p256) = (
            key("v-ed", Algorithm::EdDSA),
            key("v-p256", Algorithm::ES256),
        );
        let (p384, rsa) = (
            key("v-p384", Algorithm::ES384),
            key("v-rsa", Algorithm::RS256),
        );
        let mut unnamed = rsa.clone();
        unnamed["alg"] = Value::Null;
        let mut without_id = ed.clone();
        without_id["kid"] = Value::Null;
        let mut private = ed.clone();
        private["d"] = "AA".into();
        let other = json!({ "kty": "AKP", "alg": "ML-DSA-65", "pub": "AA" });
        let metadata = json!({
            "issuer": ISSUER, "jwks_uri": "https://keys.example/set", "scopes_supported": ["openid"],
            "mtls_endpoint_aliases": { "token_endpoint": "https://mtls.example/token" },
        });
        for (at, (keys, cache_control, age)) in [
            (
                json!([ed, p256]),
                "public, max-age=1200, must-revalidate",
                "200",
            ),
            (json!([unnamed, p384, rsa]), "no-cache", ""),
            (json!([without_id]), "Max-Age=\"3600\"", "5"),
            (json!([without_id, p256, p256, other]), "max-age=15", ""),
            (json!([private, other]), "s-maxage=9, max-age=x", "x"),
            (json!(vec![other; 70]), "", "60"),
            (json!({}), "max-age=99999999999999999999", "60"),
        ]
        .into_iter()
        .enumerate()
        {
            let set = json!({ "keys": keys, "x": [1e3, { "y": null }] });
            let parts = format!("{cache_control}\0{age}\0{metadata}\0{set}");
            for choice in [0, 3, 12] {
                self.write(
                    "provider",
                    &format!("profile {at}"),
                    choice,
                    parts.as_bytes(),
                )?;
            }
        }
        Ok(())
    }
}
