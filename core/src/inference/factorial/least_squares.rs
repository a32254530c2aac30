//! Weighted least squares, one column after the other, by orthogonal columns.

/// A column of which so small a part is new is a sum of the earlier ones.
const NEW_PART_MIN: f64 = 1e-9;

/// Columns of which none is a sum of others, as X√W = QR with `QᵀQ` = 1 and R upper triangular.
#[derive(Clone, Debug)]
pub(super) struct LeastSquares {
    root_weights: Vec<f64>,
    q: Vec<Vec<f64>>,
    /// R by columns: the n-th has n + 1 numbers.
    r: Vec<Vec<f64>>,
}

impl LeastSquares {
    /// Starts without columns.
    ///
    /// - `weights`: how much each row counts, `> 0`.
    pub(super) fn new(weights: Vec<f64>) -> Self {
        let root_weights = weights.into_iter().map(f64::sqrt).collect();
        Self { root_weights, q: Vec::new(), r: Vec::new() }
    }

    pub(super) fn n_columns(&self) -> usize {
        self.q.len()
    }

    /// Adds columns, or none of them if one is a sum of others; returns whether it did.
    pub(super) fn add(&mut self, columns: &[Vec<f64>]) -> bool {
        let before = self.q.len();
        let added = columns.iter().all(|column| self.add_one(column));
        if !added {
            self.q.truncate(before);
            self.r.truncate(before);
        }
        added
    }

    fn add_one(&mut self, column: &[f64]) -> bool {
        let mut rest: Vec<f64> = column.iter().zip(&self.root_weights).map(|(x, root)| x * root).collect();
        let whole = dot(&rest, &rest).sqrt();
        let mut r = vec![0.0; self.q.len()];
        // The second time takes away what rounding left of the first.
        for _ in 0..2 {
            for (q, r) in self.q.iter().zip(&mut r) {
                let part = dot(q, &rest);
                *r += part;
                rest.iter_mut().zip(q).for_each(|(rest, q)| *rest -= part * q);
            }
        }
        let new = dot(&rest, &rest).sqrt();
        if new <= NEW_PART_MIN * whole {
            return false;
        }
        r.push(new);
        self.q.push(rest.into_iter().map(|rest| rest / new).collect());
        self.r.push(r);
        true
    }

    /// How much of each row's value is in the sum of the coefficients from `first` on, weighted by `contrast`.
    ///
    /// The coefficients are R⁻¹Qᵀ√W·y, so that is √W·Q·R⁻ᵀ·c.
    pub(super) fn shares(&self, first: usize, contrast: &[f64]) -> Vec<f64> {
        let wanted =
            |idx: usize| idx.checked_sub(first).and_then(|idx| contrast.get(idx)).copied().unwrap_or(0.0);
        let mut solved: Vec<f64> = Vec::with_capacity(self.r.len());
        for (idx, r) in self.r.iter().enumerate() {
            let known: f64 = dot(&r[..idx], &solved);
            solved.push((wanted(idx) - known) / r[idx]);
        }
        let share = |row_idx: usize| {
            let sum: f64 = self.q.iter().zip(&solved).map(|(q, solved)| q[row_idx] * solved).sum();
            sum * self.root_weights[row_idx]
        };
        (0..self.root_weights.len()).map(share).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
