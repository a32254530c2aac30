//! Who may be in an experiment, and who is held out of everything else.

use super::{Definition, Stickiness};
use crate::audience::Condition;
use crate::fault::Faults;

impl Definition {
    pub(super) fn check_holdout(&self, faults: &mut Faults) {
        if !self.holdout {
            return;
        }
        if self.variants.len() != 2 || self.is_adaptive() {
            faults
                .add("/holdout", "a holdout has two variants, the control being held out, and a fixed split");
        }
        if self.when.is_some() || self.stickiness != Stickiness::Sticky || self.exclusion_group.is_some() {
            faults.add("/holdout", "a holdout is for everyone: sticky, without `when` and `exclusion_group`");
        }
        if self.shadow {
            faults.add("/shadow", "who is held out is shown nothing anyway; a holdout is not in the shadow");
        }
        if self.traffic < 1.0 {
            faults.add(
                "/traffic",
                "a holdout has all traffic; the control's weight says how many are held out",
            );
        }
    }

    pub(super) fn check_when(&self, faults: &mut Faults) {
        if let Some(when) = &self.when {
            faults.add_below("/when", Condition::parse(when));
        }
    }
}
