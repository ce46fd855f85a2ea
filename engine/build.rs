//! What the run header says of the build: revision, compiler, profile.

use std::path::Path;
use std::process::Command;

fn main() {
    let profile = std::env::var("PROFILE").unwrap_or_default();
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rustc = output(&compiler, &["--version"]);
    let revision = output("git", &["rev-parse", "--short=12", "HEAD"]);
    println!("cargo::rustc-env=PITLANE_REVISION={revision}");
    println!("cargo::rustc-env=PITLANE_RUSTC={rustc}");
    println!("cargo::rustc-env=PITLANE_PROFILE={profile}");
    println!("cargo::rerun-if-changed=build.rs");
    // A debug build is not measured, and would be made anew after every commit.
    let log = output("git", &["rev-parse", "--git-path", "logs/HEAD"]);
    if profile == "release" && Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// One line of a command's output; `unknown` when there is none, as outside a repository.
fn output(command: &str, arguments: &[&str]) -> String {
    let ran = Command::new(command).args(arguments).output();
    let text = ran.ok().filter(|ran| ran.status.success()).map(|ran| ran.stdout);
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}
