//! The channels that are set up, each with its instance.

use super::deadline_ms;
use crate::clock;
use crate::secrets::Secrets;
use crate::store::channels::{self, StoredChannel};
use crate::store::{Store, StoreError, outbox};
use arc_swap::ArcSwap;
use podium_core::id::ChannelKey;
use podium_core::time::Timestamp;
use podium_plugin_host::{
    ChannelCall, ChannelCreateError, ChannelFault, ChannelInfo, ChannelInstance, Payload, ProviderClass,
    Registry,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};

/// The bundled channel of pages, and the key that it is set up under.
const PAGES: &str = "web";
/// The longest that a plugin may take to render, in seconds.
const RENDER_S: i64 = 5;
/// The same to try whether messages could be delivered.
const HEALTH_S: i64 = 2;
/// So many messages in a row that the provider did not take, and the channel slows down.
const FAILURES_MAX: u32 = 8;
/// How long it then waits, in seconds; it doubles with every failure more.
const BREAK_S: i64 = 1;
const BREAK_S_MAX: i64 = 60;
/// How long a channel waits if its provider says that there is too much, and not for how long, in seconds.
const RATE_LIMITED_S: i64 = 30;

/// What a class of provider promises, in the words that a marketer reads.
pub(crate) fn promise(class: ProviderClass) -> &'static str {
    match class {
        ProviderClass::Keyed { .. } => "once",
        ProviderClass::Coalescing => "sent at least once, seen once",
        ProviderClass::Blind => "marketing at most once, transactional at least once",
        ProviderClass::Pull => "counted once per decision",
    }
}

/// A channel that is set up.
pub(crate) struct Configured {
    /// As it was set up.
    pub(crate) stored: StoredChannel,
    /// What its plugin says of it; `None` if no plugin offers it.
    pub(crate) info: Option<ChannelInfo>,
    /// The instance, or why there is none.
    instance: Result<Box<dyn ChannelInstance>, String>,
    /// Calls that run.
    pub(super) n_running: AtomicUsize,
    /// Nothing is claimed before this, in microseconds.
    not_before: AtomicI64,
    n_failures: AtomicU32,
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("stored", &self.stored).finish_non_exhaustive()
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
        let (revision, paused_why) = (revision + 1, None);
        let stored =
            StoredChannel { key, channel, settings, revision, created_at, updated_at: now, paused_why };
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
        outbox::abandon(&transaction, key, clock::now()).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        let mut configured = BTreeMap::clone(&self.configured.load());
        configured.remove(key);
        self.configured.store(Arc::new(configured));
        Ok(removed)
    }

    /// Stops a channel, or lets it go on.
    pub(crate) async fn pause(&self, key: &ChannelKey, why: Option<&str>) -> Result<(), StoreError> {
        let _editing = self.edits.lock().await;
        channels::pause(self.store.writer(), key, why).await?;
        if let Some(found) = self.find(key.as_str()) {
            let stored = StoredChannel { paused_why: why.map(str::to_owned), ..found.stored.clone() };
            let instance = self.instance(&stored).await.map_err(|error| error.to_string());
            self.install(stored, instance);
        }
        Ok(())
    }

    fn install(
        &self,
        stored: StoredChannel,
        instance: Result<Box<dyn ChannelInstance>, String>,
    ) -> Arc<Configured> {
        let configured = Arc::new(Configured {
            info: self.registry.find_channel(&stored.channel).cloned(),
            stored,
            instance,
            n_running: AtomicUsize::new(0),
            not_before: AtomicI64::new(0),
            n_failures: AtomicU32::new(0),
        });
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

impl Configured {
    /// Whether messages can be sent on it at all.
    pub(crate) fn is_push(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.class != ProviderClass::Pull)
    }

    /// The instance, or why there is none.
    pub(super) fn instance(&self) -> Result<&dyn ChannelInstance, &str> {
        self.instance.as_deref().map_err(String::as_str)
    }

    /// Why nothing is sent for now.
    pub(crate) fn trouble(&self) -> Option<&str> {
        let paused = self.stored.paused_why.as_deref();
        paused.or_else(|| self.instance.as_ref().err().map(String::as_str))
    }

    /// Tries whether messages could be delivered.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub(crate) async fn health(self: &Arc<Self>) -> Result<(), String> {
        let tried = self.blocking(HEALTH_S, |instance, call| instance.health(call)).await;
        tried.map_err(|fault| fault.to_string())
    }

    /// Makes a call on a thread that may wait.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        seconds: i64,
        work: impl FnOnce(&dyn ChannelInstance, &ChannelCall) -> Result<T, ChannelFault> + Send + 'static,
    ) -> Result<T, ChannelFault> {
        let channel = Arc::clone(self);
        let call = ChannelCall { deadline_ms: deadline_ms(clock::now(), seconds), ..ChannelCall::default() };
        let lost = |text: String| ChannelFault::Lost { text };
        let done = tokio::task::spawn_blocking(move || match channel.instance() {
            Ok(instance) => work(instance, &call),
            Err(text) => Err(ChannelFault::Lost { text: text.to_owned() }),
        });
        done.await.map_err(|error| lost(error.to_string()))?
    }

    /// Messages that may be claimed now.
    pub(super) fn room(&self, now: Timestamp) -> usize {
        let is_open = self.not_before.load(Ordering::Relaxed) <= now.as_micros();
        match &self.info {
            Some(info) if self.is_push() && self.trouble().is_none() && is_open => {
                info.parallel_max.saturating_sub(self.n_running.load(Ordering::Acquire)) * info.batch_max
            }
            _ => 0,
        }
    }

    /// The provider works.
    pub(super) fn succeeded(&self) {
        self.n_failures.store(0, Ordering::Relaxed);
    }

    /// The provider did not take a message; after several in a row the channel slows down.
    pub(super) fn failed(&self, now: Timestamp) {
        let n_failures = self.n_failures.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(over) = n_failures.checked_sub(FAILURES_MAX) {
            self.wait_until(now.plus_seconds((BREAK_S << over.min(10)).min(BREAK_S_MAX)));
        }
    }

    /// The provider says that there is too much.
    pub(super) fn rate_limited(&self, now: Timestamp, after_s: Option<i64>) {
        self.wait_until(now.plus_seconds(after_s.unwrap_or(RATE_LIMITED_S)));
    }

    fn wait_until(&self, instant: Timestamp) {
        self.not_before.fetch_max(instant.as_micros(), Ordering::Relaxed);
    }
}
