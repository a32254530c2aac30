//! Speaking to a running server from the command line.

use super::CliError;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a server may take to say that it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Which server, and with which key.
#[derive(Clone, Debug, Args)]
pub(crate) struct Remote {
    /// Where the server is.
    #[arg(
        long,
        env = "PODIUM_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        global = true
    )]
    url: String,
    /// An API key; by default the admin key in `keys.json` of the data folder.
    #[arg(long, env = "PODIUM_KEY", value_name = "KEY", hide_env_values = true, global = true)]
    key: Option<String>,
    /// The folder with `keys.json`.
    #[arg(long, env = "PODIUM_DATA_DIR", value_name = "DIR", default_value = ".podium", global = true)]
    data_dir: PathBuf,
}

/// An answer with what says which state it is of.
pub(crate) struct Answer {
    /// The body.
    pub(crate) body: String,
    /// The `ETag`.
    pub(crate) etag: Option<String>,
}

impl Remote {
    /// A server of ours, whose first keys are in its data folder.
    pub(crate) fn of(url: &str, data_dir: &Path) -> Self {
        Self { url: url.to_owned(), key: None, data_dir: data_dir.to_owned() }
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    /// The folder with `keys.json`.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Whether a server listens there.
    pub(crate) fn is_there(&self) -> bool {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(PROBE_TIMEOUT)).build().into();
        agent.get(&format!("{}/livez", self.url())).call().is_ok()
    }

    fn key(&self) -> Result<String, CliError> {
        if let Some(key) = &self.key {
            return Ok(key.clone());
        }
        let file = self.data_dir.join("keys.json");
        let text = std::fs::read_to_string(&file).map_err(|error| {
            CliError(format!(
                "no key: give --key, or --data-dir with a keys.json ({}: {error})",
                file.display()
            ))
        })?;
        let keys: serde_json::Value = serde_json::from_str(&text).map_err(CliError::from_display)?;
        let key = keys.get("admin").and_then(serde_json::Value::as_str);
        key.map(str::to_owned).ok_or_else(|| CliError(format!("{} has no `admin` key", file.display())))
    }

    /// Sends a request and waits for its answer; a problem becomes one line.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        if_match: Option<&str>,
    ) -> Result<Answer, CliError> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(1)))
            .build()
            .into();
        let url = format!("{}{path}", self.url());
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(&url)
            .header("authorization", format!("Bearer {}", self.key()?))
            .header("content-type", "application/json");
        if let Some(etag) = if_match {
            request = request.header("if-match", etag);
        }
        let request = request.body(body.unwrap_or_default().to_owned()).map_err(CliError::from_display)?;
        let mut response =
            agent.run(request).map_err(|error| CliError(format!("cannot reach {}: {error}", self.url)))?;
        let status = response.status();
        let etag = response.headers().get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.body_mut().read_to_string().map_err(CliError::from_display)?;
        if status.is_success() {
            return Ok(Answer { body, etag });
        }
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        let detail = problem.get("detail").and_then(serde_json::Value::as_str).unwrap_or(body.trim());
        Err(CliError(format!("{status}: {detail}")))
    }
}
