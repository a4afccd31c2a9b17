//! Before anything moves: whether the gates can be asked at all, what the live release did in the last hour, and whether
//! that traffic is enough for them to decide.

use super::RolloutEvent;
use super::run::{EffectFailure, Hands};
use crate::config::Preflight;
use crate::domain::RolloutTarget;
use crate::gates::{Before, Shortage, Side, before, named_sources, preflight, queries_before};
use crate::ports::{PortError, PortErrorKind};
use crate::rollout::{LiveRelease, State};

impl Hands<'_> {
    /// The hour before, and the gates that its traffic could not decide.
    ///
    /// # Errors
    /// A gate that names what does not exist; with `preflight = "require"` also traffic that is too little. Metrics that
    /// cannot be read now are told and no error here: if they stay away, the bake turns back.
    pub(super) async fn look_back(
        &self,
        state: &State,
        target: &RolloutTarget,
        live: &LiveRelease,
    ) -> Result<(Before, Vec<Shortage>), EffectFailure> {
        let config = &self.rollouts.config.gates;
        let metrics = &self.rollouts.ports.metrics;
        let named = named_sources(config);
        if !named.is_empty() {
            self.tolerate(self.retry(|| metrics.resolve(&named)).await)?;
        }
        let live = Side {
            slot: live.slot,
            functions: &live.functions,
        };
        let batch = queries_before(config, target, live, self.now());
        let Some(series) = self.tolerate(self.retry(|| self.ask(&batch)).await)? else {
            return Ok((Before::default(), Vec::new()));
        };
        let before = before(&batch, target, &series);
        let shortages = preflight(&self.circumstances(state, &before), &state.plan.steps);
        if !shortages.is_empty() {
            let required = config.preflight == Preflight::Require;
            self.tell(RolloutEvent::Preflight {
                shortages: shortages.clone(),
                required,
            });
            if required {
                let all: Vec<String> = shortages.iter().map(Shortage::to_string).collect();
                let message = format!(
                    "{}. Send synthetic traffic, bake longer, or set preflight = \"warn\"",
                    all.join("; ")
                );
                return Err(PortError::new(PortErrorKind::Invalid, "preflight", "the gates", message).into());
            }
        }
        Ok((before, shortages))
    }

    /// What can pass is told, what cannot is an error.
    fn tolerate<T>(&self, result: Result<T, PortError>) -> Result<Option<T>, PortError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind.is_transient() => {
                self.tell(RolloutEvent::Warning {
                    message: format!("the gates could not be asked before the rollout: {error}"),
                });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
