//! What `config check` accepts, `run` starts: over small configurations of all sorts.

mod common;

use std::path::Path;

use pitlane_engine::config::Config;
use pitlane_engine::{LaunchOptions, check, launch_with};

/// Configurations that are tried; each start takes some hundredths of a second.
const TRIED: u64 = 40;

/// SplitMix64, as published: what it draws is the same everywhere.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One of `usual`, and one time in sixteen one of `wrong`.
    fn part<'a>(&mut self, usual: &[&'a str], wrong: &[&'a str]) -> &'a str {
        if self.next().is_multiple_of(16) { self.of(wrong) } else { self.of(usual) }
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[(self.next() % choices.len() as u64) as usize]
    }
}

/// A configuration in which each part is wrong once in a while.
fn configuration(draw: &mut Draw, folder: &Path) -> String {
    let runs = folder.join("runs").display().to_string();
    let under_a_file = folder.join("file/runs").display().to_string();
    let run_dir = draw.part(&[&runs], &[&under_a_file, "/proc/none"]);
    let mut text = format!("[engine]\nrun_dir = {run_dir:?}\nwarm_up_ms = 0\n");
    text += draw.of(&["", "profile = \"quiet\"\n", "max_failures = 1\n"]);
    text += "[cores]\npin = false\n";
    text += draw.part(&["", "consumers = [0]\n"], &["consumers = [1000]\n", "dispatch = 77\n"]);
    text += "[lanes]\n";
    text += draw.part(&["", "market = 64\n", "dispatch = 128\nspill = 64\n"], &["order = 2\n"]);
    text += "[control]\n";
    let long = format!("socket = \"/tmp/{}/x.sock\"\n", "long".repeat(40));
    text += draw.part(&["", "enabled = false\n"], &[&long]);
    if draw.next().is_multiple_of(3) {
        text += &venue(draw, folder);
    } else {
        text += draw.of(&["", "[simulated]\nstandby = 2\n", "[simulated]\nevents_per_s = 1\n"]);
    }
    for symbol in ["BTC-USDT", "AB-CUSDT", "ETH-USDT"] {
        text += &format!("[[instrument]]\nsymbol = {symbol:?}\n");
        text += draw.part(&["", "tick = \"0.1\"\n"], &["qty_scale = 9\n", "tick = \"0.7\"\n"]);
    }
    if draw.next().is_multiple_of(16) {
        text += "[[instrument]]\nsymbol = \"ABC-USDT\"\n";
    }
    for name in ["one", "two"] {
        let strategy = draw.part(&["noop", "momentum", "market_maker"], &["nop"]);
        text += &format!("[[consumer]]\nname = {name:?}\nstrategy = {strategy:?}\n");
        text += draw.part(&["", "on_flip = \"skip\"\n"], &["kinds = [\"quote\", \"quote\"]\n"]);
        text += draw.part(&[""], &["[consumer.params]\nnobody_knows = 1\n"]);
    }
    text
}

/// A venue that is not there, beside the simulated one.
fn venue(draw: &mut Draw, folder: &Path) -> String {
    let wrong = ["ws://127.0.0.1/x", "ws://u:p@127.0.0.1:1/", "ws://nowhere.invalid:1/"];
    let stream = draw.part(&["ws://127.0.0.1:1/stream"], &wrong);
    let mut text = format!("[simulated]\nenabled = true\n[[venue]]\nstream_url = {stream:?}\n");
    text += draw.part(&["books = false\n", "rest_url = \"http://127.0.0.1:1\"\n"], &[""]);
    text += draw.part(&["", "start = false\n"], &["kind = \"nowhere\"\n"]);
    if draw.next().is_multiple_of(2) {
        let name = draw.part(&["key.pem"], &["none.pem", "file"]);
        let path = folder.join(name).display().to_string();
        text += "api_url = \"ws://127.0.0.1:1/ws-api/v3\"\napi_key = \"k\"\n";
        text += &format!("private_key_file = {path:?}\n");
    }
    text
}

#[test]
fn what_check_accepts_a_run_starts() {
    let _alone = common::ONE_AT_A_TIME.lock().unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    common::write_key(&dir.path().join("key.pem"));
    let registry = pitlane_strategies::builtin();
    let (mut started, mut refused) = (0, 0);
    for seed in 0..TRIED {
        let text = configuration(&mut Draw(seed), dir.path());
        let Ok(config) = Config::parse(&text, "drawn.toml") else { continue };
        match check(&config, &registry) {
            Ok(_) => match launch_with(config, &registry, LaunchOptions::default()) {
                Ok(engine) => {
                    assert!(engine.stop().is_some(), "seed {seed}: no report of\n{text}");
                    started += 1;
                }
                Err(error) => panic!("seed {seed}: {error}\n{text}"),
            },
            Err(_) => refused += 1,
        }
    }
    // Both sorts were among them.
    assert!(started >= 8 && refused >= 4, "{started} started, {refused} were refused");
}
