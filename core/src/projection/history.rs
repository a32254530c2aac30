//! What units did before their first exposure, beside what they did after it. Such sums are kept in rows like those of
//! values: x, before, in the place of the numerator and y, after, in that of the denominator.

use crate::inference::strata::HistorySums;
use crate::metric::VariantSums;

/// Adds (`sign` 1) or takes back (`sign` −1) a unit with a history.
pub(super) fn count(sums: &mut VariantSums, (x, y): (i64, i64), sign: i64) {
    sums.count((x, y), sign);
}

/// Reads the row of a [`MetricSlot::History`](super::MetricSlot::History).
pub fn history_sums(row: &VariantSums) -> HistorySums {
    HistorySums { n: row.n, x: row.y, y: row.d, xx: row.yy, xy: row.yd, yy: row.dd }
}
