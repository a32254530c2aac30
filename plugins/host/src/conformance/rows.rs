//! Events and sums to try a metric with: ordinary ones, and every oddity we know.

use crate::batch::{ColumnType, Value};
use crate::fields::Shape;
use podium_plugin_abi::MAGNITUDE_MAX;

const N_ROWS: usize = 600;
const SEED: u64 = 0x5eed;
const DAY_MS: u64 = 86_400_000;
/// The first instant of 2026, in milliseconds since 1970.
const YEAR_2026_MS: i64 = 1_767_225_600_000;
/// Of metrics with more than two accumulators, not every combination of sums is tried.
const N_RANDOM_SUMS: usize = 500;

const WHOLE: [i64; 14] = [
    0,
    1,
    -1,
    2,
    990,
    8_990,
    -8_990,
    1_234_567,
    MAGNITUDE_MAX,
    -MAGNITUDE_MAX,
    MAGNITUDE_MAX + 1,
    -MAGNITUDE_MAX - 1,
    i64::MAX,
    i64::MIN,
];
const FLOAT: [f64; 10] =
    [0.0, -0.0, 1.0, 19.99, -3.5, 1e300, f64::MIN_POSITIVE, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
const TEXT: [&str; 12] = [
    "",
    " ",
    "a",
    "summer-sale",
    "Größe 42",
    "🛒",
    "nul\0inside",
    "https://shop.example/cart?x=1",
    "https://www.shop.example/",
    "https://search.example/?q=shop",
    "://",
    "{\"not\": \"expected\"}",
];
const JSON: [&str; 8] =
    ["null", "{}", "[]", "{\"a\": [1, 2.5, \"x\"]}", "\"text\"", "-0", "18446744073709551616", "true"];
const SUMS: [i64; 9] = [0, 1, -1, 2, 3, -7, 8_990, MAGNITUDE_MAX, -MAGNITUDE_MAX];

/// One event.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) event: u16,
    pub(super) time_ms: i64,
    pub(super) values: Vec<Value<'static>>,
}

/// A generator of numbers: Steele, Lea & Flood (2014), *Fast splittable pseudorandom number generators*.
pub(super) struct SplitMix(u64);

impl SplitMix {
    pub(super) fn new(salt: u64) -> Self {
        Self(SEED ^ salt)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Makes rows of all selected events, and some of events that were not selected.
pub(super) fn odd_and_ordinary(shape: &Shape) -> Vec<Row> {
    let mut random = SplitMix::new(1);
    let row = |_| {
        let is_unknown = random.below(20) == 0;
        let event =
            if is_unknown { unknown_event(shape) } else { random.below(shape.n_events.max(1)) as u16 };
        let time_ms = match random.below(30) {
            0 => i64::MIN,
            1 => i64::MAX,
            2 => 0,
            _ => YEAR_2026_MS + (random.next() % (60 * DAY_MS)).cast_signed(),
        };
        let values = shape.columns.iter().map(|&column| value(column, &mut random)).collect();
        Row { event, time_ms, values }
    };
    (0..N_ROWS).map(row).collect()
}

/// An index that no event has.
pub(super) fn unknown_event(shape: &Shape) -> u16 {
    u16::try_from(shape.n_events).map_or(u16::MAX, |n| n.max(u16::MAX - 7))
}

/// Makes sums of units, n·k of them: combinations of none, few, many, negative and the largest.
pub(super) fn odd_sums(k: usize) -> Vec<i64> {
    match k {
        1 => SUMS.to_vec(),
        2 => SUMS.iter().flat_map(|&first| SUMS.iter().flat_map(move |&second| [first, second])).collect(),
        _ => {
            let mut random = SplitMix::new(2);
            let zeros = std::iter::repeat_n(0, k);
            zeros.chain((0..N_RANDOM_SUMS * k).map(|_| random.pick(&SUMS))).collect()
        }
    }
}

fn value(column: ColumnType, random: &mut SplitMix) -> Value<'static> {
    if random.below(6) == 0 {
        return Value::Null;
    }
    match column {
        ColumnType::Int => Value::Int(random.pick(&WHOLE)),
        ColumnType::Float => Value::Float(random.pick(&FLOAT)),
        ColumnType::Bool => Value::Bool(random.below(2) == 0),
        ColumnType::Money => Value::Money(random.pick(&WHOLE)),
        ColumnType::Text => Value::Text(random.pick(&TEXT)),
        ColumnType::Json => Value::Json(random.pick(&JSON)),
    }
}
