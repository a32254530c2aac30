use crate::metric::Direction;

use super::*;

#[test]
fn identical_posteriors_share_evenly() {
    let beta = Posterior::Beta(Beta::new(3.0, 40.0).unwrap());
    let comparison = Posteriors::new(Direction::Increase, vec![beta; 5]).unwrap().compare(0);
    for chance in comparison.p_best() {
        assert!((chance.get() - 0.2).abs() < 1e-12, "{chance:?}");
    }
}
