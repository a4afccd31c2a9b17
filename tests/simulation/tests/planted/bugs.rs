//! The bugs that are planted: each a mistake that is easily made, as an edit of the orchestrator's source.

/// One bug.
pub struct Bug {
    pub name: &'static str,
    /// What somebody might think when writing it.
    pub mistake: &'static str,
    pub edits: &'static [Edit],
    /// The simulator finds it within this many seeds, counted from 1.
    pub seeds: u32,
}

/// A text that stands once in a file of `crates/orchestrator/src`, and what it becomes: the same, unless `PLANTED`.
pub struct Edit {
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

pub const BUGS: &[Bug] = &[
    Bug {
        name: "no-read-back",
        mistake: "a change that was answered is in force",
        edits: &[Edit {
            file: "driver/traffic.rs",
            from: "        let limits = &self.rollouts.config.convergence;\n        let deadline = self.now() + limits.probe_timeout;\n",
            to: "        if PLANTED {\n            return Ok(());\n        }\n        let limits = &self.rollouts.config.convergence;\n        let deadline = self.now() + limits.probe_timeout;\n",
        }],
        seeds: 20,
    },
    Bug {
        name: "promotion-assumed",
        mistake: "a promotion that was under way took place",
        edits: &[Edit {
            file: "driver/recover.rs",
            from: "        Ok(self.is_all_at_the_goal(state).await?)\n",
            to: "        Ok(PLANTED || self.is_all_at_the_goal(state).await?)\n",
        }],
        seeds: 1000,
    },
    Bug {
        name: "breach-waits-for-the-bake",
        mistake: "the bake's end is when the gates decide",
        edits: &[Edit {
            file: "rollout/transition.rs",
            from: "        (Verdict::Fail, _) => turn_back(Reason::GateBreached { step, judgement }),\n",
            to: "        (Verdict::Fail, _) if PLANTED && at < times.passes_from => Phase::Baking { bake, passed: false },\n        (Verdict::Fail, _) => turn_back(Reason::GateBreached { step, judgement }),\n",
        }],
        seeds: 3000,
    },
    Bug {
        name: "steps-jumped",
        mistake: "the next step's weight is what counts",
        edits: &[Edit {
            file: "rollout/state.rs",
            from: "            Some(planned) => Some(Effect::Shift {\n                step,\n                weight: planned.weight,\n",
            to: "            Some(planned) => Some(Effect::Shift {\n                step,\n                weight: self.plan.steps.get(step + 1).filter(|_| PLANTED).unwrap_or(planned).weight,\n",
        }],
        seeds: 10,
    },
    Bug {
        name: "no-fencing",
        mistake: "whoever writes last is right",
        edits: &[Edit {
            file: "ledger/sequence.rs",
            from: "mode: PutMode::Create,",
            to: "mode: if PLANTED { PutMode::Overwrite } else { PutMode::Create },",
        }],
        seeds: 20,
    },
    Bug {
        name: "no-intent",
        mistake: "the outcome says enough",
        edits: &[
            Edit {
                file: "driver/run.rs",
                from: "        self.record(Event::Intended {\n            effect: effect.clone(),\n            expected,\n        })\n        .await?;\n",
                to: "        if !PLANTED {\n            self.record(Event::Intended {\n                effect: effect.clone(),\n                expected,\n            })\n            .await?;\n        }\n",
            },
            Edit {
                file: "rollout/transition.rs",
                from: "            let Some(pending) = &state.pending else {\n                return Err(illegal(state, event, \"nothing was intended\"));\n            };\n",
                to: "            let due = state.next_effect().filter(|_| PLANTED);\n            let Some(pending) = state.pending.as_ref().or(due.as_ref()) else {\n                return Err(illegal(state, event, \"nothing was intended\"));\n            };\n",
            },
        ],
        seeds: 10,
    },
    Bug {
        name: "bake-from-the-call",
        mistake: "the bake begins when the weight is asked for",
        edits: &[
            Edit {
                file: "driver/traffic.rs",
                from: "        let journeys = self.journeys(state)?;\n        let before = step.checked_sub(1)",
                to: "        let asked = self.now();\n        let journeys = self.journeys(state)?;\n        let before = step.checked_sub(1)",
            },
            Edit {
                file: "driver/traffic.rs",
                from: "        Ok(Event::InForce {\n            step,\n            at: self.now(),",
                to: "        Ok(Event::InForce {\n            step,\n            at: if PLANTED { asked } else { self.now() },",
            },
        ],
        seeds: 20,
    },
    Bug {
        name: "inconclusive-promotes",
        mistake: "nothing speaks against it",
        edits: &[Edit {
            file: "rollout/transition.rs",
            from: "        (Verdict::Pass, _) => Phase::Baking {",
            to: "        (Verdict::Inconclusive, _) if PLANTED => Phase::Baking {\n            bake,\n            passed: at >= times.passes_from && !waits,\n        },\n        (Verdict::Pass, _) => Phase::Baking {",
        }],
        seeds: 50,
    },
    Bug {
        name: "blindness-passes",
        mistake: "no data, no errors",
        edits: &[Edit {
            file: "gates/verdict.rs",
            from: "            verdict: Verdict::Inconclusive,\n            requests: 0,\n",
            to: "            verdict: if PLANTED { Verdict::Pass } else { Verdict::Inconclusive },\n            requests: 0,\n",
        }],
        seeds: 200,
    },
    Bug {
        name: "smoke-not-needed",
        mistake: "the checks were run, that will do",
        edits: &[
            Edit {
                file: "driver/effects.rs",
                from: "        if !failed.is_empty() {\n            return Err(EffectFailure::Reason(Reason::SmokeFailed { failed }));",
                to: "        if !failed.is_empty() && !PLANTED {\n            return Err(EffectFailure::Reason(Reason::SmokeFailed { failed }));",
            },
            Edit {
                file: "rollout/transition.rs",
                from: "            if digest != tested || results.iter().any(|result| !result.passed) {",
                to: "            if digest != tested || (!PLANTED && results.iter().any(|result| !result.passed)) {",
            },
        ],
        seeds: 200,
    },
    Bug {
        name: "one-entry-point-forgotten",
        mistake: "the first one is the one that counts",
        edits: &[Edit {
            file: "driver/traffic.rs",
            from: "EntryPoint::all(target(state)?)\n            .filter_map(",
            to: "EntryPoint::all(target(state)?)\n            .skip(usize::from(PLANTED))\n            .filter_map(",
        }],
        seeds: 20,
    },
    Bug {
        name: "foreign-overwritten",
        mistake: "the plan knows better",
        edits: &[Edit {
            file: "driver/traffic.rs",
            from: "if let Some(shape) = seen.shape().filter(|shape| shape == desired || ours(shape)) {",
            to: "if let Some(shape) = seen.shape().filter(|shape| shape == desired || ours(shape) || (PLANTED && attempt > 0)) {",
        }],
        seeds: 100,
    },
    Bug {
        name: "lost-lease-ignored",
        mistake: "it was ours a moment ago",
        edits: &[
            Edit {
                file: "driver/run.rs",
                from: "            Some(record) if record.epoch != self.epoch => return Err(EffectFailure::LockLost(Box::new(record))),\n",
                to: "            Some(record) if record.epoch != self.epoch && !PLANTED => {\n                return Err(EffectFailure::LockLost(Box::new(record)));\n            }\n",
            },
            Edit {
                file: "driver/run.rs",
                from: "        if self.lease_end.is_after(self.now() + rollouts.config.lock_margin) {",
                to: "        if PLANTED || self.lease_end.is_after(self.now() + rollouts.config.lock_margin) {",
            },
            Edit {
                file: "driver/run.rs",
                from: "            Err(error) => Err(error.into()),\n        }\n    }\n\n    /// Drives `work`",
                to: "            Err(_) if PLANTED => Ok(()),\n            Err(error) => Err(error.into()),\n        }\n    }\n\n    /// Drives `work`",
            },
        ],
        seeds: 1500,
    },
    Bug {
        name: "abort-ignored",
        mistake: "it is nearly done anyway",
        edits: &[Edit {
            file: "rollout/requested.rs",
            from: "    if let Request::Abort { reason } = request {\n",
            to: "    if PLANTED && matches!(request, Request::Abort { .. }) {\n        return Ok(());\n    }\n    if let Request::Abort { reason } = request {\n",
        }],
        seeds: 200,
    },
    Bug {
        name: "back-to-the-rejected",
        mistake: "any release that there was will do",
        edits: &[Edit {
            file: "driver/plan.rs",
            from: "        if release.state != ReleaseState::Retained {",
            to: "        if release.state != ReleaseState::Retained && !(PLANTED && release.state != ReleaseState::Candidate) {",
        }],
        seeds: 1000,
    },
];
