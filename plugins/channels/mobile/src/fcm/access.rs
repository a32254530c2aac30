//! Access tokens for a service account of Google (OAuth 2.0, RFC 7523).

use crate::endpoint::base;
use crate::http::{Answer, Http, NoAnswer, RETRY_S, StatusCode, header};
use crate::jwt;
use crate::moment::Moment;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use podium_plugin::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::timeout_at;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use url::{Url, form_urlencoded};

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_ENDPOINT: &str = "https://oauth2.googleapis.com/token";
/// How long what we sign is valid, the most that is allowed.
const ASSERTION_VALID_S: i64 = 3_600;
/// How long before its end a token is no longer used.
const MARGIN_S: i64 = 120;
const TOKEN_LEN_MAX: usize = 4_096;

/// What a key file says.
pub(crate) struct ServiceAccount {
    file: KeyFile,
    key: RsaKeyPair,
}

#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    project_id: Option<String>,
    token_uri: Option<String>,
}

impl ServiceAccount {
    /// Reads a key file; the error repeats nothing of it.
    pub(crate) fn read(secret: &Secret) -> Result<Self> {
        let wrong = |what: &str| {
            Error::config(format!(
                "`fcm.service_account` must be the JSON key file of a service account: {what}"
            ))
        };
        let file: KeyFile = serde_json::from_str(secret.reveal())
            .map_err(|_| wrong("an object with `client_email` and `private_key`"))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(file.private_key.as_bytes())
            .map_err(|_| wrong("its `private_key` is no private key in PEM"))?;
        let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der())
            .map_err(|_| wrong("its `private_key` is no RSA key of at least 2048 bits"))?;
        Ok(Self { file, key })
    }

    /// Tells the project that the account belongs to.
    pub(crate) fn project_id(&self) -> Option<&str> {
        self.file.project_id.as_deref()
    }

    /// Signs that we are this account.
    fn assertion(&self, audience: &str, now_s: i64) -> Option<String> {
        let mut header = serde_json::json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.file.private_key_id {
            header["kid"] = id.as_str().into();
        }
        let claims = serde_json::json!({
            "iss": self.file.client_email,
            "scope": SCOPE,
            "aud": audience,
            "iat": now_s,
            "exp": now_s + ASSERTION_VALID_S,
        });
        let unsigned = jwt::unsigned(&header, &claims);
        let mut signature = vec![0; self.key.public().modulus_len()];
        let signing =
            self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), unsigned.as_bytes(), &mut signature);
        signing.ok().map(|()| jwt::signed(&unsigned, &signature))
    }
}

/// The access token of an account, kept until shortly before it ends.
pub(crate) struct Access {
    account: ServiceAccount,
    endpoint: Url,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    token: Arc<str>,
    until_s: i64,
}

/// Why there is no token.
pub(crate) enum NoToken {
    /// The account is not let in.
    Refused(String),
    /// It may be let in later.
    NotNow { words: String, after_s: u32 },
}

impl NoToken {
    /// Says for the operator why.
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Refused(words) | Self::NotNow { words, .. } => words,
        }
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<i64>,
}

impl Access {
    /// Gets tokens from `endpoint`, or from where the key file says.
    pub(crate) fn new(account: ServiceAccount, endpoint: Option<&str>) -> Result<Self> {
        let endpoint = match (endpoint, &account.file.token_uri) {
            (Some(endpoint), _) => base(endpoint, "fcm.token_endpoint")?,
            (None, Some(endpoint)) => base(endpoint, "fcm.service_account: token_uri")?,
            (None, None) => base(TOKEN_ENDPOINT, "fcm.token_endpoint")?,
        };
        Ok(Self { account, endpoint, kept: Mutex::default() })
    }

    /// Gives the token, another one than `refused`. While one is fetched, others wait for it.
    pub(crate) async fn token(
        &self,
        http: &Http,
        refused: Option<&str>,
        moment: &Moment,
    ) -> Result<Arc<str>, NoToken> {
        let locked = timeout_at(moment.deadline, self.kept.lock()).await;
        let mut kept = locked.map_err(|_| not_now("no access token in time".into()))?;
        if let Some(kept) = kept.as_ref()
            && moment.now_s < kept.until_s
            && Some(&*kept.token) != refused
        {
            return Ok(Arc::clone(&kept.token));
        }
        let granted = self.fetch(http, moment).await?;
        let token: Arc<str> = granted.access_token.into();
        let valid_s = granted.expires_in.unwrap_or(ASSERTION_VALID_S);
        let until_s = moment.now_s.saturating_add(valid_s.saturating_sub(MARGIN_S));
        *kept = Some(Kept { token: Arc::clone(&token), until_s });
        Ok(token)
    }

    async fn fetch(&self, http: &Http, moment: &Moment) -> Result<Granted, NoToken> {
        let assertion = self.account.assertion(self.endpoint.as_str(), moment.now_s);
        let assertion = assertion.ok_or_else(|| not_now("the service account's key does not sign".into()))?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", GRANT)
            .append_pair("assertion", &assertion)
            .finish();
        let headers = HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        )]);
        match http.post(&self.endpoint, &headers, form.into(), moment).await {
            Ok(answer) => granted(&answer),
            // Whether this request has arrived matters to nobody: the message has not left.
            Err(NoAnswer::Forbidden(text) | NoAnswer::NotSent(text) | NoAnswer::Unknown(text)) => {
                Err(not_now(format!("the token endpoint: {text}")))
            }
        }
    }
}

fn granted(answer: &Answer) -> Result<Granted, NoToken> {
    let words = || format!("the token endpoint: {}", answer.words(""));
    match answer.status {
        StatusCode::OK => {
            let granted = serde_json::from_slice(&answer.body).ok();
            let is_token = |granted: &Granted| (1..=TOKEN_LEN_MAX).contains(&granted.access_token.len());
            granted.filter(is_token).ok_or_else(|| not_now("the token endpoint gives no token".into()))
        }
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(NoToken::Refused(words()))
        }
        _ => Err(NoToken::NotNow { words: words(), after_s: answer.retry_after_s(RETRY_S) }),
    }
}

fn not_now(words: String) -> NoToken {
    NoToken::NotNow { words, after_s: RETRY_S }
}
