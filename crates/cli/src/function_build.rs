//! Builds the functions of `[app]` for where they run: AWS's architecture and C library, or this machine.
//!
//! The embedded cloud runs the host's own executables. In AWS a function runs on Amazon Linux 2023, which has glibc 2.34
//! (the page "Runtimes" of the Lambda Developer Guide): an executable for musl needs none, and one for the host's glibc
//! will do where it asks for nothing newer, which is read from it. Another architecture than the host's is linked by
//! cargo-zigbuild. What is missing is said with the command that brings it; nothing is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;
use stack::asset::AssetOptions;
use stack::asset::fingerprint::fingerprint;

use crate::assembly::Stack;
use crate::cargo_build::{BuildError, Progress};
use crate::failure::{Code, Failure, Outcome};
use crate::settings::{Environment, Settings};

/// The minor version of Amazon Linux 2023's glibc 2.
const AMAZON_LINUX_GLIBC: u32 = 34;

/// What a function runs on, in Lambda's words.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum Architecture {
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }

    /// Whether this machine's own executables run on it.
    fn is_host(self) -> bool {
        let host = match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "aarch64",
        };
        cfg!(target_os = "linux") && std::env::consts::ARCH == host
    }
}

/// One cargo package that is a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionPackage {
    pub package: String,
    pub architecture: Architecture,
}

/// What of this machine matters.
#[derive(Clone, Copy, Debug)]
struct Toolchain {
    is_host: bool,
    has_target: bool,
    has_zigbuild: bool,
    has_musl_compiler: bool,
}

/// How to come to an executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// The host's own target; its need of glibc is looked at.
    Host,
    Musl {
        zigbuild: bool,
    },
    Missing,
}

fn route(toolchain: Toolchain) -> Route {
    let Toolchain {
        is_host,
        has_target,
        has_zigbuild,
        has_musl_compiler,
    } = toolchain;
    match (has_target, has_zigbuild, is_host) {
        (true, true, _) => Route::Musl { zigbuild: true },
        (true, false, true) if has_musl_compiler => Route::Musl { zigbuild: false },
        (_, _, true) => Route::Host,
        _ => Route::Missing,
    }
}

/// Puts each function's executable where its asset is expected: `target/functions/NAME/bootstrap`.
pub fn run(settings: &Settings, environment: &Environment, progress: &dyn Fn(Progress<'_>)) -> Outcome {
    for architecture in [Architecture::X86_64, Architecture::Arm64] {
        let functions = settings.functions.iter();
        let wanted = |function: &&FunctionPackage| environment.is_local() || function.architecture == architecture;
        let packages: Vec<String> = functions
            .filter(wanted)
            .map(|function| function.package.clone())
            .collect();
        if packages.is_empty() {
            continue;
        }
        let mut build = settings.cargo_build(&environment.function_profile);
        let route = match environment.is_local() {
            true => Route::Host,
            false => route(toolchain(architecture)),
        };
        match route {
            Route::Host => {}
            Route::Musl { zigbuild } => {
                build.triple = Some(architecture.triple().to_owned());
                build.zigbuild = zigbuild;
            }
            Route::Missing => return Err(target_missing(architecture, &packages)),
        }
        let built = build.ensure(&packages, progress).map_err(build_failure)?;
        for (package, executable) in packages.iter().zip(&built) {
            if route == Route::Host && !environment.is_local() {
                check_glibc(package, executable, architecture)?;
            }
            let folder = folder(settings, package);
            place(executable, &folder.join("bootstrap")).map_err(|error| {
                Failure::new(
                    Code::ArtifactMissing,
                    format!("cannot put the function {package} into {}", folder.display()),
                )
                .because(error)
            })?;
        }
        if environment.is_local() {
            break;
        }
    }
    Ok(())
}

/// Refuses a stack that runs a function on another architecture than its code was built for.
pub fn check(settings: &Settings, environment: &Environment, stacks: &[Stack]) -> Outcome {
    if environment.is_local() {
        return Ok(());
    }
    for function in &settings.functions {
        // One that no stack uses may never have been built.
        let Ok(asset) = fingerprint(&folder(settings, &function.package), &AssetOptions::new()) else {
            continue;
        };
        for stack in stacks {
            let template = stack.template()?;
            let resources = template["Resources"].as_object().into_iter().flatten();
            let users = resources.filter(|(_, resource)| {
                let key = resource.pointer("/Properties/Code/S3Key").and_then(Value::as_str);
                key.is_some_and(|key| key.starts_with(&asset.hash))
            });
            for (id, resource) in users {
                let runs_on = resource.pointer("/Properties/Architectures/0").and_then(Value::as_str);
                let runs_on = runs_on.unwrap_or(Architecture::default().name());
                if runs_on != function.architecture.name() {
                    return Err(Failure::new(
                        Code::TargetMissing,
                        format!(
                            "{id} of stack {} runs on {runs_on}, and its code, the package {}, is built for {}",
                            stack.path,
                            function.package,
                            function.architecture.name()
                        ),
                    )
                    .hint(format!(
                        "write {{ package = \"{}\", architecture = \"{runs_on}\" }} into functions of [app], or correct \
                         the stack",
                        function.package
                    )));
                }
            }
        }
    }
    Ok(())
}

fn folder(settings: &Settings, package: &str) -> PathBuf {
    settings.root.join("target/functions").join(package)
}

fn toolchain(architecture: Architecture) -> Toolchain {
    let libraries = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", architecture.triple()])
        .output();
    let libraries = libraries.ok().filter(|output| output.status.success());
    let runs = |program: &str| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    Toolchain {
        is_host: architecture.is_host(),
        has_target: libraries.is_some_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()),
        has_zigbuild: runs("cargo-zigbuild"),
        has_musl_compiler: runs("musl-gcc"),
    }
}

