//! A configured channel whose plugin runs in a child.

use super::asked::{self, Ended};
use super::child::Create;
use super::plugin::Plugin;
use super::process::Death;
use super::record::Role;
use super::switchboard::Switchboard;
use super::upgrade::Setting;
use super::wire::FRAME_BYTES_MAX;
use crate::channel_calls::{OpenCall, Reported, now_ms};
use crate::channel_configured::{Ask, Calls};
use crate::channel_instance::{ChannelCall, ChannelCreateError, ChannelFault};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a channel may render, or take a webhook request.
const SHORT_DEADLINE: Duration = Duration::from_secs(5);
/// How long it may try whether it is well.
const HEALTH_DEADLINE: Duration = Duration::from_secs(2);
/// How long after its deadline the word of a call is still waited for.
const GRACE: Duration = Duration::from_millis(500);
/// The longest delivery, whatever its deadline.
const DELIVER_MAX: Duration = Duration::from_mins(10);

/// A configured channel in a child.
pub(crate) struct SupervisedChannel {
    plugin: Arc<Plugin>,
    /// The settings, with their secrets: never printed.
    create_json: Vec<u8>,
    instance: u32,
    /// Held while an instance is made in a new child.
    making: Mutex<()>,
}

impl SupervisedChannel {
    /// Makes an instance in the plugin's child. The configuration has its secrets.
    pub(crate) fn create(
        plugin: &Arc<Plugin>,
        channel: &str,
        config_json: String,
    ) -> Result<Self, ChannelCreateError> {
        let lost = |text: String| ChannelCreateError::Lost { text };
        let create = Create { component: channel.to_owned(), config_json };
        let create_json = serde_json::to_vec(&create).map_err(|error| lost(error.to_string()))?;
        let instance = plugin.next_instance();
        let channel = Self { plugin: Arc::clone(plugin), create_json, instance, making: Mutex::new(()) };
        let board = plugin.switchboard().map_err(|away| lost(away.text(plugin.id())))?;
        let made = channel.make(&board).map_err(|death| lost(death.to_string()))?;
        made.map_err(|fault| serde_json::from_slice(&fault).unwrap_or_else(|error| lost(error.to_string())))?;
        let create_json = channel.create_json.clone();
        let setting =
            Setting { role: Role::Channels, component: create.component, create_json, fields_json: None };
        plugin.remember(instance, setting);
        Ok(channel)
    }

    /// Makes the instance in a child, unless it is there.
    fn make(&self, board: &Arc<Switchboard>) -> Result<Result<(), Vec<u8>>, Death> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if board.has(self.instance) {
            return Ok(Ok(()));
        }
        let answer = board.create(self.instance, &self.create_json);
        let answer = answer.inspect_err(|death| self.plugin.lost(board, death))?;
        Ok(answer.map(drop))
    }

    fn run(&self, ask: &Ask<'_>, call: &ChannelCall, open: &Arc<OpenCall>) -> Result<(), ChannelFault> {
        let text = |error: &dyn std::error::Error| ChannelFault::Lost { text: error.to_string() };
        let (kind, bytes) = asked::write(ask, call).map_err(|error| text(&error))?;
        if FRAME_BYTES_MAX < bytes.len() {
            return Err(ChannelFault::TooMuch { limit: "8 MiB in one call" });
        }
        let away = |text: String| ChannelFault::Away { text };
        let board = self.plugin.switchboard().map_err(|reason| away(reason.text(self.plugin.id())))?;
        if let Err(fault) = self.make(&board).map_err(|death| fault(&death))? {
            return Err(ChannelFault::Lost { text: String::from_utf8_lossy(&fault).into_owned() });
        }
        let answer = board.call((kind, self.instance), &bytes, open, deadline(ask, call));
        let answer = answer.map_err(|death| {
            self.plugin.lost(&board, &death);
            fault(&death)
        })?;
        let ended = answer.unwrap_or_else(|fault| fault);
        let ended: Ended = serde_json::from_slice(&ended).map_err(|error| text(&error))?;
        if let Some(limit) = ended.limit() {
            open.limited(limit);
        }
        ended.result()
    }
}

impl Calls for SupervisedChannel {
    fn call(
        &self,
        ask: &Ask<'_>,
        call: &ChannelCall,
        first_idx: usize,
    ) -> (Reported, Result<(), ChannelFault>) {
        let open = Arc::new(OpenCall::new(call, first_idx, ask.n_messages()));
        let ended = self.run(ask, call, &open);
        (open.take(), ended)
    }
}

impl Drop for SupervisedChannel {
    fn drop(&mut self) {
        self.plugin.forget(self.instance);
    }
}

/// When a call is given up, and its child with it.
fn deadline(ask: &Ask<'_>, call: &ChannelCall) -> Instant {
    let patience = match ask {
        Ask::Render { .. } | Ask::Ingest { .. } => SHORT_DEADLINE,
        Ask::Health => HEALTH_DEADLINE,
        Ask::Deliver { .. } => {
            let left_ms = call.deadline_ms.saturating_sub(now_ms());
            Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)).min(DELIVER_MAX) + GRACE
        }
    };
    Instant::now() + patience
}

fn fault(death: &Death) -> ChannelFault {
    let text = death.to_string();
    match death {
        Death::Late(_) => ChannelFault::Late { text },
        Death::Crashed(_) | Death::Nonsense(_) | Death::TooLarge(_) => ChannelFault::Crashed { text },
    }
}
