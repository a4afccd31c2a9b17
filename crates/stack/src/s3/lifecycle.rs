//! When objects move to cheaper storage, and when they leave.

use std::time::Duration;

use cfn::s3::bucket;
use cfn::{Builder, IntoValue, Value};

use crate::tree::Construct;
use crate::units::{Size, whole_days};

/// Where objects are stored, from the dearest to the cheapest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageClass {
    InfrequentAccess,
    OneZoneInfrequentAccess,
    IntelligentTiering,
    GlacierInstantRetrieval,
    Glacier,
    DeepArchive,
}

impl StorageClass {
    const fn as_str(self) -> &'static str {
        match self {
            Self::InfrequentAccess => "STANDARD_IA",
            Self::OneZoneInfrequentAccess => "ONEZONE_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::GlacierInstantRetrieval => "GLACIER_IR",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
        }
    }
}

#[derive(Clone, Debug)]
enum When {
    After(Duration),
    /// In ISO 8601.
    On(String),
}

#[derive(Clone, Debug)]
struct NoncurrentTransition {
    class: StorageClass,
    after: Duration,
    retained: Option<u32>,
}

/// What happens to objects in time.
#[derive(Clone, Debug, Default)]
pub struct LifecycleRule {
    id: Option<String>,
    prefix: Option<String>,
    tags: Vec<(String, String)>,
    larger_than: Option<Size>,
    smaller_than: Option<Size>,
    expiration: Option<Duration>,
    expiration_date: Option<String>,
    delete_markers: Option<bool>,
    noncurrent_expiration: Option<Duration>,
    noncurrent_retained: Option<u32>,
    abort_uploads_after: Option<Duration>,
    transitions: Vec<(StorageClass, When)>,
    noncurrent_transitions: Vec<NoncurrentTransition>,
    disabled: bool,
}