fn target_missing(architecture: Architecture, packages: &[String]) -> Failure {
    Failure::new(
        Code::TargetMissing,
        format!(
            "{} cannot be built for {} on this machine",
            packages.join(", "),
            architecture.name()
        ),
    )
    .hint(how_to_build(architecture))
}

fn how_to_build(architecture: Architecture) -> String {
    format!(
        "rustup target add {} && cargo install cargo-zigbuild && pip install ziglang",
        architecture.triple()
    )
}

fn check_glibc(package: &str, executable: &Path, architecture: Architecture) -> Outcome {
    let content = std::fs::read(executable).map_err(|error| {
        Failure::new(Code::ArtifactMissing, format!("cannot read {}", executable.display())).because(error)
    })?;
    match needed_glibc(&content) {
        Some(minor) if minor > AMAZON_LINUX_GLIBC => Err(Failure::new(
            Code::TargetMissing,
            format!("{package} asks for glibc 2.{minor}, and Amazon Linux 2023 has 2.{AMAZON_LINUX_GLIBC}"),
        )
        .hint(how_to_build(architecture))),
        _ => Ok(()),
    }
}

/// The minor version of glibc 2 that an executable asks for: the highest of its version names.
fn needed_glibc(executable: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"\0GLIBC_2.";
    let found = executable.windows(NAME.len()).enumerate();
    let found = found.filter(|(_, window)| *window == NAME).filter_map(|(at, _)| {
        let rest = &executable[at + NAME.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
    });
    found.max()
}

/// Copies, unless the copy is already there; by way of a temporary name, so that nobody reads half a file.
fn place(executable: &Path, bootstrap: &Path) -> std::io::Result<()> {
    let source = std::fs::metadata(executable)?;
    if let Ok(target) = std::fs::metadata(bootstrap)
        && target.len() == source.len()
        && target.modified()? == source.modified()?
    {
        return Ok(());
    }
    let folder = bootstrap.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // Beside the folder, not in it: what is left of a copy that was cut short must not become a part of the asset.
    let temporary = folder.with_extension(format!("partial-{}", std::process::id()));
    std::fs::copy(executable, &temporary)?;
    std::fs::File::options()
        .write(true)
        .open(&temporary)?
        .set_modified(source.modified()?)?;
    std::fs::rename(&temporary, bootstrap)
}

fn build_failure(error: BuildError) -> Failure {
    Failure::new(Code::FunctionDoesNotCompile, "a function does not compile")
        .because(error)
        .hint("nothing was deployed: correct the code and run the command again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_by_what_the_machine_has() {
        let with = |is_host, has_target, has_zigbuild, has_musl_compiler| {
            route(Toolchain {
                is_host,
                has_target,
                has_zigbuild,
                has_musl_compiler,
            })
        };
        assert_eq!(with(true, false, false, false), Route::Host);
        assert_eq!(with(true, false, true, true), Route::Host);
        assert_eq!(
            with(true, true, false, false),
            Route::Host,
            "C code would have no compiler"
        );
        assert_eq!(with(true, true, false, true), Route::Musl { zigbuild: false });
        assert_eq!(with(true, true, true, false), Route::Musl { zigbuild: true });
        assert_eq!(with(false, true, true, false), Route::Musl { zigbuild: true });
        assert_eq!(with(false, true, false, true), Route::Missing);
        assert_eq!(with(false, false, true, true), Route::Missing);
    }

    #[test]
    fn what_an_executable_asks_of_glibc() {
        assert_eq!(needed_glibc(b"..\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.4\0.."), Some(34));
        assert_eq!(needed_glibc(b"static"), None);
        assert_eq!(needed_glibc(b"a text about GLIBC_2.99"), None);
    }

    #[test]
    fn a_newer_glibc_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let executable = folder.path().join("f");
        std::fs::write(&executable, b"\x7fELF\0GLIBC_2.38\0").unwrap();
        let refused = check_glibc("f", &executable, Architecture::X86_64).unwrap_err();
        assert_eq!(refused.code, Code::TargetMissing);
        assert!(refused.message.contains("2.38"), "{}", refused.message);
        std::fs::write(&executable, b"\x7fELF\0GLIBC_2.34\0").unwrap();
        check_glibc("f", &executable, Architecture::X86_64).unwrap();
    }
}
