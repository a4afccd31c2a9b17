//! What can be said about an asset beside its path; the CDK's `AssetOptions`.

/// How the patterns of [`AssetOptions::exclude`] are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IgnoreMode {
    /// As minimatch reads globs: a pattern without `/` is held against names, `*` leaves dot files alone.
    #[default]
    Glob,
    /// As `.gitignore`; letters' case does not count.
    Git,
    /// As `.dockerignore`; letters' case does not count.
    Docker,
}

impl IgnoreMode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Glob => "glob",
            Self::Git => "git",
            Self::Docker => "docker",
        }
    }
}

/// Which symbolic links are replaced by what they point to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SymlinkFollow {
    Never,
    Always,
    /// Those that leave the asset.
    #[default]
    External,
    /// Those that stay inside; one that leaves the asset is an error.
    BlockExternal,
}

impl SymlinkFollow {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Always => "always",
            Self::External => "external",
            Self::BlockExternal => "internal-only",
        }
    }
}

/// Options of an asset; nothing said is the CDK's default.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AssetOptions {
    pub(crate) exclude: Vec<String>,
    pub(crate) ignore_mode: IgnoreMode,
    pub(crate) follow: SymlinkFollow,
    pub(crate) extra_hash: String,
    pub(crate) asset_hash: Option<String>,
}

impl AssetOptions {
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out what matches; a pattern with `!` in front takes it in again. The last match counts.
    pub fn exclude(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.exclude.extend(patterns.into_iter().map(Into::into));
        self
    }

    pub fn ignore_mode(mut self, mode: IgnoreMode) -> Self {
        self.ignore_mode = mode;
        self
    }

    pub fn follow_symlinks(mut self, follow: SymlinkFollow) -> Self {
        self.follow = follow;
        self
    }

    /// Something that makes another asset of the same files, for example the version of what built them.
    pub fn extra_hash(mut self, extra: impl Into<String>) -> Self {
        self.extra_hash = extra.into();
        self
    }

    /// What the asset is known by instead of its content. Whoever gives it has to change it with the content, or
    /// changes are not deployed.
    pub fn asset_hash(mut self, hash: impl Into<String>) -> Self {
        self.asset_hash = Some(hash.into());
        self
    }
}