impl LifecycleRule {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Only objects whose key begins so.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Only objects with this tag.
    #[must_use]
    pub fn tag_filter(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    #[must_use]
    pub fn object_size_greater_than(mut self, size: Size) -> Self {
        self.larger_than = Some(size);
        self
    }

    #[must_use]
    pub fn object_size_less_than(mut self, size: Size) -> Self {
        self.smaller_than = Some(size);
        self
    }

    /// In whole days.
    #[must_use]
    pub fn expiration(mut self, after: Duration) -> Self {
        self.expiration = Some(after);
        self
    }

    /// At midnight UTC: `2030-01-01T00:00:00.000Z`.
    #[must_use]
    pub fn expiration_date(mut self, date: impl Into<String>) -> Self {
        self.expiration_date = Some(date.into());
        self
    }

    /// What says of an object that it is deleted goes with its last version.
    #[must_use]
    pub fn expired_object_delete_marker(mut self, on: bool) -> Self {
        self.delete_markers = Some(on);
        self
    }

    #[must_use]
    pub fn noncurrent_version_expiration(mut self, after: Duration) -> Self {
        self.noncurrent_expiration = Some(after);
        self
    }

    /// So many old versions stay. With [`LifecycleRule::noncurrent_version_expiration`].
    #[must_use]
    pub fn noncurrent_versions_to_retain(mut self, count: u32) -> Self {
        self.noncurrent_retained = Some(count);
        self
    }

    #[must_use]
    pub fn abort_incomplete_uploads_after(mut self, after: Duration) -> Self {
        self.abort_uploads_after = Some(after);
        self
    }

    #[must_use]
    pub fn transition(mut self, class: StorageClass, after: Duration) -> Self {
        self.transitions.push((class, When::After(after)));
        self
    }

    /// At midnight UTC: `2030-01-01T00:00:00.000Z`.
    #[must_use]
    pub fn transition_on(mut self, class: StorageClass, date: impl Into<String>) -> Self {
        self.transitions.push((class, When::On(date.into())));
        self
    }

    /// Old versions move, but for the newest ones of them that are retained.
    #[must_use]
    pub fn noncurrent_version_transition(
        mut self,
        class: StorageClass,
        after: Duration,
        retained: Option<u32>,
    ) -> Self {
        self.noncurrent_transitions
            .push(NoncurrentTransition { class, after, retained });
        self
    }

    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    fn check(&self, construct: &Construct) {
        let expires = self.expiration.is_some() || self.expiration_date.is_some();
        if self.delete_markers.is_some() && (expires || !self.tags.is_empty()) {
            construct.report("a rule about delete markers neither lets objects expire nor asks for tags");
        }
        if self.noncurrent_retained.is_some() && self.noncurrent_expiration.is_none() {
            construct.report("old versions are retained from expiring; say when they do");
        }
        let does = expires
            || self.delete_markers.is_some()
            || self.noncurrent_expiration.is_some()
            || self.abort_uploads_after.is_some()
            || !self.transitions.is_empty()
            || !self.noncurrent_transitions.is_empty();
        if !does {
            construct.report("a lifecycle rule says what happens to objects");
        }
    }

    fn render(&self) -> Value<bucket::Rule> {
        let tags = self
            .tags
            .iter()
            .map(|(key, value)| bucket::TagFilter::new().key(key).value(value));
        let tags: Vec<_> = tags.collect();
        let transitions = self.transitions.iter().map(|(class, when)| {
            let transition = bucket::Transition::new().storage_class(class.as_str());
            match when {
                When::After(after) => transition.transition_in_days(days(*after)),
                When::On(date) => transition.transition_date(date),
            }
        });
        let transitions: Vec<_> = transitions.collect();
        let noncurrent = self.noncurrent_transitions.iter().map(|transition| {
            bucket::NoncurrentVersionTransition::new()
                .storage_class(transition.class.as_str())
                .transition_in_days(days(transition.after))
                .when_some(transition.retained, |rendered, count| {
                    rendered.newer_noncurrent_versions(count)
                })
        });
        let noncurrent: Vec<_> = noncurrent.collect();
        type Rule = bucket::Rule<cfn::Set>;
        bucket::Rule::new()
            .status(if self.disabled { "Disabled" } else { "Enabled" })
            .when_some(self.id.as_ref(), |rule: Rule, id| rule.id(id))
            .when_some(self.prefix.as_ref(), |rule, prefix| rule.prefix(prefix))
            .when_some((!tags.is_empty()).then_some(tags), |rule, tags| rule.tag_filters(tags))
            .when_some(self.larger_than.map(Size::to_bytes), Rule::object_size_greater_than)
            .when_some(self.smaller_than.map(Size::to_bytes), Rule::object_size_less_than)
            .when_some(self.expiration.map(days), Rule::expiration_in_days)
            .when_some(self.expiration_date.as_ref(), |rule, date| rule.expiration_date(date))
            .when_some(self.delete_markers, Rule::expired_object_delete_marker)
            .when_some(self.noncurrent_expiration.map(days), |rule, after| {
                let expiration = bucket::NoncurrentVersionExpiration::new()
                    .noncurrent_days(after)
                    .when_some(self.noncurrent_retained, |expiration, count| {
                        expiration.newer_noncurrent_versions(count)
                    });
                rule.noncurrent_version_expiration(expiration)
            })
            .when_some(self.abort_uploads_after.map(days), |rule, after| {
                let abort = bucket::AbortIncompleteMultipartUpload::new().days_after_initiation(after);
                rule.abort_incomplete_multipart_upload(abort)
            })
            .when_some((!transitions.is_empty()).then_some(transitions), |rule, transitions| {
                rule.transitions(transitions)
            })
            .when_some((!noncurrent.is_empty()).then_some(noncurrent), |rule, transitions| {
                rule.noncurrent_version_transitions(transitions)
            })
            .into_value()
    }
}

fn days(duration: Duration) -> i64 {
    i64::try_from(whole_days(duration)).unwrap_or(i64::MAX)
}

pub(super) fn configuration(
    construct: &Construct,
    rules: &[LifecycleRule],
) -> Option<bucket::LifecycleConfiguration<cfn::Set>> {
    for rule in rules {
        rule.check(construct);
    }
    let rendered: Vec<_> = rules.iter().map(LifecycleRule::render).collect();
    (!rules.is_empty()).then(|| bucket::LifecycleConfiguration::new().rules(rendered))
}
