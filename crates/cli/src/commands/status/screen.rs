//! The screen: one fact a line, its subject in the first column, what needs a person in capitals, and the command to type
//! where there is one.

use jiff::Timestamp;
use orchestrator::domain::{Release, Slot};
use orchestrator::driver::{AliasStatus, ApiStatus, HistoryEntry, OpenRollout, RolloutResult, Status};
use orchestrator::gates::Verdict;
use orchestrator::rollout::PhaseName;

use crate::moment::{at, lasting, since, until};

pub fn screen(status: &Status, now: Timestamp) -> String {
    let mut lines = vec![format!("{}  at {}", status.environment, at(now))];
    lines.extend(live(status, now));
    lines.extend(traffic_lines(status));
    lines.extend(slots(status, now));
    lines.extend(going_on(status, now));
    if let Some(last) = &status.last {
        lines.push(line("last", &happened(last, now)));
    }
    if let Some(problem) = &status.journal_problem {
        lines.push(line("JOURNAL", problem));
        let verify = format!(
            "`llama-deploy audit verify {}` lists all that is wrong",
            status.environment
        );
        lines.push(line("", &verify));
    }
    lines.join("\n")
}

/// The part of it that is about the traffic.
pub fn traffic_screen(status: &Status, now: Timestamp) -> String {
    let mut lines = vec![format!("{}  at {}", status.environment, at(now))];
    lines.extend(live(status, now).into_iter().take(1));
    lines.extend(traffic_lines(status));
    lines.extend(slots(status, now));
    if status.open.is_some() {
        lines.extend(going_on(status, now));
    }
    lines.join("\n")
}

fn line(subject: &str, text: &str) -> String {
    format!("{subject:10} {text}")
}

fn named(release: &Release) -> String {
    format!("release {} ({})", release.number, release.tag)
}

fn live(status: &Status, now: Timestamp) -> Vec<String> {
    let Some(release) = &status.live else {
        let how = format!(
            "nothing was released yet: llama-deploy deploy --env {} --blue-green",
            status.environment
        );
        return vec![line("live", &how)];
    };
    let mut text = format!("{} in slot {}", named(release), release.slot);
    if let Some(from) = status.live_since {
        text.push_str(&format!(", {}", since(from, now)));
    }
    text.push_str(&match (status.live_by, &status.live_actor) {
        (Some(rollout), Some(actor)) => format!(", by {} (rollout {rollout})", actor.name),
        (Some(rollout), None) => format!(", by rollout {rollout}"),
        (None, _) => ", as the stacks made it".to_owned(),
    });
    let mut lines = vec![line("live", &text)];
    let mut parts: Vec<String> = release
        .functions
        .iter()
        .map(|function| format!("{} version {}", function.name, function.version))
        .collect();
    parts.extend(release.schema_version.iter().map(|schema| format!("schema {schema}")));
    if !parts.is_empty() {
        lines.push(line("", &parts.join(", ")));
    }
    lines
}

fn traffic_lines(status: &Status) -> impl Iterator<Item = String> {
    let is_open = status.open.is_some();
    let apis = status.apis.iter().map(move |api| traffic(api, is_open));
    apis.chain(status.aliases.iter().map(move |alias| alias_traffic(alias, is_open)))
}

fn traffic(api: &ApiStatus, is_open: bool) -> String {
    let slot = |slot: Option<Slot>| slot.map_or_else(|| "no slot of ours".to_owned(), |slot| slot.to_string());
    let seen = match (&api.traffic, &api.problem) {
        (_, Some(problem)) => format!("cannot be seen: {problem}"),
        (Some(traffic), None) => match &traffic.canary {
            Some(canary) => format!(
                "{} to {}, the rest to {}",
                canary.weight,
                slot(canary.slot),
                slot(traffic.slot)
            ),
            None => format!("all to {}", slot(traffic.slot)),
        },
        (None, None) => "unknown".to_owned(),
    };
    // While a rollout is open the traffic is where that has it, which is not where the standing says.
    let odd = if api.as_recorded || is_open || api.problem.is_some() {
        ""
    } else {
        "  NOT AS THE LEDGER SAYS"
    };
    line("traffic", &format!("{} {}: {seen}{odd}", api.name, api.live_url))
}

