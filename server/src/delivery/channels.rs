//! The channels that are set up, each with its instance.

use super::configured::Configured;
use crate::clock;
use crate::secrets::Secrets;
use crate::store::channels::{self, StoredChannel};
use crate::store::{Store, StoreError, outbox};
use arc_swap::ArcSwap;
use podium_core::id::ChannelKey;
use podium_plugin_host::{
    ChannelCreateError, ChannelFault, ChannelInstance, Payload, ProviderClass, Registry,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bundled channel of pages, and the key that it is set up under.
const PAGES: &str = "web";
/// The longest that a plugin may take to render, in seconds.
const RENDER_S: i64 = 5;
/// What a class of provider promises, in the words that a marketer reads.
pub(crate) fn promise(class: ProviderClass) -> &'static str {
    match class {
        ProviderClass::Keyed { .. } => "once",
        ProviderClass::Coalescing => "sent at least once, seen once",
        ProviderClass::Blind => "marketing at most once, transactional at least once",
        ProviderClass::Pull => "counted once per decision",
    }
}

/// Why a channel cannot be set up so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelEditError {
    /// No plugin offers it.
    #[error("no plugin offers a channel `{asked}`; there are {offered}")]
    UnknownChannel { asked: String, offered: String },
    /// The plugin will not have the settings.
    #[error("{0}")]
    Settings(String),
    /// It failed for another reason, which may pass.
    #[error("the plugin does not answer: {0}")]
    Away(String),
    /// Somebody changed it meanwhile; with the revision it has now, 0 if there is none.
    #[error("the channel is at revision {0} now")]
    Changed(i64),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All channels that are set up.
#[derive(Debug)]
pub(crate) struct Channels {
    store: Store,
    registry: Arc<Registry>,
    secrets: Secrets,
    configured: ArcSwap<BTreeMap<String, Arc<Configured>>>,
    /// One edit at a time.
    edits: tokio::sync::Mutex<()>,
    /// What was rendered, by the hash of channel, revision and content.
    payloads: papaya::HashMap<String, Arc<Payload>>,
}

impl Channels {
    /// Makes an instance of every channel that is set up.
    pub(crate) async fn load(
        store: Store,
        registry: Arc<Registry>,
        secrets: Secrets,
    ) -> Result<Self, StoreError> {
        let stored = channels::all(store.reader()).await?;
        let channels = Self {
            store,
            registry,
            secrets,
            configured: ArcSwap::default(),
            edits: tokio::sync::Mutex::new(()),
            payloads: papaya::HashMap::new(),
        };
        if stored.is_empty() && channels.registry.find_channel(PAGES).is_some() {
            channels.set_up_pages().await;
        }
        for stored in stored {
            let instance = channels.instance(&stored).await.map_err(|error| error.to_string());
            if let Err(error) = &instance {
                tracing::error!(channel = %stored.key, error, "the channel sends nothing for now");
            }
            channels.install(stored, instance);
        }
        Ok(channels)
    }

    /// Sets up the channel of pages, which needs no settings, where nothing is set up yet.
    async fn set_up_pages(&self) {
        let set_up = async {
            let key =
                ChannelKey::new(PAGES).map_err(|error| ChannelEditError::Settings(error.to_string()))?;
            self.put(key, (PAGES.to_owned(), Map::new()), Some(0)).await
        };
        if let Err(error) = set_up.await {
            tracing::warn!(%error, "contents are not rendered for pages");
        }
    }

    /// All of them, by their keys.
    pub(crate) fn all(&self) -> Arc<BTreeMap<String, Arc<Configured>>> {
        self.configured.load_full()
    }

    /// One of them.
    pub(crate) fn find(&self, key: &str) -> Option<Arc<Configured>> {
        self.configured.load().get(key).cloned()
    }

