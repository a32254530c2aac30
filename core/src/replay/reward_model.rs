//! What a variant is expected to bring in a context, from earlier rows.

/// How many rows' worth a wider mean counts beside a narrower one.
const PRIOR_ROWS: f64 = 10.0;

/// The mean reward of each variant in each context, shrunk toward the variant's over all contexts, and that toward the
/// mean of all. Rows are learned from only after they were judged, so that what is expected of a row does not depend
/// on it, nor on anything that came after it.
#[derive(Clone, Debug)]
pub(super) struct RewardModel {
    all: Mean,
    variants: Vec<Mean>,
    /// By context, then variant.
    cells: Vec<Mean>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    n: f64,
    sum: f64,
}

impl Mean {
    fn add(&mut self, reward: f64) {
        self.n += 1.0;
        self.sum += reward;
    }

    fn toward(self, wider: f64) -> f64 {
        (self.sum + PRIOR_ROWS * wider) / (self.n + PRIOR_ROWS)
    }
}

impl RewardModel {
    /// Expects nothing yet.
    pub(super) fn new(n_variants: usize, n_contexts: usize) -> Self {
        let none = Mean::default();
        Self { all: none, variants: vec![none; n_variants], cells: vec![none; n_variants * n_contexts] }
    }

    /// The rewards expected of all variants in a context, in variant order.
    pub(super) fn expected(&self, context_idx: usize) -> impl Iterator<Item = f64> {
        let all = if self.all.n == 0.0 { 0.0 } else { self.all.sum / self.all.n };
        let cells = self.cells.iter().skip(context_idx * self.variants.len());
        self.variants.iter().zip(cells).map(move |(variant, cell)| cell.toward(variant.toward(all)))
    }

    /// Learns from a row of a variant and context that there are.
    pub(super) fn learn(&mut self, context_idx: usize, variant_idx: usize, reward: f64) {
        self.all.add(reward);
        self.variants[variant_idx].add(reward);
        let n_variants = self.variants.len();
        self.cells[context_idx * n_variants + variant_idx].add(reward);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_say_little_and_many_say_all() {
        let mut model = RewardModel::new(2, 2);
        let expected = |model: &RewardModel, context_idx| model.expected(context_idx).collect::<Vec<_>>();
        assert_eq!(expected(&model, 1), [0.0, 0.0]);
        model.learn(0, 1, 22.0);
        // The mean of all is 22, and no variant has said otherwise.
        assert_eq!(expected(&model, 0), [22.0, 22.0]);
        for _ in 0..100_000 {
            model.learn(1, 0, 4.0);
        }
        let [own, other] = expected(&model, 1)[..] else { panic!("two variants") };
        assert!((own - 4.0).abs() < 1e-3, "{own}");
        assert!(4.0 < other && other < 6.0, "{other}");
    }
}
