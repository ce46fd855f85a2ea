//! `latency processor` writes what Java's HistogramLogProcessor wrote, byte for byte.
//!
//! The expected files were written by the Java tool: `scripts/compare_java.sh --regenerate`.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn every_case_equals_the_java_tool() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let expected = fixtures.join("java");
    let cases = fs::read_to_string(expected.join("cases.txt")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0;
    for line in cases.lines().filter(|line| !line.starts_with('#')) {
        let (name, flags) = line.split_once('|').unwrap();
        let output = dir.path().join(name).display().to_string();
        let flags = flags.replace("OUT", &output);
        let run = Command::new(env!("CARGO_BIN_EXE_latency"))
            .arg("processor")
            .args(flags.split_whitespace())
            .current_dir(&fixtures)
            .env("TZ", "UTC")
            .output()
            .unwrap();
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
        if !run.stdout.is_empty() {
            fs::write(dir.path().join(format!("{name}.stdout")), &run.stdout).unwrap();
        }
        count += 1;
    }
    assert!(count > 15, "{count} cases");
    let names = |dir: &Path| {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.filter(|name| name != "cases.txt").collect();
        names.sort();
        names
    };
    assert_eq!(names(dir.path()), names(&expected));
    for name in names(&expected) {
        let ours = fs::read_to_string(dir.path().join(&name)).unwrap();
        let javas = fs::read_to_string(expected.join(&name)).unwrap();
        assert_eq!(ours, javas, "{}", name.display());
    }
}
