//! Tells webhooks what they are still to be told, each one thing at a time.

use super::client::{Client, Message};
use super::tries::Next;
use super::{Delivery, Outcome, Signer, Webhook};
use crate::clock;
use crate::delivery::crash_point;
use crate::outgoing::Reach;
use crate::secrets::Secrets;
use crate::store::{Store, StoreError, webhooks};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How often it is looked for something to tell when nobody rings.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before what came of a try is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// Tells webhooks.
#[derive(Debug)]
pub(crate) struct Sender {
    store: Store,
    secrets: Secrets,
    client: Client,
    reach: Reach,
    bell: Notify,
    /// The webhooks that are being told something.
    busy: papaya::HashSet<String>,
    draining: AtomicBool,
}

impl Sender {
    /// Makes a sender; [`Sender::run`] is to be spawned. One server works on a database.
    pub(crate) fn new(store: Store, secrets: Secrets, reach: Reach) -> Arc<Self> {
        let (client, bell, busy) = (Client::new(reach), Notify::new(), papaya::HashSet::new());
        Arc::new(Self { store, secrets, client, reach, bell, busy, draining: AtomicBool::new(false) })
    }

    /// How far webhooks may reach.
    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// What a secret signs with; `None` if there is none of this name, or it is no secret of webhooks.
    pub(crate) fn signer(&self, secret: &str) -> Option<Signer> {
        Signer::new(&self.secrets.find(secret)?)
    }

    /// Says that there may be something to tell.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Tells nothing more. What is on its way is told again at the next start.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.client.shut_down();
    }

    /// Works until it is drained.
    pub(crate) async fn run(self: Arc<Self>) {
        while !self.draining.load(Ordering::Relaxed) {
            if let Err(error) = self.tell_due().await {
                tracing::error!(%error, "webhooks are not told for now");
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.bell.notified()).await;
        }
    }

    /// Begins to tell each webhook that is not being told something the oldest thing that is due.
    async fn tell_due(self: &Arc<Self>) -> Result<(), StoreError> {
        // What is read of a webhook that is being told something may be out of date at once.
        let busy: HashSet<String> = self.busy.pin().iter().cloned().collect();
        let due = webhooks::due(self.store.reader(), clock::now()).await?;
        for (webhook, delivery) in due.into_iter().filter(|(webhook, _)| !busy.contains(&webhook.id)) {
            self.busy.pin().insert(webhook.id.clone());
            let sender = Arc::clone(self);
            tokio::spawn(async move {
                sender.tell(&webhook, &delivery).await;
                sender.busy.pin().remove(&webhook.id);
                sender.ring();
            });
        }
        Ok(())
    }

    /// Tells a webhook one thing, and writes down what came of it, until it is written: or it would be told again.
    async fn tell(&self, webhook: &Webhook, delivery: &Delivery) {
        let outcome = self.try_once(webhook, delivery).await;
        crash_point("webhook-told");
        let is_draining = || self.draining.load(Ordering::Relaxed);
        if is_draining() && matches!(outcome, Outcome::Failed { status: None, .. }) {
            return;
        }
        while let Err(error) = self.write_down(webhook, delivery, &outcome).await {
            tracing::error!(webhook = %webhook.id, %error, "what a webhook was told is not written down yet");
            if is_draining() {
                return;
            }
            tokio::time::sleep(WRITE_AGAIN).await;
        }
    }

    async fn write_down(
        &self,
        webhook: &Webhook,
        delivery: &Delivery,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        let (now, attempts) = (clock::now(), delivery.attempts + 1);
        let next = outcome.next(attempts, now, rand::random());
        let transaction = self.store.begin().await?;
        webhooks::set_outcome(&transaction, &webhook.id, (outcome, now)).await?;
        let word = match &next {
            Next::Done => {
                webhooks::remove_delivery(&transaction, &delivery.id).await?;
                "taken"
            }
            Next::Again { due_at } => {
                webhooks::put_off(&transaction, &delivery.id, (attempts, *due_at)).await?;
                "again"
            }
            Next::Disable { why } => {
                webhooks::disable(&transaction, &webhook.id, (why, now)).await?;
                "disabled"
            }
        };
        transaction.commit().await?;
        if let Next::Disable { why } = next {
            tracing::error!(webhook = %webhook.id, why, "webhook disabled");
        }
        metrics::counter!("podium_webhooks_total", "outcome" => word).increment(1);
        Ok(())
    }

    async fn try_once(&self, webhook: &Webhook, delivery: &Delivery) -> Outcome {
        let failed = |error: String| Outcome::Failed { status: None, error, asked_s: None };
        let Some(signer) = self.signer(&webhook.secret) else {
            return failed(format!("`{}` is no secret of webhooks", webhook.secret));
        };
        let (client, url) = (self.client.clone(), webhook.url.clone());
        let (id, body) = (delivery.id.clone(), delivery.body.clone());
        let timestamp = clock::now().as_millis().div_euclid(1_000);
        let message = Message { url, id, timestamp, body };
        let posted = tokio::task::spawn_blocking(move || client.post(&message, &signer)).await;
        posted.unwrap_or_else(|error| failed(error.to_string()))
    }
}