/// `queue jobs, schedule nightly (shop-orders:live): 10 % to version 5, the rest to version 4`
fn alias_traffic(alias: &AliasStatus, is_open: bool) -> String {
    let seen = match (&alias.traffic, &alias.problem) {
        (_, Some(problem)) => format!("cannot be seen: {problem}"),
        (Some(traffic), None) if traffic.weights.is_empty() => format!("all to version {}", traffic.version),
        (Some(traffic), None) => {
            let shares = traffic.weights.iter();
            let shares: Vec<String> = shares
                .map(|(version, weight)| format!("{weight} to version {version}"))
                .collect();
            format!("{}, the rest to version {}", shares.join(", "), traffic.version)
        }
        (None, None) => "unknown".to_owned(),
    };
    let odd = if alias.as_recorded || is_open || alias.problem.is_some() {
        ""
    } else {
        "  NOT AS THE LEDGER SAYS"
    };
    let name = format!("{}:{}", alias.function, alias.alias);
    let serves: Vec<String> = alias.serves.iter().map(ToString::to_string).collect();
    let subject = if serves.is_empty() {
        name
    } else {
        format!("{} ({name})", serves.join(", "))
    };
    line("traffic", &format!("{subject}: {seen}{odd}"))
}

fn slots(status: &Status, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let live = status.live.as_ref();
    let idle = live.map(|live| live.slot.other());
    let occupant = idle.and_then(|idle| status.slots.get(idle).as_ref());
    if let (Some(idle), Some(occupant)) = (idle, occupant)
        && live.map(|live| live.number) != Some(occupant.number)
    {
        let text = format!("slot {idle} holds {}, {}", named(occupant), occupant.state);
        lines.push(line("idle", &text));
    }
    if let Some(open) = &status.open {
        // A rollback would turn this back first, so the other ways back are no commands to type now.
        let environment = &status.environment;
        let release = live.map_or_else(String::new, |live| format!("{}: ", named(live)));
        let how = format!(
            "{release}llama-deploy abort {environment} turns rollout {} back",
            open.rollout
        );
        lines.push(line("way back", &how));
        return lines;
    }
    let before = live.and_then(|live| live.previous);
    for release in status.retained.iter().rev() {
        let until = release
            .retained_until
            .map_or_else(String::new, |end| format!(", {}", until(end, now)));
        let number = if before == Some(release.number) {
            String::new()
        } else {
            format!(" {}", release.number)
        };
        lines.push(line(
            "way back",
            &format!(
                "{}{until}: llama-deploy rollback {}{number}",
                named(release),
                status.environment
            ),
        ));
    }
    lines
}

fn going_on(status: &Status, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(open) = &status.open {
        lines.extend(open_rollout(open, &status.environment, now));
    }
    match (&status.lock, &status.open) {
        (Some(lock), _) => {
            let text = format!(
                "held by {}, {}, {} unless renewed",
                lock.owner,
                since(lock.since, now),
                until(lock.until, now)
            );
            lines.push(line("lock", &text));
        }
        (None, Some(open)) => {
            let text = format!(
                "free: NOBODY IS AT WORK on rollout {}: llama-deploy resume {} carries it on, llama-deploy rollback {} \
                 turns it back",
                open.rollout, status.environment, status.environment
            );
            lines.push(line("lock", &text));
        }
        (None, None) => lines.push(line("now", "nothing is going on, the lock is free")),
    }
    lines
}

fn open_rollout(open: &OpenRollout, environment: &str, now: Timestamp) -> Vec<String> {
    let what = if open.is_rollback {
        "rollback to release"
    } else {
        "release"
    };
    let mut head = format!("rollout {}: {what} {} ({})", open.rollout, open.release, open.tag);
    if let (Some(began), Some(actor)) = (open.began, &open.began_by) {
        head.push_str(&format!(", {}, by {actor}", since(began, now)));
    }
    let mut state = open.state.to_string();
    if let (Some(step), Some(weight)) = (open.step, open.weight) {
        state.push_str(&format!(" at {weight}, step {} of {}", step + 1, open.steps));
    }
    if let Some(from) = open.bake_since {
        state.push_str(&format!(", in force {}", since(from, now)));
    }
    if let Some(effect) = &open.pending {
        state.push_str(&format!(", {effect}"));
    }
    if let Some(last) = open.last_record {
        state.push_str(&format!("; last heard of {} ago", lasting(now.duration_since(last))));
    }
    let mut lines = vec![line("now", &head), line("", &state)];
    if let Some(reason) = &open.hotfix {
        lines.push(line("", &format!("HOTFIX: {reason}")));
    }
    if let Some(pause) = &open.paused {
        let text = format!(
            "PAUSED by {}, {}: llama-deploy resume {environment}",
            pause.by.name,
            since(pause.since, now)
        );
        lines.push(line("", &text));
    }
    let wait = open.waits_until.map(|end| until(end, now)).unwrap_or_default();
    match (open.approval_of, open.state) {
        (Some(step), _) => lines.push(line(
            "",
            &format!(
                "WAITS FOR APPROVAL of step {} of {}, {wait}: llama-deploy approve {environment}",
                step + 1,
                open.steps
            ),
        )),
        (None, PhaseName::Inconclusive) => lines.push(line(
            "",
            &format!("WAITS FOR A WORD, {wait}: llama-deploy resume, promote or abort {environment}"),
        )),
        (None, _) => {}
    }
    if let Some(asked) = open.promote_asked {
        lines.push(line(
            "",
            &format!(
                "goes live at the next look that passes, asked for {}",
                since(asked, now)
            ),
        ));
    }
    if let Some(reason) = &open.turning_back {
        lines.push(line("", &format!("TURNING BACK: {reason}")));
    }
    if let Some(look) = &open.judged {
        let said = match look.verdict {
            Verdict::Pass => format!("{} calls, nothing to object", look.requests),
            Verdict::Fail | Verdict::Inconclusive => look.summary.clone(),
        };
        let ago = lasting(now.duration_since(look.at));
        lines.push(line("gates", &format!("{} {ago} ago: {said}", look.verdict)));
    }
    lines
}

