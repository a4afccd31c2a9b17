//! What a restore does next, told from the names, states and tags of instances alone: so a restore that was killed
//! goes on with the next call, and nothing is kept elsewhere.
//!
//! `NAME` is the instance that applications know, `NAME-restored-STAMP` the new one, `NAME-before-STAMP` the old one
//! once it has made place:
//!
//! | NAME | restored | before | next |
//! |---|---|---|---|
//! | old | – | – | create the new one |
//! | old | there | – | adjust and verify the new one, then rename the old one away |
//! | – | there | there | rename the new one to NAME |
//! | new | – | there | finish: protection and tags as the old one has them |

/// One restore of one instance. It is written into a tag of the new instance until it is finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// When it was begun, `YYYYMMDDhhmmss` in UTC; it tells restores apart.
    pub stamp: String,
    /// What is restored: a snapshot's id, or `time` and a moment.
    pub source: String,
}

/// An instance's identifier has at most so many characters.
const NAME_LIMIT: usize = 63;

impl Operation {
    /// As it stands in the tag: RDS takes letters, digits, spaces and `_.:/=+-@`.
    pub(super) fn tag(&self) -> String {
        format!("{} {}", self.stamp, self.source)
    }

    pub(super) fn of_tag(value: &str) -> Option<Self> {
        let (stamp, source) = value.split_once(' ')?;
        Some(Self {
            stamp: stamp.to_owned(),
            source: source.to_owned(),
        })
    }

    pub(super) fn restored_name(&self, name: &str) -> String {
        suffixed(name, &format!("-restored-{}", self.stamp))
    }

    /// What the old instance is called in the end.
    pub(super) fn before_name(&self, name: &str) -> String {
        suffixed(name, &format!("-before-{}", self.stamp))
    }
}

fn suffixed(name: &str, suffix: &str) -> String {
    let head = name.get(..NAME_LIMIT.saturating_sub(suffix.len())).unwrap_or(name);
    format!("{}{suffix}", head.trim_end_matches('-'))
}

/// An instance as the plan sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub name: String,
    /// As RDS calls it, for example `available`.
    pub status: String,
    /// Something that was asked for is not done yet, a new name for example.
    pub pending: bool,
    /// The restore that this instance was made for, as long as it is not finished.
    pub restoring: Option<Operation>,
}

/// What to do next. Names are identifiers of instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Create {
        operation: Operation,
    },
    Wait {
        name: String,
        status: String,
    },
    /// Give the new instance what a restore cannot, and prove that it serves.
    Prove {
        name: String,
        operation: Operation,
    },
    /// From here on the endpoint does not answer, until [`Step::MoveIn`] is done.
    MoveAside {
        from: String,
        to: String,
        /// The instance that takes the place.
        new: String,
    },
    MoveIn {
        from: String,
        to: String,
    },
    Finish {
        name: String,
        before: String,
        operation: Operation,
    },
}

/// Why there is no next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    #[error("there is no instance {name}, and no restore of it that was begun")]
    Missing { name: String },
    #[error(
        "an earlier restore of {name}, from {}, is not finished ({instance}): run that one again, or delete {instance}",
        .operation.source
    )]
    OtherRestore {
        name: String,
        instance: String,
        operation: Operation,
    },
    #[error("{first} and {second} were both made to replace {name}: delete the one that is not wanted")]
    TwoRestores {
        name: String,
        first: String,
        second: String,
    },
    #[error("somebody made {name} again while it was being restored: {restored} and {before} stand beside it")]
    Occupied {
        name: String,
        restored: String,
        before: String,
    },
    #[error("{name} is {status}, and will not become available: look at its events in RDS")]
    Broken { name: String, status: String },
    #[error("{name} is stopped: start it, so that it can be renamed")]
    Stopped { name: String },
}

