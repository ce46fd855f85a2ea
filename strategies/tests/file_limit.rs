//! The real binary where its files may not grow (F21: RLIMIT_FSIZE).

use std::process::Command;

const PITLANE: &str = env!("CARGO_BIN_EXE_pitlane");

/// Bytes that each file may have: less than a run's latency log needs.
const BYTES_MAX: u64 = 8 * 1_024;

#[test]
fn a_file_at_its_size_limit_costs_its_lines_which_the_exit_code_says_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("pitlane.toml");
    let runs = dir.path().join("runs");
    // A journal that finds no room refuses the start.
    let text = format!(
        "[engine]\nrun_dir = {:?}\nwarm_up_ms = 0\n[simulated]\nevents_per_s = 500\n\
         [cores]\npin = false\n[telemetry]\ninterval_ms = 100\n\
         [journal]\ndurability = \"none\"\n",
        runs.display().to_string()
    );
    std::fs::write(&config, text).unwrap();
    // The unit of `ulimit -f` is 512 bytes in POSIX, and 1,024 in some shells.
    let line = format!("ulimit -f {}; exec \"$0\" \"$@\"", BYTES_MAX / 512);
    let run = ["run", "--report", "json", "--duration", "3s", "--config"];
    let output =
        Command::new("sh").args(["-c", &line, PITLANE]).args(run).arg(&config).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{said}");
    assert!(said.contains("error: ") && said.contains("could not be written"), "{said}");
    assert!(said.contains("File too large"), "the limit was reached, and said: {said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["identity_holds"], &report["critical_lost"]), (&true.into(), &0.into()));
    let log = std::fs::read_to_string(report["hlog"].as_str().unwrap()).unwrap();
    assert!(log.len() as u64 <= 2 * BYTES_MAX, "{} bytes", log.len());
    assert!(log.ends_with('\n'), "no torn line: {:?}", log.lines().last());
}
