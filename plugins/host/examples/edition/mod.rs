//! A plugin whose file can be made another one by changing a few bytes of it, and that does what those say.

use podium_plugin::prelude::*;
use std::io::{self, Read as _, Write};
use std::net::TcpStream;

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
    /// Which address takes messages and says that it has them; if none does, they are lost.
    #[serde(default)]
    provider: String,
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

/// Hands messages over.
pub(crate) struct Hands(Settings);

impl Channel for Hands {
    type Config = Settings;
    const INFO: ChannelInfo = ChannelInfo::new("fixture_hands", "Hands", Class::Blind).batch(4).parallel(4);

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
        match hand_over(&self.0.provider, message.idempotency_key()) {
            Ok(()) => Outcome::Accepted { provider_id: edition() },
            Err(error) => Outcome::Rejected(error.to_string()),
        }
    }
}

fn hand_over(provider: &str, key: &str) -> io::Result<()> {
    if provider.is_empty() {
        return Ok(());
    }
    let mut connection = TcpStream::connect(provider)?;
    connection.write_all(format!("{key}\n").as_bytes())?;
    connection.read_exact(&mut [0])
}