    /// What plugins offer.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Sets up a channel, or changes one.
    ///
    /// - `seen`: the revision that whoever asks has seen; `None`: whatever is there.
    ///
    /// # Errors
    ///
    /// [`ChannelEditError`]; nothing has changed then.
    pub(crate) async fn put(
        &self,
        key: ChannelKey,
        (channel, settings): (String, Map<String, Value>),
        seen: Option<i64>,
    ) -> Result<Arc<Configured>, ChannelEditError> {
        let _editing = self.edits.lock().await;
        let now = clock::now();
        let former = self.find(key.as_str());
        let revision = former.as_ref().map_or(0, |former| former.stored.revision);
        if seen.is_some_and(|seen| seen != revision) {
            return Err(ChannelEditError::Changed(revision));
        }
        let created_at = former.map_or(now, |former| former.stored.created_at);
        let revision = revision + 1;
        let stored =
            StoredChannel { key, channel, settings, revision, created_at, updated_at: now, paused_why: None };
        let instance = self.instance(&stored).await?;
        channels::put(self.store.writer(), &stored).await?;
        Ok(self.install(stored, Ok(instance)))
    }

    /// Removes a channel, and gives up what waits for it; `false` if there is none.
    ///
    /// # Errors
    ///
    /// [`ChannelEditError`]; nothing has changed then.
    pub(crate) async fn remove(&self, key: &str, seen: Option<i64>) -> Result<bool, ChannelEditError> {
        let _editing = self.edits.lock().await;
        let Some(found) = self.find(key) else { return Ok(false) };
        let revision = found.stored.revision;
        if seen.is_some_and(|seen| seen != revision) {
            return Err(ChannelEditError::Changed(revision));
        }
        let transaction = self.store.begin().await?;
        let removed = channels::remove(&transaction, &found.stored.key, revision).await?;
        outbox::abandon(&transaction, clock::now()).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        let mut configured = BTreeMap::clone(&self.configured.load());
        configured.remove(key);
        self.configured.store(Arc::new(configured));
        Ok(removed)
    }

    /// Stops a channel.
    pub(super) async fn pause(&self, channel: &Configured, why: &str) -> Result<(), StoreError> {
        let _editing = self.edits.lock().await;
        let key = &channel.stored.key;
        // One that was set up anew meanwhile has other credentials.
        if !self.is_current(channel) || !channel.stop(why) {
            return Ok(());
        }
        tracing::error!(channel = %key, why, "channel paused");
        channels::pause(self.store.writer(), key, Some(why)).await
    }

    /// Lets a paused channel go on.
    pub(crate) async fn resume(&self, channel: &Configured) -> Result<(), StoreError> {
        let _editing = self.edits.lock().await;
        if !self.is_current(channel) {
            return Ok(());
        }
        channels::pause(self.store.writer(), &channel.stored.key, None).await?;
        if channel.go_on() {
            tracing::info!(channel = %channel.stored.key, "channel goes on");
        }
        Ok(())
    }

    /// Lets a channel go on if what stopped it has passed: its provider takes our credentials, or its plugin the
    /// settings.
    pub(super) async fn try_again(&self, channel: &Arc<Configured>) {
        channel.tried(clock::now());
        let key = &channel.stored.key;
        if channel.instance().is_ok() {
            if channel.health().await.is_ok()
                && let Err(error) = self.resume(channel).await
            {
                tracing::error!(channel = %key, %error, "channel stays paused");
            }
            return;
        }
        let _editing = self.edits.lock().await;
        if self.is_current(channel)
            && let Ok(instance) = self.instance(&channel.stored).await
        {
            tracing::info!(channel = %key, "channel works again");
            self.install(channel.stored.clone(), Ok(instance));
        }
    }

    /// Whether a channel is as it is set up now.
    fn is_current(&self, channel: &Configured) -> bool {
        self.find(channel.stored.key.as_str()).is_some_and(|found| std::ptr::eq(&raw const *found, channel))
    }

