//! The same plugin, whose metric says that it gives other numbers.

mod edition;

use edition::{Counts, Hands};

podium_plugin::export_plugin! {
    id: "com.example.fixture-edition",
    metrics: [Counts<2>],
    channels: [Hands],
}
