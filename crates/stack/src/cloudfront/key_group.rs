//! Keys that sign URLs and cookies, so that a distribution answers only those whom the app has let in.

use cfn::cloudfront::{key_group, public_key};
use cfn::{Builder, Expr, IntoValue, Value, id};

use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

const PEM_HEAD: &str = "-----BEGIN PUBLIC KEY-----";
const MAX_NAME: usize = 80;

/// A public key of this app, or one that exists already. The private one never comes here.
#[derive(Clone, Debug)]
pub struct PublicKey {
    id: Expr,
}

impl PublicKey {
    /// A key in PEM, which begins with `-----BEGIN PUBLIC KEY-----`.
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>, encoded_key: impl IntoValue<String>) -> Self {
        Self::named(scope, id, None, None, encoded_key)
    }

    /// As [`PublicKey::new`], with a name and a comment.
    #[track_caller]
    pub fn named(
        scope: &impl Scope,
        id: impl Into<String>,
        name: Option<&str>,
        comment: Option<&str>,
        encoded_key: impl IntoValue<String>,
    ) -> Self {
        let construct = Site::new(scope, id).make("cloudfront.PublicKey");
        let key = encoded_key.into_value();
        if key.expr().as_text().is_some_and(|key| !key.starts_with(PEM_HEAD)) {
            construct.report("a public key is given in PEM, with the lines BEGIN and END PUBLIC KEY");
        }
        let config = public_key::PublicKeyConfig::new()
            .name(name.map_or_else(|| made_name(&construct), str::to_owned))
            .caller_reference(construct.address())
            .encoded_key(key)
            .when_some(comment, |config, comment| config.comment(comment));
        let properties = cfn::cloudfront::PublicKey::new().public_key_config(config);
        let resource = CfnResource::new(&construct, "Resource", properties);
        Self {
            id: resource.reference().into_expr(),
        }
    }

    /// A key that exists already.
    pub fn from_id(key_id: impl IntoValue<id::cloudfront::PublicKeyId>) -> Self {
        Self {
            id: key_id.into_value().into_expr(),
        }
    }

    pub fn public_key_id(&self) -> Value<id::cloudfront::PublicKeyId> {
        Value::from_expr(self.id.clone())
    }
}

/// Keys of which any may sign.
#[derive(Clone, Debug)]
pub struct KeyGroup {
    id: Expr,
}

impl KeyGroup {
    #[track_caller]
    pub fn new<'a>(scope: &impl Scope, id: impl Into<String>, keys: impl IntoIterator<Item = &'a PublicKey>) -> Self {
        Self::named(scope, id, None, None, keys)
    }

    /// As [`KeyGroup::new`], with a name and a comment.
    #[track_caller]
    pub fn named<'a>(
        scope: &impl Scope,
        id: impl Into<String>,
        name: Option<&str>,
        comment: Option<&str>,
        keys: impl IntoIterator<Item = &'a PublicKey>,
    ) -> Self {
        let construct = Site::new(scope, id).make("cloudfront.KeyGroup");
        let items: Vec<_> = keys.into_iter().map(PublicKey::public_key_id).collect();
        if items.is_empty() {
            construct.report("a key group holds a key at least");
        }
        let config = key_group::KeyGroupConfig::new()
            .name(name.map_or_else(|| made_name(&construct), str::to_owned))
            .items(items)
            .when_some(comment, |config, comment| config.comment(comment));
        let properties = cfn::cloudfront::KeyGroup::new().key_group_config(config);
        let resource = CfnResource::new(&construct, "Resource", properties);
        Self {
            id: resource.reference().into_expr(),
        }
    }

    /// A group that exists already.
    pub fn from_id(group_id: impl IntoValue<id::cloudfront::KeyGroupId>) -> Self {
        Self {
            id: group_id.into_value().into_expr(),
        }
    }

    pub fn key_group_id(&self) -> Value<id::cloudfront::KeyGroupId> {
        Value::from_expr(self.id.clone())
    }
}

/// The unique id, of a long one both ends.
fn made_name(construct: &Construct) -> String {
    let id = construct.unique_id();
    if id.len() <= MAX_NAME {
        return id;
    }
    let half = MAX_NAME / 2;
    format!("{}{}", &id[..half], &id[id.len() - half..])
}
