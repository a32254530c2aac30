//! A plugin with a metric and several channels: one that works, and one for each thing that can go wrong.

use podium_plugin::prelude::*;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeskSettings {
    /// What webhooks are signed with.
    #[serde(default)]
    token: Option<Secret>,
}

/// Takes every message, and tells the payload back as the provider's id.
struct Desk(DeskSettings);

impl Channel for Desk {
    type Config = DeskSettings;
    const INFO: ChannelInfo = ChannelInfo::new("fixture_desk", "Order desk", Class::Keyed { ttl_h: 20 })
        .description("Notes to the people at the desk.")
        .batch(3)
        .parallel(2)
        .payload_limit(64);

    fn create(settings: DeskSettings, host: &Host) -> Result<Self> {
        host.log(Level::Info, &format!("created with {:?}", settings.token));
        Ok(Self(settings))
    }

    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        let note = content.json()?;
        if note["note"].is_null() {
            return Err(Error::content("/note: there is none"));
        }
        Ok(Payload::json(note))
    }

    fn deliver(&self, message: &Message<'_>, call: &Call<'_>) -> Outcome {
        let Ok(desk) = message.address::<String>() else {
            return Outcome::Rejected("the address is no text".into());
        };
        match desk.as_str() {
            "closed" => Outcome::Deferred { after_s: 30 },
            "busy" => Outcome::RateLimited { after_s: 0 },
            "nowhere" => Outcome::TargetGone,
            "late" => {
                thread::sleep(call.remaining() + Duration::from_millis(2));
                Outcome::Unknown(format!("{} ms left", call.remaining().as_millis()))
            }
            "asleep" => {
                thread::sleep(Duration::from_millis(20));
                Outcome::Unknown("it slept".into())
            }
            _ => {
                let purpose = if message.purpose() == Purpose::Transactional { "wanted" } else { "offered" };
                let (key, attempt) = (message.idempotency_key(), message.attempt());
                let provider_id = format!("{purpose} {key} {attempt} {}", message.payload());
                Outcome::Accepted { provider_id }
            }
        }
    }

    fn ingest(&self, request: &Request<'_>, call: &Call<'_>) -> Result<()> {
        let token = self.0.token.as_ref().map_or("", Secret::reveal);
        if request.header("X-Token") != Some(token) {
            return Err(Error::internal("the signature is wrong"));
        }
        for line in String::from_utf8_lossy(request.body()).lines() {
            call.emit(&Feedback::of(FeedbackKind::Bounced, line).detail(request.query()).for_good())?;
        }
        let n_lines = request.body().split(|&byte| byte == b'\n').count();
        call.track(&TrackEvent::new("Desk Told", "w-1").anonymous_id("c-1").property("lines", n_lines))
    }

    fn health(&self, _call: &Call<'_>) -> Result<()> {
        if self.0.token.is_some() { Ok(()) } else { Err(Error::internal("there is no token")) }
    }
}

/// Panics at the second message of a batch, and in everything else if told so.
struct Panics;

impl Channel for Panics {
    type Config = NoSettings;
    const INFO: ChannelInfo =
        ChannelInfo::new("fixture_panics", "Panics", Class::Blind).batch(10).parallel(8);

    fn create(_: NoSettings, _host: &Host) -> Result<Self> {
        Ok(Self)
    }

    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        assert!(content.as_str() != "null", "nothing to render");
        Ok(Payload::json(content.json()?))
    }

    fn deliver(&self, message: &Message<'_>, _call: &Call<'_>) -> Outcome {
        assert!(message.payload() != "\"PANIC\"", "the payload says so");
        Outcome::Accepted { provider_id: String::new() }
    }
}

/// Begins some messages and says nothing of any.
struct Silent;

impl Channel for Silent {
    type Config = NoSettings;
    const INFO: ChannelInfo = ChannelInfo::new("fixture_silent", "Says nothing", Class::Coalescing).batch(10);

    fn create(_: NoSettings, _host: &Host) -> Result<Self> {
        Ok(Self)
    }

    fn render(&self, _content: &Content<'_>) -> Result<Payload> {
        Ok(Payload::new([]))
    }

    fn deliver(&self, _message: &Message<'_>, _call: &Call<'_>) -> Outcome {
        Outcome::Cancelled
    }

    fn deliver_batch(&self, messages: &[Message<'_>], call: &Call<'_>) {
        for message in messages.iter().step_by(2) {
            let _ = call.begin(message);
        }
    }
}

/// Reports each message twice, and again in the next call.
struct Twice(Mutex<u32>);

impl Channel for Twice {
    type Config = NoSettings;
    const INFO: ChannelInfo = ChannelInfo::new("fixture_twice", "Repeats itself", Class::Blind).batch(10);

    fn create(_: NoSettings, _host: &Host) -> Result<Self> {
        Ok(Self(Mutex::new(0)))
    }

    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        Ok(Payload::json(content.json()?))
    }

    fn deliver(&self, message: &Message<'_>, call: &Call<'_>) -> Outcome {
        let mut n_calls = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *n_calls += 1;
        call.outcome(message, &Outcome::Accepted { provider_id: format!("call {n_calls}") });
        // The SDK reports this one, too.
        Outcome::Rejected("on second thoughts".into())
    }
}

/// Writes and emits more than there is room for, and does not care.
struct Flood;

impl Channel for Flood {
    type Config = NoSettings;
    const INFO: ChannelInfo = ChannelInfo::new("fixture_flood", "Writes too much", Class::Pull);

    fn create(_: NoSettings, _host: &Host) -> Result<Self> {
        Ok(Self)
    }

    fn render(&self, _content: &Content<'_>) -> Result<Payload> {
        Ok(Payload::plain("x".repeat(9 * 1024 * 1024)))
    }

    fn deliver(&self, _message: &Message<'_>, _call: &Call<'_>) -> Outcome {
        Outcome::Rejected("nothing is sent".into())
    }

    fn ingest(&self, request: &Request<'_>, call: &Call<'_>) -> Result<()> {
        if request.body() == b"odd" {
            return call.emit(&Feedback::of(FeedbackKind::Opened, ""));
        }
        for _ in 0..10_001 {
            let _ = call.emit(&Feedback::of(FeedbackKind::Opened, "m-1"));
        }
        Ok(())
    }
}

struct Orders;

impl Metric for Orders {
    type Config = NoSettings;
    type Sums = [f64; 1]; // orders
    const INFO: MetricInfo = MetricInfo::mean("fixture_orders", "Orders").unit(Unit::Count);

    fn create(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn fields(&self) -> Fields {
        Fields::new().read(Read::event("Order Completed").once_per("order_id"))
    }

    fn observe(&self, _order: &Event<'_>) -> [f64; 1] {
        [1.0]
    }

    fn value(&self, [orders]: [f64; 1]) -> (f64, f64) {
        (orders, 1.0)
    }
}

export_plugin! {
    id: "com.example.fixture-channels",
    metrics: [Orders],
    channels: [Desk, Panics, Silent, Twice, Flood],
}
