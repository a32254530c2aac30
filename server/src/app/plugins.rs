//! Plugins while the server runs: taking over other files, and going back.

use super::App;
use podium_plugin_host::{Look, PluginStatus, Registry, ReloadOutcome, Reloaded, Reloads, UpgradeError};
use std::sync::Arc;
use std::time::Duration;

/// How often the lists of plugins are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why nothing can be said of a plugin: the thread that was to do it did not.
#[derive(Debug, thiserror::Error)]
#[error("the work was not done: {0}")]
pub(crate) struct NotDone(#[from] tokio::task::JoinError);

impl App {
    /// Has what the lists of plugins say taken over, and says what became of each.
    pub(crate) async fn reload_plugins(&self, look: Look) -> Result<Reloads, NotDone> {
        let reloads = self.with_registry(move |registry| registry.reload(look)).await?;
        reloads.plugins.iter().for_each(log);
        for refusal in &reloads.refused {
            tracing::error!(slug = refusal.slug.as_str(), "list of plugins refused: {refusal}");
        }
        Ok(reloads)
    }

    /// Goes back to the file of a plugin that ran before.
    pub(crate) async fn roll_plugin_back(
        &self,
        plugin_id: String,
    ) -> Result<Result<PluginStatus, UpgradeError>, NotDone> {
        self.with_registry(move |registry| registry.rollback(&plugin_id)).await
    }

    /// Lets a plugin in quarantine try again: whether it was in one; `None` if no such plugin runs in a process of its
    /// own.
    pub(crate) async fn release_plugin(&self, plugin_id: String) -> Result<Option<bool>, NotDone> {
        self.with_registry(move |registry| registry.release(&plugin_id)).await
    }

    /// Does what blocks, on a thread for that.
    async fn with_registry<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Registry) -> T + Send + 'static,
    ) -> Result<T, NotDone> {
        let registry = Arc::clone(&self.published.registry);
        Ok(tokio::task::spawn_blocking(move || work(&registry)).await?)
    }

    /// Looks at the lists of plugins, again and again.
    pub(crate) async fn watch_plugins(&self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.is_draining() {
            looks.tick().await;
            if let Err(error) = self.reload_plugins(Look::Changed).await {
                tracing::error!(%error, "lists of plugins were not looked at");
            }
        }
    }
}

fn log(reloaded: &Reloaded) {
    let Reloaded { plugin_id, to, outcome, .. } = reloaded;
    match outcome {
        ReloadOutcome::Unchanged => {}
        ReloadOutcome::Upgraded(status) => {
            tracing::info!(plugin = %plugin_id, version = %status.version, "plugin {plugin_id} upgraded");
        }
        ReloadOutcome::Refused(refusal) => {
            let slug = refusal.slug.as_str();
            tracing::error!(plugin = %plugin_id, slug, "plugin {plugin_id} not upgraded: {refusal}");
        }
        ReloadOutcome::NeedsRestart => {
            let what = if to.is_some() { "load it" } else { "be without it" };
            tracing::warn!(plugin = %plugin_id, "plugins.lock has changed for {plugin_id}: restart to {what}");
        }
    }
}