/// How a rollout ended, in one line.
fn happened(entry: &HistoryEntry, now: Timestamp) -> String {
    let what = if entry.is_rollback {
        "rollback to release"
    } else {
        "release"
    };
    let tag = entry.tag.as_deref().map(|tag| format!(" ({tag})")).unwrap_or_default();
    let actor = entry
        .actor
        .as_ref()
        .map_or_else(String::new, |actor| format!(", by {}", actor.name));
    let ended = entry
        .last_record
        .map_or_else(String::new, |end| format!(", {} ago", lasting(now.duration_since(end))));
    format!(
        "rollout {}{ended}{actor}: {what} {}{tag} {}",
        entry.rollout,
        entry.release,
        result(entry)
    )
}

/// What came of a rollout, with its reason.
pub fn result(entry: &HistoryEntry) -> String {
    match &entry.result {
        Some(RolloutResult::Promoted) => "went live".to_owned(),
        Some(RolloutResult::RolledBack { reason }) => format!("was turned back: {reason}"),
        Some(RolloutResult::NeedsHuman { found }) => format!("NEEDS A PERSON: {found}"),
        None => format!("is unfinished: {}", entry.state),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use orchestrator::domain::{PerSlot, ReleaseNumber, ReleaseState, Weight};
    use orchestrator::driver::LastLook;
    use orchestrator::ledger::Actor;
    use orchestrator::rollout::{Pause, Reason, RolloutNumber};

    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T02:00:00Z".parse().unwrap()
    }

    fn ago(minutes: i64) -> Timestamp {
        now() - SignedDuration::from_mins(minutes)
    }

    fn actor(name: &str) -> Actor {
        Actor {
            name: name.to_owned(),
            host: "runner-7".to_owned(),
            process_id: 42,
        }
    }

    fn release(number: u32, slot: Slot, state: ReleaseState) -> Release {
        Release {
            number: ReleaseNumber(number),
            tag: format!("v1.{number}"),
            functions: Vec::new(),
            apis: Vec::new(),
            slot,
            template_digest: String::new(),
            schema_version: Some("0042".to_owned()),
            contracts: None,
            created_at: ago(600),
            previous: Some(ReleaseNumber(number - 1)),
            state,
            retained_until: (state == ReleaseState::Retained).then(|| now() + SignedDuration::from_hours(19)),
        }
    }

    fn quiet() -> Status {
        let (six, seven) = (
            release(6, Slot::Blue, ReleaseState::Retained),
            release(7, Slot::Green, ReleaseState::Live),
        );
        Status {
            environment: "prod".to_owned(),
            live: Some(seven.clone()),
            live_since: Some(ago(300)),
            live_by: Some(RolloutNumber(9)),
            live_actor: Some(actor("alice")),
            slots: PerSlot {
                blue: Some(six.clone()),
                green: Some(seven),
            },
            apis: Vec::new(),
            aliases: Vec::new(),
            open: None,
            last: Some(HistoryEntry {
                rollout: RolloutNumber(10),
                is_rollback: false,
                release: ReleaseNumber(8),
                tag: Some("v1.8".to_owned()),
                before: Some(ReleaseNumber(7)),
                began: Some(ago(95)),
                last_record: Some(ago(90)),
                actor: Some(actor("bob")),
                ended_by: Some(actor("bob")),
                state: PhaseName::RolledBack,
                result: Some(RolloutResult::RolledBack {
                    reason: Reason::Aborted {
                        reason: "the wrong ticket".to_owned(),
                        by: Some(actor("carol")),
                    },
                }),
                problem: None,
            }),
            journal_problem: None,
            lock: None,
            retained: vec![release(5, Slot::Green, ReleaseState::Retained), six],
        }
    }

    fn paused() -> OpenRollout {
        OpenRollout {
            rollout: RolloutNumber(11),
            is_rollback: false,
            release: ReleaseNumber(9),
            tag: "v1.9".to_owned(),
            slot: Some(Slot::Blue),
            hotfix: Some("invoices are wrong".to_owned()),
            state: PhaseName::Baking,
            pending: None,
            began: Some(ago(12)),
            began_by: Some(actor("alice")),
            last_record: Some(ago(1)),
            actor: Some(actor("alice")),
            step: Some(0),
            steps: 2,
            weight: Some(Weight::from_percent(10.0).unwrap()),
            bake_since: Some(ago(5)),
            paused: Some(Pause {
                by: actor("bob"),
                since: ago(3),
            }),
            approval_of: None,
            promote_asked: None,
            waits_until: None,
            judged: Some(LastLook {
                at: ago(1),
                verdict: Verdict::Inconclusive,
                requests: 12,
                summary: "traffic of the candidate: 12 calls, at least 20 are needed".to_owned(),
            }),
            turning_back: None,
        }
    }

    #[test]
    fn a_quiet_night() {
        insta::assert_snapshot!(screen(&quiet(), now()), @r#"
        prod  at 2026-03-01 02:00:00Z
        live       release 7 (v1.7) in slot green, since 2026-02-28 21:00:00Z (5 h), by alice (rollout 9)
                   schema 0042
        idle       slot blue holds release 6 (v1.6), retained
        way back   release 6 (v1.6), until 21:00:00Z (in 19 h): llama-deploy rollback prod
        way back   release 5 (v1.5), until 21:00:00Z (in 19 h): llama-deploy rollback prod 5
        now        nothing is going on, the lock is free
        last       rollout 10, 1 h 30 min ago, by bob: release 8 (v1.8) was turned back: aborted: the wrong ticket (asked for by carol on runner-7 (process 42))
        "#);
    }

    #[test]
    fn a_rollout_that_nobody_is_at_work_on() {
        let mut status = quiet();
        status.slots.blue = Some(release(9, Slot::Blue, ReleaseState::Candidate));
        status.open = Some(paused());
        status.journal_problem = Some("the journal is damaged: prod/rollouts/000008/000003.json is missing".to_owned());
        insta::assert_snapshot!(screen(&status, now()), @r#"
        prod  at 2026-03-01 02:00:00Z
        live       release 7 (v1.7) in slot green, since 2026-02-28 21:00:00Z (5 h), by alice (rollout 9)
                   schema 0042
        idle       slot blue holds release 9 (v1.9), candidate
        way back   release 7 (v1.7): llama-deploy abort prod turns rollout 11 back
        now        rollout 11: release 9 (v1.9), since 01:48:00Z (12 min), by alice on runner-7 (process 42)
                   baking at 10 %, step 1 of 2, in force since 01:55:00Z (5 min); last heard of 1 min ago
                   HOTFIX: invoices are wrong
                   PAUSED by bob, since 01:57:00Z (3 min): llama-deploy resume prod
        gates      inconclusive 1 min ago: traffic of the candidate: 12 calls, at least 20 are needed
        lock       free: NOBODY IS AT WORK on rollout 11: llama-deploy resume prod carries it on, llama-deploy rollback prod turns it back
        last       rollout 10, 1 h 30 min ago, by bob: release 8 (v1.8) was turned back: aborted: the wrong ticket (asked for by carol on runner-7 (process 42))
        JOURNAL    the journal is damaged: prod/rollouts/000008/000003.json is missing
                   `llama-deploy audit verify prod` lists all that is wrong
        "#);
    }

    #[test]
    fn before_anything_was_released_the_screen_says_how_to_begin() {
        let mut status = quiet();
        (status.live, status.live_since, status.last) = (None, None, None);
        status.retained.clear();
        insta::assert_snapshot!(screen(&status, now()), @r#"
        prod  at 2026-03-01 02:00:00Z
        live       nothing was released yet: llama-deploy deploy --env prod --blue-green
        now        nothing is going on, the lock is free
        "#);
    }
}