/// `wanted` is the restore to begin where none of the same source was begun before; `proved` is whether this run has
/// proved the new instance already.
pub fn next(name: &str, wanted: &Operation, proved: bool, world: &[Seen]) -> Result<Step, Stuck> {
    let find = |wanted: &str| world.iter().find(|seen| seen.name == wanted);
    let mut begun = world.iter().filter_map(|seen| {
        let operation = seen.restoring.clone()?;
        let ours = seen.name == name || seen.name == operation.restored_name(name);
        ours.then_some((seen, operation))
    });
    let Some((new, operation)) = begun.next() else {
        let old = find(name).ok_or_else(|| Stuck::Missing { name: name.to_owned() })?;
        return Ok(match settled(old)? {
            Some(wait) => wait,
            None => Step::Create {
                operation: wanted.clone(),
            },
        });
    };
    if let Some((other, _)) = begun.next() {
        return Err(Stuck::TwoRestores {
            name: name.to_owned(),
            first: new.name.clone(),
            second: other.name.clone(),
        });
    }
    if operation.source != wanted.source {
        return Err(Stuck::OtherRestore {
            name: name.to_owned(),
            instance: new.name.clone(),
            operation,
        });
    }
    let before_name = operation.before_name(name);
    let before = find(&before_name);
    if let Some(wait) = settled(new)? {
        return Ok(wait);
    }
    if new.name == name {
        return Ok(Step::Finish {
            name: name.to_owned(),
            before: before_name,
            operation,
        });
    }
    match (find(name), before) {
        (Some(_), Some(before)) => Err(Stuck::Occupied {
            name: name.to_owned(),
            restored: new.name.clone(),
            before: before.name.clone(),
        }),
        (Some(_), None) if !proved => Ok(Step::Prove {
            name: new.name.clone(),
            operation,
        }),
        (Some(old), None) => Ok(match settled(old)? {
            Some(wait) => wait,
            None => Step::MoveAside {
                from: name.to_owned(),
                to: before_name,
                new: new.name.clone(),
            },
        }),
        (None, Some(before)) => Ok(match settled(before)? {
            Some(wait) => wait,
            None => Step::MoveIn {
                from: new.name.clone(),
                to: name.to_owned(),
            },
        }),
        (None, None) => Err(Stuck::Missing { name: name.to_owned() }),
    }
}

