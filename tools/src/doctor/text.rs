//! The diagnosis for people: at most 80 columns, worst first.

use std::fmt::Write;

use comfy_table::Table;

use super::core_matrix::CoreMatrix;
use super::cpu_list::folded;
use super::diagnosis::Diagnosis;
use super::finding::{Finding, Severity};
use super::hiccups::Hiccups;
use super::topology::{Distance, Group};
use crate::table::{count, micros, render, table};

/// Widest line.
const WIDTH: usize = 80;

/// Cores up to which the whole matrix fits the width.
const MATRIX_MAX: usize = 12;

/// Writes text with or without colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ink {
    /// Whether escapes are written: only for a terminal.
    pub(crate) is_coloured: bool,
}

impl Ink {
    fn severity(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::High => "1;31",
            Severity::Medium => "33",
            Severity::Low => "36",
            Severity::Unknown => "35",
            Severity::Fine => "32",
        };
        self.escape(code, text)
    }

    fn head(self, text: &str) -> String {
        self.escape("1", text)
    }

    fn escape(self, code: &str, text: &str) -> String {
        if self.is_coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The whole report. `shows_all` also shows what is fine with what was read.
pub(crate) fn text(diagnosis: &Diagnosis, ink: Ink, shows_all: bool) -> String {
    let mut text = String::new();
    section(&mut text, ink, "Machine", &machine(diagnosis));
    let costly = [Severity::High, Severity::Medium, Severity::Low];
    let of = |severities: &[Severity]| -> Vec<&Finding> {
        diagnosis.findings.iter().filter(|f| severities.contains(&f.severity)).collect()
    };
    let blocks: Vec<String> = of(&costly).into_iter().map(|finding| block(finding, ink)).collect();
    let blocks = if blocks.is_empty() { "nothing\n".to_owned() } else { blocks.join("\n") };
    section(&mut text, ink, "What costs latency", &blocks);
    let unknown: Vec<[String; 3]> = of(&[Severity::Unknown])
        .into_iter()
        .map(|f| [f.id.to_owned(), f.title.clone(), f.reason.clone().unwrap_or_default()])
        .collect();
    if !unknown.is_empty() {
        section(&mut text, ink, "Unknown", &rows(&["finding", "what", "why"], &unknown));
    }
    let fine: Vec<&Finding> = of(&[Severity::Fine]);
    let fine_text = match shows_all {
        true => fine.iter().map(|finding| block(finding, ink)).collect::<Vec<_>>().join("\n"),
        false => {
            let fine: Vec<_> = fine.iter().map(|f| [f.id.to_owned(), f.title.clone()]).collect();
            rows(&["finding", "fine"], &fine)
        }
    };
    section(&mut text, ink, "Fine", &fine_text);
    if let Some(matrix) = &diagnosis.matrix {
        section(&mut text, ink, "Core to core, one way", &matrix_text(matrix));
    }
    if let Some(hiccups) = &diagnosis.hiccups {
        section(&mut text, ink, "Hiccups", &hiccups_text(hiccups));
    }
    section(&mut text, ink, "Cores for the engine", &placement(diagnosis));
    let counts = Severity::ALL.map(|severity| {
        ink.severity(severity, &format!("{} {}", diagnosis.count(severity), severity.word()))
    });
    let _infallible = writeln!(text, "{}", counts.join(", "));
    text
}

fn section(text: &mut String, ink: Ink, head: &str, body: &str) {
    let _infallible = writeln!(text, "{}\n\n{body}", ink.head(head));
}

fn machine(diagnosis: &Diagnosis) -> String {
    let topology = &diagnosis.topology;
    let pairs = topology.smt_groups();
    let smt = match pairs.as_slice() {
        [] => "none online".to_owned(),
        [first, ..] => {
            format!(
                "{} physical cores with {} threads, as {}",
                pairs.len(),
                first.len(),
                folded(first)
            )
        }
    };
    let model = diagnosis.model.clone().unwrap_or_else(|| "unknown".to_owned());
    let online = format!("{} online: {}", topology.cpus.len(), folded(&topology.ids()));
    let lines = [
        ("processor", model),
        ("cores", online),
        ("mask", format!("{} usable by this process", folded(&diagnosis.mask))),
        ("SMT", smt),
        ("isolated", folded(&diagnosis.isolated)),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        text.push_str(&labelled(name, &value));
    }
    text.push('\n');
    let groups: Vec<[String; 5]> = topology
        .groups()
        .into_iter()
        .map(|(Group { package, node, l3 }, cores)| {
            let number = |n: Option<u64>| n.map_or("unknown".to_owned(), |n| n.to_string());
            let l3 = l3.map_or("none known".to_owned(), |core| format!("of core {core}"));
            let cores_text = folded(&cores);
            [
                number(package),
                number(node.map(|n| n as u64)),
                l3,
                cores.len().to_string(),
                cores_text,
            ]
        })
        .collect();
    text + &rows(&[">socket", ">node", "L3 group", ">count", "cores"], &groups)
}

/// One finding with everything that is known about it.
fn block(finding: &Finding, ink: Ink) -> String {
    let word = format!("{:<7}", finding.severity.word());
    let mut text = String::new();
    let head = wrapped(&format!("{} ({})", finding.title, finding.id), WIDTH - 9);
    for (index, line) in head.iter().enumerate() {
        let mark = if index == 0 { ink.severity(finding.severity, &word) } else { " ".repeat(7) };
        let _infallible = writeln!(text, "{mark}  {line}");
    }
    for (index, reading) in finding.read.iter().enumerate() {
        let value = format!("{} = {}", reading.path, reading.value);
        text.push_str(&labelled(if index == 0 { "  read" } else { "" }, &value));
    }
    if !finding.costs.is_empty() {
        text.push_str(&labelled("  costs", &finding.costs));
    }
    for (index, command) in finding.mend.iter().enumerate() {
        let label = if index == 0 { "  mend" } else { "" };
        for (index, line) in continued(command).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let _infallible = writeln!(text, "{label:<9}{line}");
        }
    }
    text
}

