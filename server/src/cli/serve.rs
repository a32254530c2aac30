//! `podium serve`.

use super::config::{ExternalArg, Place};
use super::{CliError, say};
use crate::api;
use crate::app::App;
use crate::clock;
use crate::delivery::tokens::Links;
use crate::limits::{LimitArgs, Limits};
use crate::ofrep::Gate;
use crate::outgoing::{Allowed, Reach};
use crate::telemetry::{self, LogFormat};
use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{HttpServer, web};
use clap::Args;
use clap::builder::BoolishValueParser;
use podium_plugin_host::Registry;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often schedules and weights are looked at.
const TICK: Duration = Duration::from_millis(200);
/// After how many of them keys are read again, for those made by the command line.
const KEYS_TICKS: u64 = 15;
/// The longest a stop may take, in seconds.
const STOP_S: u64 = 25;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Run the server.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "PODIUM_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: String,
    /// Where people reach the server, for links; by default where it listens.
    #[arg(long, env = "PODIUM_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Let webhooks post to any address: also to this machine, and inside its network.
    #[arg(long, env = "PODIUM_ALLOW_PRIVATE_WEBHOOKS", value_parser = BoolishValueParser::new())]
    pub(crate) allow_private_webhooks: bool,
    /// Whether conditions may ask other systems: not at all, at addresses of the public internet, or anywhere: also this
    /// machine, and inside its network.
    #[arg(long, env = "PODIUM_EXTERNAL_DATA", value_enum, default_value_t = ExternalArg::Off)]
    pub(crate) external_data: ExternalArg,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// How log lines are written to standard error.
    #[arg(long, env = "PODIUM_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// A server that listens.
pub(crate) struct Running {
    pub(crate) app: Arc<App>,
    pub(crate) url: String,
    pub(crate) handle: ServerHandle,
    pub(crate) served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Serve {
    /// Serves until it is told to stop.
    pub(crate) async fn run(self) -> Result<ExitCode, CliError> {
        telemetry::start(self.log_format, "info");
        let running = self.start().await?;
        // Whoever reads the line may stop the server at once.
        let stop = StopSignal::catch()?;
        say(&format!("podium listening on {}", running.url));
        running.until_stopped(stop).await?;
        Ok(ExitCode::SUCCESS)
    }

    /// Starts listening.
    pub(crate) async fn start(&self) -> Result<Running, CliError> {
        self.place.prepare()?;
        self.start_with(self.place.plugins()?).await
    }

    /// Starts listening with these plugins, in a data folder that is prepared.
    pub(crate) async fn start_with(&self, plugins: Registry) -> Result<Running, CliError> {
        let failed = |error: std::io::Error| CliError(format!("cannot listen on {}: {error}", self.listen));
        let listener = TcpListener::bind(&self.listen).map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let store = self.place.open().await?;
        self.place.first_keys(&store).await?;
        let public_url = self.public_url.clone().unwrap_or_else(|| url.clone());
        let public_url = public_url.trim_end_matches('/').to_owned();
        let links = Links { public_url, secret: self.place.link_secret()? };
        let webhooks = if self.allow_private_webhooks { Reach::Anywhere } else { Reach::Public };
        let allowed = Allowed { webhooks, external: self.external_data.reach() };
        let limits = Limits::new(&self.limits);
        let app = App::start(store, plugins, links, (self.place.secrets(), allowed), limits).await;
        let app = app.map_err(CliError::from_display)?;
        let shared = web::Data::from(Arc::clone(&app));
        let gate = web::Data::new(Gate::default());
        let server = HttpServer::new(move || {
            actix_web::App::new()
                .app_data(shared.clone())
                .app_data(gate.clone())
                .wrap(from_fn(api::measure::duration))
                .configure(api::routes)
        })
        .client_request_timeout(HEADER_TIMEOUT)
        .shutdown_timeout(STOP_S)
        .disable_signals()
        .listen(listener)
        .map_err(failed)?
        .run();
        let handle = server.handle();
        let served = tokio::spawn(server);
        let watching = Arc::clone(&app);
        tokio::spawn(async move { watching.watch_plugins().await });
        let watching = Arc::clone(&app);
        tokio::spawn(async move { watching.watch_experiments().await });
        let ticking = Arc::clone(&app);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            for n_ticks in 1_u64.. {
                ticks.tick().await;
                ticking.tick(clock::now()).await;
                if n_ticks.is_multiple_of(KEYS_TICKS)
                    && let Err(error) = ticking.reload_keys().await
                {
                    tracing::warn!(%error, "keys are as they were");
                }
            }
        });
        Ok(Running { app, url, handle, served })
    }
}

impl Running {
    /// Waits for SIGTERM or SIGINT, then finishes what was accepted.
    pub(crate) async fn until_stopped(self, mut stop: StopSignal) -> Result<(), CliError> {
        stop.caught().await;
        tracing::info!("stopping: finishing what was accepted");
        self.stop().await
    }

    /// Finishes what was accepted, and stops.
    pub(crate) async fn stop(self) -> Result<(), CliError> {
        self.app.notices.close();
        self.app.begin_drain();
        self.handle.stop(true).await;
        self.app.drain().await;
        self.served.await.map_err(CliError::from_display)?.map_err(CliError::from_display)
    }
}

/// SIGTERM and SIGINT, neither of which ends this process by itself once they are caught.
pub(crate) struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    /// Catches them from now on.
    pub(crate) fn catch() -> Result<Self, CliError> {
        let caught = |kind| signal(kind).map_err(CliError::from_display);
        Ok(Self { terminate: caught(SignalKind::terminate())?, interrupt: caught(SignalKind::interrupt())? })
    }

    /// Waits for one of them.
    pub(crate) async fn caught(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
