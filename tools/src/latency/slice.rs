//! `latency slice` and `latency split`: lines of a log, as they are, into other logs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::cli::{SliceArgs, SplitArgs};
use super::console::Console;
use super::error::VerbError;
use super::log_reader::{LogReader, Selection, Tags};
use super::log_writer::LogWriter;
use super::series::read;
use crate::exit::Exit;

/// Most files that `split` keeps open.
const FILES_MAX: usize = 500;

/// Runs `slice`.
///
/// # Errors
/// [`VerbError`].
pub fn slice(args: &SliceArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    let selection = args.range.of(args.tag.all());
    if selection.value_ns != 1 {
        let what = "--recorded-in: a slice holds the lines as they are, in the unit they are in";
        return Err(VerbError::Usage(what.into()));
    }
    let mut output: Option<LogWriter> = None;
    read(&args.file, &selection, console, |reader, _, console| {
        if output.is_none() {
            let mut started =
                LogWriter::create(args.output.file(), std::slice::from_ref(&args.file))?;
            started.raw(reader.head(), console)?;
            output = Some(started);
        }
        let Some(output) = &mut output else { return Ok(()) };
        output.intervals += 1;
        output.raw(&whole(reader.record().raw), console)
    })?;
    let Some(mut output) = output else { return Ok(Exit::Ok) };
    output.close(console)?;
    args.output.report(output.intervals, console)
}

/// The line, with a line feed where the last one has none.
fn whole(line: &[u8]) -> Vec<u8> {
    let mut line = line.to_vec();
    if line.last() != Some(&b'\n') {
        line.push(b'\n');
    }
    line
}

/// One file that `split` writes.
struct Part {
    tag: Option<String>,
    file: String,
    output: LogWriter,
}

/// Runs `split`.
///
/// # Errors
/// [`VerbError`].
pub fn split(args: &SplitArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    fs::create_dir_all(&args.dir)
        .map_err(|source| VerbError::output(&args.dir.display().to_string(), source))?;
    let mut parts: Vec<Part> = Vec::new();
    let mut names = BTreeSet::new();
    read(&args.file, &Selection::of(Tags::All), console, |reader, _, console| {
        let record = reader.record();
        let known = parts.iter().position(|part| part.tag.as_deref() == record.tag);
        let index = match known {
            Some(index) => index,
            None => {
                let part = start_part(args, reader, &mut names, console)?;
                parts.push(part);
                parts.len() - 1
            }
        };
        let part = &mut parts[index];
        part.output.intervals += 1;
        let line = whole(record.raw.trim_ascii_start());
        // Without its tag, so that tools that only read the untagged series read it.
        let untagged = record.tag.map_or(0, |tag| "Tag=,".len() + tag.len());
        part.output.raw(&line[untagged..], console)
    })?;
    let mut written = Vec::new();
    for mut part in parts {
        part.output.close(console)?;
        written.push(json!({
            "tag": part.tag, "file": part.file, "intervals": part.output.intervals
        }));
        if !args.json {
            console.print(&format!("{} {}\n", part.output.intervals, part.file))?;
        }
    }
    if args.json {
        console.print_json(&json!({ "written": written }))?;
    }
    Ok(Exit::Ok)
}

fn start_part(
    args: &SplitArgs,
    reader: &LogReader,
    names: &mut BTreeSet<String>,
    console: &mut Console<'_>,
) -> Result<Part, VerbError> {
    if names.len() >= FILES_MAX {
        let what = format!("more than {FILES_MAX} tags; take one by one with slice --tag");
        return Err(VerbError::Usage(what));
    }
    let tag = reader.record().tag.map(str::to_owned);
    let stem = args.prefix.clone().unwrap_or_else(|| stem(&args.file));
    let name = free_name(&stem, tag.as_deref(), names);
    let file = args.dir.join(&name).display().to_string();
    let mut output = LogWriter::create(Some(&file), std::slice::from_ref(&args.file))?;
    output.raw(reader.head(), console)?;
    Ok(Part { tag, file, output })
}

fn stem(file: &str) -> String {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str());
    stem.filter(|stem| *stem != "-").unwrap_or("log").to_owned()
}

/// A file name for a tag that no other tag has, without characters that a file system or shell
/// minds.
fn free_name(stem: &str, tag: Option<&str>, names: &mut BTreeSet<String>) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let tag: String = tag.unwrap_or("untagged").chars().take(100).map(safe).collect();
    let mut name = format!("{stem}.{tag}.hlog");
    let mut number = 1;
    while !names.insert(name.clone()) {
        number += 1;
        name = format!("{stem}.{tag}.{number}.hlog");
    }
    name
}