    fn install(
        &self,
        stored: StoredChannel,
        instance: Result<Box<dyn ChannelInstance>, String>,
    ) -> Arc<Configured> {
        let info = self.registry.find_channel(&stored.channel).cloned();
        let configured = Arc::new(Configured::new(stored, info, instance));
        let mut all = BTreeMap::clone(&self.configured.load());
        all.insert(configured.stored.key.to_string(), Arc::clone(&configured));
        self.configured.store(Arc::new(all));
        configured
    }

    async fn instance(&self, stored: &StoredChannel) -> Result<Box<dyn ChannelInstance>, ChannelEditError> {
        let (registry, secrets) = (Arc::clone(&self.registry), self.secrets.clone());
        let (channel, settings) =
            (stored.channel.clone(), Value::Object(stored.settings.clone()).to_string());
        let made = tokio::task::spawn_blocking(move || {
            registry.create_channel_with(&channel, &settings, &|name| secrets.find(name))
        });
        let made = made.await.map_err(|error| ChannelEditError::Away(error.to_string()))?;
        made.map_err(|error| match error {
            ChannelCreateError::UnknownChannel { channel_id: asked, loaded: offered } => {
                ChannelEditError::UnknownChannel { asked, offered }
            }
            ChannelCreateError::Config { text } => ChannelEditError::Settings(text),
            error => ChannelEditError::Away(error.to_string()),
        })
    }

    /// What a channel makes of a content, and the hash that it is kept under.
    ///
    /// # Errors
    ///
    /// [`RenderError`].
    pub(crate) async fn render(
        &self,
        channel: &Arc<Configured>,
        content: &str,
    ) -> Result<(String, Arc<Payload>), RenderError> {
        let stored = &channel.stored;
        // One that is removed and set up anew begins with the same revision.
        let (since, revision) = (stored.created_at.as_micros().to_string(), stored.revision.to_string());
        let mut hash = Sha256::new();
        for part in [stored.key.as_str(), &since, &revision, content] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let sha256 = crate::auth::hex(&hash.finalize());
        if let Some(payload) = self.payloads.pin().get(&sha256) {
            return Ok((sha256, Arc::clone(payload)));
        }
        let content = content.to_owned();
        let rendered =
            channel.blocking(RENDER_S, move |instance, call| instance.render(&content, call)).await;
        let payload = rendered.map_err(|fault| match fault {
            ChannelFault::Content { text } => RenderError::Content(text),
            ChannelFault::BadPayload(bad) => RenderError::Content(bad.to_string()),
            fault => RenderError::Away(fault.to_string()),
        })?;
        let payload = Arc::new(payload);
        self.remember(sha256.clone(), Arc::clone(&payload));
        Ok((sha256, payload))
    }

    /// A payload by its hash.
    pub(super) async fn payload(&self, sha256: &str) -> Result<Option<Arc<Payload>>, StoreError> {
        if let Some(payload) = self.payloads.pin().get(sha256) {
            return Ok(Some(Arc::clone(payload)));
        }
        let Some(json) = outbox::payload(self.store.reader(), sha256).await? else {
            return Ok(None);
        };
        let payload = Payload::from_json(&json).map_err(|bad| StoreError::Corrupt(bad.to_string()))?;
        let payload = Arc::new(payload);
        self.remember(sha256.to_owned(), Arc::clone(&payload));
        Ok(Some(payload))
    }

    fn remember(&self, sha256: String, payload: Arc<Payload>) {
        const PAYLOADS_MAX: usize = 1_000;
        let payloads = self.payloads.pin();
        if PAYLOADS_MAX <= payloads.len() {
            payloads.clear();
        }
        payloads.insert(sha256, payload);
    }
}

/// Why a content cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RenderError {
    /// The channel will not have it; the text is for its author.
    #[error("{0}")]
    Content(String),
    /// The plugin does not answer.
    #[error("the plugin does not answer: {0}")]
    Away(String),
}