/// What to wait for before anything can be done with the instance; `None` where it is available.
pub(super) fn settled(seen: &Seen) -> Result<Option<Step>, Stuck> {
    let name = seen.name.clone();
    let status = seen.status.clone();
    match status.as_str() {
        "available" | "storage-optimization" if !seen.pending => Ok(None),
        "stopped" => Err(Stuck::Stopped { name }),
        "failed" | "deleting" | "storage-full" | "restore-error" | "insufficient-capacity" => {
            Err(Stuck::Broken { name, status })
        }
        broken if broken.starts_with("incompatible-") || broken.starts_with("inaccessible-") => {
            Err(Stuck::Broken { name, status })
        }
        _ => Ok(Some(Step::Wait { name, status })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(source: &str) -> Operation {
        Operation {
            stamp: "20261123043812".to_owned(),
            source: source.to_owned(),
        }
    }

    fn seen(name: &str, status: &str) -> Seen {
        Seen {
            name: name.to_owned(),
            status: status.to_owned(),
            pending: false,
            restoring: None,
        }
    }

    fn new(name: &str) -> Seen {
        Seen {
            restoring: Some(operation("s")),
            ..seen(name, "available")
        }
    }

    const RESTORED: &str = "main-restored-20261123043812";
    const BEFORE: &str = "main-before-20261123043812";

    fn later() -> Operation {
        Operation {
            stamp: "20261124000000".to_owned(),
            source: "s".to_owned(),
        }
    }

    #[test]
    fn each_row_of_the_table_has_its_step() {
        let available = |name: &str| seen(name, "available");
        let step = |proved: bool, world: &[Seen]| next("main", &later(), proved, world).unwrap();
        // Another instance's restore, and an earlier one that is finished, say nothing.
        let others = [
            available("main-before-20250101000000"),
            new("other-restored-20261123043812"),
        ];
        let mut world = vec![available("main")];
        world.extend(others.clone());
        assert_eq!(step(false, &world), Step::Create { operation: later() });

        world.push(new(RESTORED));
        let prove = Step::Prove {
            name: RESTORED.to_owned(),
            operation: operation("s"),
        };
        assert_eq!(step(false, &world), prove);
        let aside = Step::MoveAside {
            from: "main".to_owned(),
            to: BEFORE.to_owned(),
            new: RESTORED.to_owned(),
        };
        assert_eq!(step(true, &world), aside);

        let mut world = vec![available(BEFORE), new(RESTORED)];
        world.extend(others.clone());
        let move_in = Step::MoveIn {
            from: RESTORED.to_owned(),
            to: "main".to_owned(),
        };
        // A run that was killed in between did prove it.
        assert_eq!((step(false, &world), step(true, &world)), (move_in.clone(), move_in));

        let mut world = vec![available(BEFORE), new("main")];
        world.extend(others);
        let finish = Step::Finish {
            name: "main".to_owned(),
            before: BEFORE.to_owned(),
            operation: operation("s"),
        };
        assert_eq!(step(false, &world), finish);
    }

    #[test]
    fn what_is_at_work_is_waited_for() {
        let renaming = seen("main", "renaming");
        let asked = Seen {
            pending: true,
            ..seen("main", "available")
        };
        let creating = Seen {
            status: "creating".to_owned(),
            ..new(RESTORED)
        };
        for (world, name) in [
            (vec![creating.clone(), seen("main", "available")], RESTORED),
            (vec![new(RESTORED), renaming], "main"),
            (vec![new(RESTORED), asked], "main"),
            (vec![creating, seen(BEFORE, "available")], RESTORED),
            (vec![new(RESTORED), seen(BEFORE, "renaming")], BEFORE),
        ] {
            let step = next("main", &later(), true, &world).unwrap();
            assert!(
                matches!(&step, Step::Wait { name: waited, .. } if waited == name),
                "{step:?}"
            );
        }
    }

    #[test]
    fn what_cannot_go_on_says_why() {
        let stuck = |world: &[Seen]| next("main", &later(), true, world).unwrap_err().to_string();
        assert!(stuck(&[]).contains("no instance main"));
        assert!(stuck(&[new(RESTORED)]).contains("no instance main"));
        let other = Seen {
            restoring: Some(operation("another")),
            ..new(RESTORED)
        };
        assert!(stuck(&[seen("main", "available"), other]).contains("from another"));
        let second = Seen {
            restoring: Some(later()),
            ..new("main-restored-20261124000000")
        };
        assert!(stuck(&[new(RESTORED), second]).contains("both made to replace"));
        let occupied = [seen("main", "available"), new(RESTORED), seen(BEFORE, "available")];
        assert!(stuck(&occupied).contains("made main again"));
        for status in [
            "failed",
            "incompatible-restore",
            "inaccessible-encryption-credentials",
            "stopped",
        ] {
            let broken = Seen {
                status: status.to_owned(),
                ..new(RESTORED)
            };
            assert!(stuck(&[seen("main", "available"), broken]).contains(status));
        }
    }

    #[test]
    fn names_and_tags_are_ones_that_rds_takes() {
        let long = "a".repeat(63);
        assert_eq!(operation("s").restored_name(&long).len(), 63);
        let cut = format!("{}-{}", "a".repeat(38), "b".repeat(20));
        assert!(!operation("s").restored_name(&cut).contains("--"));
        let tag = operation("time 2026-11-23T04:38:12Z").tag();
        assert!(
            tag.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b" _.:/=+-@".contains(&byte))
        );
        assert_eq!(Operation::of_tag(&tag), Some(operation("time 2026-11-23T04:38:12Z")));
    }
}
