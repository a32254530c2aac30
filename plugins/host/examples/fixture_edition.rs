//! A plugin that tests make other files of.

mod edition;

use edition::{Counts, Hands};

podium_plugin::export_plugin! {
    id: "com.example.fixture-edition",
    metrics: [Counts<1>],
    channels: [Hands],
}
