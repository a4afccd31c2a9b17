//! Blue-green rollouts: plan, state machine, journal, lock and gates.
