//! `pitlane journal`: reading what an engine has on record. Nothing is written there.

mod line;
mod names;
mod stats;

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use pitlane_engine::journal::{
    CheckpointFile, Durability, FolderRead, Intent, RecordKind, RecordView, ReportRecord,
    SegmentFacts, SegmentHeader, newest_checkpoint, read_checkpoints, read_folder, read_for_start,
};
use pitlane_engine::text::escaped_json;
use pitlane_engine::world::Files;

use crate::cli::{JournalVerb, RecordFilter, RecordForm};
use crate::exit::Exit;
use crate::table::{count, render, table};
use crate::terminal::Terminal;
use crate::utc::utc_us;
use line::{CSV_HEAD, Line};
use names::Names;
use stats::Stats;

/// Does one of the verbs. Exit code 3 when the folder can't be read, 1 when what is in it is
/// damaged.
pub(crate) fn journal(verb: &JournalVerb, terminal: &mut Terminal<'_>) -> Result<Exit, Exit> {
    match verb {
        JournalVerb::Ls { folder } => {
            let read = read(folder, terminal, |_, _| ())?;
            let checkpoints = checkpoints(folder, terminal)?;
            terminal.print(&format!("{}{}", list(&read), list_checkpoints(&checkpoints)))?;
            judge(folder, &read, terminal)
        }
        JournalVerb::Verify { folder } => {
            let read = read(folder, terminal, |_, _| ())?;
            let checkpoints = checkpoints(folder, terminal)?;
            terminal.print(&format!(
                "{}{}",
                verified(&read),
                verified_checkpoints(&checkpoints)
            ))?;
            let first = read.segments.iter().find_map(|of| Some(of.header?.first_sequence));
            match lost_beginning(first.unwrap_or(1), &checkpoints) {
                Some(problem) => {
                    terminal.complain(&problem);
                    Ok(Exit::Failed)
                }
                None => judge(folder, &read, terminal),
            }
        }
        JournalVerb::Stats { folder } => {
            let mut stats = Stats::default();
            let read = read(folder, terminal, |header, record| stats.take(header.epoch, record))?;
            terminal.print(&stats.text(&read))?;
            judge(folder, &read, terminal)
        }
        JournalVerb::Dump { folder, filter, last } => {
            let mut lines = Vec::new();
            let read = lines_of(folder, filter, terminal, |line| {
                lines.push(line.words(&utc_us(line.time_ns)));
                // Of a large journal no more is kept than is shown.
                if let Some(last) = last.filter(|last| lines.len() > 2 * last.max(&512)) {
                    lines.drain(..lines.len() - last);
                }
            })?;
            let from = last.map_or(0, |last| lines.len().saturating_sub(last));
            let text: String = lines[from..].iter().map(|line| format!("{line}\n")).collect();
            terminal.print(&text)?;
            judge(folder, &read, terminal)
        }
        JournalVerb::Export { folder, filter, format, output } => {
            export(folder, filter, *format, output.as_deref(), terminal)
        }
    }
}

