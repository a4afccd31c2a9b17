//! Where in a deploy something befalls it: counted in calls, so that a machine's speed changes nothing.

use super::{Call, Fault};

/// One call of a command, by how many of its kind come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub among: Among,
    pub number: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// What changes the stacks, the functions, or the traffic. An undisturbed deploy makes about 12.
    Changes,
    /// What is written into a ledger that is a bucket.
    Writes,
    /// Changes of the traffic: of the stage `prod`, or of an alias `live`.
    Shifts,
    /// Every call, reads and looks at the gates too: some 100, looks left out.
    All,
}

impl Among {
    fn counts(self, call: &Call) -> bool {
        match self {
            Among::All => true,
            Among::Changes => call.is_change && call.service != "s3",
            Among::Writes => call.is_change && call.service == "s3",
            Among::Shifts => {
                call.is_change
                    && (call.operation.ends_with("/stages/prod") || call.operation.ends_with("/aliases/live"))
            }
        }
    }
}

impl Point {
    /// A rule that does `fault` at this point.
    pub fn rule(self, fault: Fault) -> impl FnMut(&Call) -> Fault + Send + 'static {
        let mut reached = self.reached();
        move |call| if reached(call) { fault } else { Fault::None }
    }

    /// Whether a call is the one, when asked at each.
    pub fn reached(self) -> impl FnMut(&Call) -> bool + Send + 'static {
        let mut seen = 0;
        move |call| {
            let counts = self.among.counts(call);
            seen += usize::from(counts);
            counts && seen == self.number + 1
        }
    }
}
