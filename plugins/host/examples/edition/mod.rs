//! A plugin whose file can be made another one by changing a few bytes of it, and that does what those say.

use podium_plugin::prelude::*;
use std::fs::OpenOptions;
use std::io::Write;

/// What a test writes over: who it is, behind the mark.
#[used]
static EDITION: [u8; 32] = *b"podium-edition: first           ";

/// Who it is.
fn edition() -> String {
    let bytes = std::hint::black_box(&EDITION);
    String::from_utf8_lossy(bytes)
        .split_once(": ")
        .map_or_else(String::new, |(_, name)| name.trim_end().to_owned())
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Settings {
    /// Where messages are written down, one a line.
    #[serde(default)]
    sent: String,
}

fn create(settings: Settings) -> Result<Settings> {
    if edition() == "refuses" { Err(Error::config("not these")) } else { Ok(settings) }
}

/// Counts orders.
pub(crate) struct Counts<const REVISION: u32>;

impl<const REVISION: u32> Metric for Counts<REVISION> {
    type Config = Settings;
    type Sums = [f64; 1];
    const INFO: MetricInfo = MetricInfo::mean("fixture_counts", "Counts").revision(REVISION);

    fn create(settings: Settings) -> Result<Self> {
        create(settings).map(|_| Self)
    }

    fn fields(&self) -> Fields {
        let property = if edition() == "reads other" { "voucher" } else { "coupon" };
        Fields::new()
            .column("coupon", Column::Text)
            .read(Read::event("Order Completed").property("coupon", property))
    }

    fn observe(&self, _event: &Event<'_>) -> [f64; 1] {
        if edition() == "crashes" {
            std::process::abort();
        }
        [1.0]
    }

    fn value(&self, [n]: [f64; 1]) -> (f64, f64) {
        (n, 1.0)
    }
}

/// Writes messages to a file.
pub(crate) struct Files(Settings);

impl Channel for Files {
    type Config = Settings;
    const INFO: ChannelInfo = ChannelInfo::new("fixture_files", "Files", Class::Blind).batch(4).parallel(4);

    fn create(settings: Settings, _host: &Host) -> Result<Self> {
        create(settings).map(Self)
    }

    fn render(&self, content: &Content<'_>) -> Result<Payload> {
        Ok(Payload::json(content.json()?))
    }

    fn deliver(&self, message: &Message<'_>, _call: &Call<'_>) -> Outcome {
        if edition() == "crashes" {
            std::process::abort();
        }
        let line = format!("{}\n", message.idempotency_key());
        let sent = OpenOptions::new().append(true).create(true).open(&self.0.sent);
        match sent.and_then(|mut sent| sent.write_all(line.as_bytes())) {
            Ok(()) => Outcome::Accepted { provider_id: edition() },
            Err(error) => Outcome::Rejected(error.to_string()),
        }
    }
}
