//! Holding a command at one of its calls, until the test has done what it wants to meet it there.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::{Call, Fault, Point, Wire};

/// A command that is to stop at a call, or stands there.
pub struct Held {
    reached: Receiver<Call>,
    release: Sender<()>,
}

impl Wire<'_> {
    /// The call at `point` waits until it is released; so do all others that come meanwhile.
    pub fn hold(&self, point: Point) -> Held {
        self.hold_at(point.reached())
    }

    /// The same at every call that `is_it` says.
    pub fn hold_at(&self, mut is_it: impl FnMut(&Call) -> bool + Send + 'static) -> Held {
        let (tell, reached) = channel();
        let (release, released) = channel();
        self.rule(move |call| {
            if is_it(call) {
                // Where the test has given up, nothing is waited for.
                let _ = tell.send(call.clone());
                let _ = released.recv();
            }
            Fault::None
        });
        Held { reached, release }
    }
}

impl Held {
    /// Waits until the command stands at the call.
    #[track_caller]
    pub fn wait(&self) -> Call {
        self.reached.recv().expect("the command makes that call")
    }

    /// Lets it go on to the next such call.
    pub fn step(&self) {
        self.release.send(()).expect("the command stands at the call");
    }

    /// Lets it go on for good.
    pub fn release(self) {
        // A call of a dead process may be gone.
        let _ = self.release.send(());
    }
}
