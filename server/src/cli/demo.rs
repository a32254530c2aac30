//! `podium demo`.

use super::config::{ExternalArg, IsolationArg, Place};
use super::serve::{Serve, StopSignal};
use super::{CliError, say, say_error};
use crate::demo::{self, Keys, MailTo, Shop};
use crate::limits::LimitArgs;
use crate::telemetry::{self, LogFormat};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Try Podium on two real logs and a simulated shop, on a database of its own that is deleted afterwards.
#[derive(Clone, Debug, Args)]
pub(crate) struct Demo {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "PODIUM_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Keep the data in this folder, which must not have a database yet.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// End after the reports instead of serving on.
    #[arg(long)]
    once: bool,
    /// Send four mails as well, through this mail server, to which nothing is encrypted.
    #[arg(long, value_name = "HOST:PORT")]
    smtp: Option<String>,
    /// Whom the mails are for; each goes to `+1`, `+2` … of the mailbox.
    #[arg(long, value_name = "ADDRESS", default_value = "shopper@example.com", requires = "smtp")]
    mail_to: String,
    /// Which simulated shoppers come.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl Demo {
    /// Runs it.
    pub(crate) async fn run(self) -> Result<ExitCode, CliError> {
        telemetry::start(LogFormat::Text, "warn");
        let data_dir = match &self.keep {
            Some(folder) if folder.join("podium.sqlite").exists() => {
                let folder = folder.display();
                return Err(CliError(format!(
                    "{folder} has a database already; the demo begins with a new one"
                )));
            }
            Some(folder) => folder.clone(),
            None => std::env::temp_dir().join(format!("podium-demo-{:016x}", rand::random::<u64>())),
        };
        let mail_to = self.mail_to()?;
        // Before there is a folder that would be left behind.
        let signal = StopSignal::catch()?;
        let result = self.run_in(&data_dir, mail_to, signal).await;
        if self.keep.is_none()
            && let Err(error) = std::fs::remove_dir_all(&data_dir)
        {
            say_error(&format!("cannot delete {}: {error}", data_dir.display()));
        }
        result
    }

    /// Where mails go, if any are to be sent.
    fn mail_to(&self) -> Result<Option<MailTo>, CliError> {
        let Some(smtp) = &self.smtp else { return Ok(None) };
        let parts =
            smtp.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
        let Some((host, port)) = parts.filter(|(host, _)| !host.is_empty()) else {
            return Err(CliError(format!("--smtp is `{smtp}`; it is HOST:PORT, such as 127.0.0.1:8025")));
        };
        Ok(Some(MailTo { host, port, address: self.mail_to.clone() }))
    }

    async fn run_in(
        &self,
        data_dir: &Path,
        mail_to: Option<MailTo>,
        mut signal: StopSignal,
    ) -> Result<ExitCode, CliError> {
        let place = Place {
            database: None,
            data_dir: data_dir.to_owned(),
            plugin_dir: Vec::new(),
            plugin_isolation: IsolationArg::Child,
        };
        let listen = self.listen.clone();
        let serve = Serve {
            place,
            listen,
            public_url: None,
            allow_private_webhooks: false,
            external_data: ExternalArg::Off,
            limits: LimitArgs::for_old_logs(),
            log_format: LogFormat::Text,
        };
        let running = serve.start().await?;
        say(&format!("podium listening on {}", running.url));
        let stop = Arc::new(AtomicBool::new(false));
        let shop = Shop::new(&running.url, keys(&serve.place)?, Arc::clone(&stop));
        let seed = self.seed;
        let mut driven = tokio::task::spawn_blocking(move || demo::run(&shop, seed, mail_to.as_ref()));
        let driven = tokio::select! {
            driven = &mut driven => driven,
            () = signal.caught() => {
                stop.store(true, Ordering::Relaxed);
                driven.await
            }
        };
        let pages = match driven.map_err(CliError::from_display)? {
            Ok(pages) => pages,
            Err(error) => {
                running.stop().await?;
                return Err(CliError::from_display(error));
            }
        };
        for page in &pages {
            say(&format!("\n{}\n  {}\n  {}\n  {}", page.title, page.url, page.verdict, page.note));
        }
        if self.once {
            running.stop().await?;
        } else {
            say(&format!("\nServing on {} until Ctrl-C.", running.url));
            running.until_stopped(signal).await?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The keys that the first start wrote.
fn keys(place: &Place) -> Result<Keys, CliError> {
    let file = place.keys_file();
    let text = std::fs::read_to_string(&file);
    let text = text.map_err(|error| CliError(format!("cannot read {}: {error}", file.display())))?;
    let keys: serde_json::Value = serde_json::from_str(&text).map_err(CliError::from_display)?;
    let key = |scope: &str| {
        let key = keys.get(scope).and_then(serde_json::Value::as_str);
        key.map(str::to_owned).ok_or_else(|| CliError(format!("{} has no `{scope}` key", file.display())))
    };
    Ok(Keys { admin: key("admin")?, server: key("server")? })
}