fn read(
    folder: &Path,
    terminal: &mut Terminal<'_>,
    visit: impl FnMut(&SegmentHeader, &RecordView<'_>),
) -> Result<FolderRead, Exit> {
    let read = read_folder(&Files::Real, folder, visit).map_err(|error| {
        terminal.complain(&error.to_string());
        Exit::Unreadable
    })?;
    if read.segments.is_empty() {
        let problem = "there is no journal: no file NUMBER.journal";
        terminal.complain(&format!("{}: {problem}", folder.display()));
        return Err(Exit::Unreadable);
    }
    Ok(read)
}

fn checkpoints(folder: &Path, terminal: &mut Terminal<'_>) -> Result<Vec<CheckpointFile>, Exit> {
    read_checkpoints(&Files::Real, folder).map_err(|error| {
        terminal.complain(&format!("{}: cannot be read: {error}", folder.display()));
        Exit::Unreadable
    })
}

/// Why a start can't know what lies before the first segment; `None` where it can.
fn lost_beginning(first: u64, checkpoints: &[CheckpointFile]) -> Option<String> {
    let reaches = |of: &CheckpointFile| {
        of.content.as_ref().is_ok_and(|(facts, _)| facts.last_sequence + 1 >= first)
    };
    let is_lost = first > 1 && !checkpoints.iter().any(reaches);
    is_lost.then(|| {
        format!(
            "the journal begins with record {first}, and no checkpoint of what lies before is whole"
        )
    })
}

fn lines_of(
    folder: &Path,
    filter: &RecordFilter,
    terminal: &mut Terminal<'_>,
    mut take: impl FnMut(Line),
) -> Result<FolderRead, Exit> {
    if let Some(kind) = &filter.kind
        && !RecordKind::ALL.iter().any(|of| of.name() == kind)
    {
        let all = RecordKind::ALL.map(RecordKind::name).join(", ");
        terminal.complain(&format!("--kind {kind}: expected one of {all}"));
        return Err(Exit::Usage);
    }
    let mut names = Names::default();
    read(folder, terminal, |header, record| {
        names.learn(header.epoch, record);
        if passes(record, filter) {
            let line = Line::new(header, record, &names);
            if filter.strategy.is_none() || line.strategy == filter.strategy {
                take(line);
            }
        }
    })
}

fn passes(record: &RecordView<'_>, filter: &RecordFilter) -> bool {
    let has_kind = |kind: &String| record.kind.is_some_and(|of| of.name() == kind);
    let has_order = |order: u64| {
        let intent = record.body::<Intent>().map(|intent| intent.client_order_id);
        let reported = || record.body::<ReportRecord>().map(|body| body.report.client_order_id);
        intent.or_else(reported) == Some(order)
    };
    filter.kind.as_ref().is_none_or(has_kind) && filter.order.is_none_or(has_order)
}

fn export(
    folder: &Path,
    filter: &RecordFilter,
    format: RecordForm,
    output: Option<&Path>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let row = |line: &Line| match format {
        RecordForm::Csv => line.csv(),
        RecordForm::Jsonl => {
            escaped_json(&serde_json::to_string(line).unwrap_or_default()).into_owned()
        }
    };
    let head = (format == RecordForm::Csv).then_some(CSV_HEAD);
    let Some(path) = output else {
        let mut text: String = head.map(|head| format!("{head}\n")).unwrap_or_default();
        let read = lines_of(folder, filter, terminal, |line| {
            text.push_str(&row(&line));
            text.push('\n');
        })?;
        terminal.print(&text)?;
        return judge(folder, &read, terminal);
    };
    let failed = |terminal: &mut Terminal<'_>, error: std::io::Error| {
        terminal.complain(&format!("{}: cannot be written: {error}", path.display()));
        Exit::Unreadable
    };
    // Nothing is overwritten: not another export, and least of all the journal itself.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = file.map_err(|error| failed(terminal, error))?;
    let mut file = BufWriter::new(file);
    let mut written = head.map_or(Ok(()), |head| writeln!(file, "{head}"));
    let read = lines_of(folder, filter, terminal, |line| {
        if written.is_ok() {
            written = writeln!(file, "{}", row(&line));
        }
    })?;
    written.and_then(|()| file.flush()).map_err(|error| failed(terminal, error))?;
    judge(folder, &read, terminal)
}

/// Says where the valid prefix ends, if not in order, and what a start makes of that.
fn judge(folder: &Path, read: &FolderRead, terminal: &mut Terminal<'_>) -> Result<Exit, Exit> {
    let Some(stop) = &read.stop else { return Ok(Exit::Ok) };
    let is_in_place = stop.out_of_place().is_none();
    if read.is_usable() && read.records_behind == 0 && is_in_place {
        terminal.say(&format!(
            "note: {stop}. Nothing lies behind it: the next start of the engine goes on there\n"
        ));
        return Ok(Exit::Ok);
    }
    let lost = if !is_in_place {
        "It is whole, and of another place or journal".to_owned()
    } else if read.is_usable() {
        format!("{} whole records lie behind it", read.records_behind)
    } else {
        let unread = match read.unread {
            1 => "1 segment".to_owned(),
            many => format!("{many} segments"),
        };
        format!("{unread} behind it cannot be trusted")
    };
    terminal.complain(&format!("{stop}. {lost}. {}", what_a_start_does(folder)));
    Ok(Exit::Failed)
}