/// A label and a text that wraps beside it.
fn labelled(label: &str, value: &str) -> String {
    let width = if label.starts_with(' ') || label.is_empty() { 9 } else { 11 };
    let mut text = String::new();
    for (index, line) in wrapped(value, WIDTH - width).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        let _infallible = writeln!(text, "{label:<width$}{line}");
    }
    text
}

/// Lines of at most `width` columns, broken at blanks; a longer word (a path) is broken within.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let used = lines.last().map_or(0, |line| line.chars().count());
        let letters: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + letters.len() <= width {
            let line = lines.last_mut().expect("there is always a line");
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if used > 0 {
            lines.push(String::new());
        }
        for (index, piece) in letters.chunks(width.max(1)).enumerate() {
            if index > 0 {
                lines.push(String::new());
            }
            lines.last_mut().expect("there is always a line").extend(piece);
        }
    }
    lines
}

/// A command in lines that a shell joins again; a comment in lines that are all comments.
fn continued(command: &str) -> Vec<String> {
    const ROOM: usize = WIDTH - 9;
    if let Some(comment) = command.strip_prefix('#') {
        return wrapped(comment, ROOM - 2).into_iter().map(|line| format!("# {line}")).collect();
    }
    if command.chars().count() <= ROOM {
        return vec![command.to_owned()];
    }
    // Breaks only between words: a long word stays whole, since a broken one is another command.
    let mut lines: Vec<String> = vec![String::new()];
    for word in command.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() + 2 > ROOM {
            line.push_str(" \\");
            lines.push(format!("  {word}"));
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn rows<const N: usize>(heads: &[&str; N], rows: &[[String; N]]) -> String {
    let mut table = eighty(table(heads));
    for row in rows {
        table.add_row(row);
    }
    render(&table)
}

fn eighty(mut table: Table) -> Table {
    table.set_width(WIDTH as u16);
    table
}

fn matrix_text(matrix: &CoreMatrix) -> String {
    if matrix.pairs.is_empty() {
        return "one core alone has no pair to measure\n".to_owned();
    }
    let mut text = String::new();
    if matrix.cores.len() <= MATRIX_MAX {
        let heads: Vec<String> = std::iter::once("ns".to_owned())
            .chain(matrix.cores.iter().map(|core| format!(">{core}")))
            .collect();
        let mut table = eighty(table(&heads.iter().map(String::as_str).collect::<Vec<_>>()));
        for row in &matrix.cores {
            let cells = matrix.cores.iter().map(|column| {
                matrix.pair(*row, *column).map_or("-".to_owned(), |pair| pair.best_ns.to_string())
            });
            table.add_row(std::iter::once(row.to_string()).chain(cells));
        }
        text = render(&table) + "\n";
    }
    let groups: Vec<[String; 5]> = matrix
        .by_distance()
        .into_iter()
        .map(|(distance, pairs, [best, middle, worst])| {
            let numbers = [pairs as u64, best, middle, worst].map(count);
            let [pairs, best, middle, worst] = numbers;
            [distance_word(distance).to_owned(), pairs, best, middle, worst]
        })
        .collect();
    text + &rows(&["apart", ">pairs", ">best ns", ">median ns", ">worst ns"], &groups)
}

fn distance_word(distance: Distance) -> &'static str {
    match distance {
        Distance::Sibling => "one physical core",
        Distance::SameL3 => "one L3 cache",
        Distance::SameNode => "one node, two L3 caches",
        Distance::OtherNode => "two nodes",
        Distance::Unknown => "unknown",
    }
}

fn hiccups_text(hiccups: &[Hiccups]) -> String {
    let lines: Vec<[String; 8]> = hiccups
        .iter()
        .map(|h| {
            let [us, ten, hundred, ms] = h.above.map(count);
            let (worst, lost) = (micros(h.worst_ns), micros(h.lost_ns));
            [h.core.to_string(), count(h.readings), us, ten, hundred, ms, worst, lost]
        })
        .collect();
    let heads =
        [">core", ">readings", ">1us+", ">10us+", ">100us+", ">1ms+", ">worst us", ">sum us"];
    let mut all = eighty(table(&heads));
    lines.iter().for_each(|line| {
        all.add_row(line);
    });
    render(&all) + "\nlatency hiccup writes the whole distribution to an interval log.\n"
}

fn placement(diagnosis: &Diagnosis) -> String {
    let placement = &diagnosis.placement;
    let threads: Vec<[String; 4]> = placement
        .plan
        .cores
        .iter()
        .map(|core| {
            let id = core.core.map_or("any".to_owned(), |id| id.to_string());
            let idle = core.idle.name().to_owned();
            [core.name.clone(), id, idle, core.agents.len().to_string()]
        })
        .collect();
    let mut text = rows(&["thread", ">core", "idle", ">agents"], &threads);
    let _infallible = writeln!(text, "\nFor everything else: {}", folded(&placement.spare));
    for note in &placement.plan.notes {
        text.push_str(&format!("{}\n", wrapped(&format!("Note: {note}"), WIDTH).join("\n")));
    }
    let _infallible = writeln!(text, "\nPaste into the configuration:\n\n{}", diagnosis.toml);
    if let Some(cores) = &placement.taskset {
        text.push_str("The engine reaches these cores only when it is started on them:\n\n");
        let _infallible = writeln!(text, "taskset -c {cores} pitlane run --config FILE");
        let _infallible = writeln!(text, "# systemd: CPUAffinity={cores}\n");
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_long_words_within() {
        assert_eq!(wrapped("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrapped("x abcdefgh y", 4), ["x", "abcd", "efgh", "y"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn long_commands_stay_one_command_for_the_shell() {
        let long = format!("echo {} | sudo tee {}", "0-3", "/sys/a/".repeat(8));
        let lines = continued(&long);
        assert!(lines.len() > 1 && lines[0].ends_with(" \\"), "{lines:?}");
        let joined = lines.join("\n").replace(" \\\n  ", " ");
        assert_eq!(joined, long);
        let comment = continued(&format!("# {}", "word ".repeat(40)));
        assert!(comment.iter().all(|line| line.starts_with("# ") && line.len() <= WIDTH));
    }

    #[test]
    fn colours_are_only_for_a_terminal() {
        let (plain, coloured) = (Ink { is_coloured: false }, Ink { is_coloured: true });
        assert_eq!(plain.severity(Severity::High, "x"), "x");
        assert_eq!(coloured.severity(Severity::High, "x"), "\u{1b}[1;31mx\u{1b}[0m");
    }
}