/// What a start of the engine makes of a damaged folder: it reads behind the newest checkpoint.
fn what_a_start_does(folder: &Path) -> String {
    let reads = |durability| {
        let base = newest_checkpoint(&Files::Real, folder, |_| true)?;
        read_for_start(&Files::Real, folder, durability, base, |_, _| ()).map(|_| base)
    };
    match (reads(Durability::Os), reads(Durability::FsyncBatch)) {
        (Ok(Some(base)), _) => format!(
            "A start is not concerned: it reads from segment {} on, behind a checkpoint",
            base.number
        ),
        (Ok(None), _) => "A start goes on behind it".to_owned(),
        (Err(_), Ok(_)) => "With durability = \"os\" no engine starts; with \"fsync_batch\" the \
             disk had none of it before an order left, and one does"
            .to_owned(),
        (Err(_), Err(_)) => "No engine starts".to_owned(),
    }
}

fn list(read: &FolderRead) -> String {
    let heads = [">segment", ">start", ">first", ">records", ">bytes", ">of", ">from (UTC)", "end"];
    let mut table = table(&heads);
    for facts in &read.segments {
        let header = facts.header.as_ref();
        table.add_row([
            facts.number.to_string(),
            header.map(|header| header.epoch.to_string()).unwrap_or_default(),
            header.map(|header| count(header.first_sequence)).unwrap_or_default(),
            count(facts.records),
            count(facts.used_bytes as u64),
            count(facts.bytes as u64),
            facts.times_ns.map(|times| utc_us(times.0)).unwrap_or_default(),
            end(facts),
        ]);
    }
    render(&table)
}

fn list_checkpoints(checkpoints: &[CheckpointFile]) -> String {
    if checkpoints.is_empty() {
        return String::new();
    }
    let mut table =
        table(&[">checkpoint before", ">starts", ">records", ">bytes", ">at (UTC)", "is"]);
    for of in checkpoints {
        let facts = of.content.as_ref().ok().map(|(facts, _)| facts);
        table.add_row([
            of.number.to_string(),
            facts.map(|facts| facts.last_epoch.to_string()).unwrap_or_default(),
            facts.map(|facts| count(facts.last_sequence)).unwrap_or_default(),
            count(of.bytes),
            facts.map(|facts| utc_us(facts.written_ns)).unwrap_or_default(),
            of.content.as_ref().err().unwrap_or(&"whole").to_string(),
        ]);
    }
    format!("\n{}", render(&table))
}

fn verified_checkpoints(checkpoints: &[CheckpointFile]) -> String {
    let line = |of: &CheckpointFile| match &of.content {
        Ok((facts, _)) => format!(
            "the checkpoint before segment {} is whole, and stands for {} records\n",
            of.number,
            count(facts.last_sequence)
        ),
        Err(reason) => format!("the checkpoint before segment {} is {reason}\n", of.number),
    };
    checkpoints.iter().map(line).collect()
}

fn end(facts: &SegmentFacts) -> String {
    if facts.is_healed {
        return format!("{}; healed", facts.stop);
    }
    facts.stop.to_string()
}

fn verified(read: &FolderRead) -> String {
    let healed = read.segments.iter().filter(|facts| facts.is_healed).count();
    let torn = match healed {
        0 => String::new(),
        1 => ", 1 torn end that a later start went on behind".to_owned(),
        many => format!(", {many} torn ends that later starts went on behind"),
    };
    format!(
        "{} records in {} segments of {} starts are whole, the last is {}{torn}\n",
        count(read.records),
        read.segments.len(),
        read.last_epoch,
        count(read.last_sequence),
    )
}
