//! The source of a crate as it stands: which file takes what from which.
//!
//! What is read is every `use`, and every path that begins with `crate::` or `super::`, of all code
//! that is no test. A name that a module's `mod.rs` passes on counts for the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

pub type Name = Vec<String>;

/// The source of a crate: its files by module, and what each takes from which.
pub struct Source {
    pub text: BTreeMap<Name, String>,
    /// A name that a module passes on, and the file that defines it.
    passed_on: BTreeMap<Name, Name>,
}

impl Source {
    /// Of the crate that the test is of.
    pub fn read(root: &str) -> Source {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
        let mut text = BTreeMap::new();
        read_folder(&root, &mut Vec::new(), &mut text);
        assert!(text.len() > 20, "no source in {}", root.display());
        let mut source = Source { text, passed_on: BTreeMap::new() };
        source.passed_on = source.text.keys().flat_map(|module| source.passes_on(module)).collect();
        source
    }

    fn passes_on(&self, module: &Name) -> Vec<(Name, Name)> {
        let paths = uses(&self.text[module]).into_iter().filter(|(is_public, _)| *is_public);
        paths
            .filter_map(|(_, path)| {
                let name = path.last()?.clone();
                let file = self.file(&self.absolute(module, &path)?)?;
                let mut outer = module.clone();
                outer.push(name);
                (!self.text.contains_key(&outer)).then_some((outer, file))
            })
            .collect()
    }

    /// The path from the crate's root; `None` for one into another crate.
    fn absolute(&self, module: &Name, path: &[String]) -> Option<Name> {
        let (first, rest) = path.split_first()?;
        let joined = |base: &[String], rest: &[String]| [base, rest].concat();
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some(joined(module, rest)),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                Some(joined(&module[..module.len().checked_sub(ups)?], &path[ups..]))
            }
            // A module of this one.
            child => {
                let child = joined(module, &[child.to_owned()]);
                self.text.contains_key(&child).then(|| joined(module, path))
            }
        }
    }

    /// The file that defines what is at an absolute path.
    fn file(&self, path: &[String]) -> Option<Name> {
        let prefixes = (1..=path.len()).rev().map(|end| &path[..end]);
        for prefix in prefixes {
            if self.text.contains_key(prefix) {
                return Some(prefix.to_vec());
            }
            if let Some(file) = self.passed_on.get(prefix) {
                return Some(file.clone());
            }
        }
        None
    }

    /// For each file those that it needs; a module's own list of its files needs none of them.
    pub fn needs(&self) -> BTreeMap<Name, BTreeSet<Name>> {
        let needs = |(module, text): (&Name, &String)| {
            let paths = uses(text).into_iter().map(|(_, path)| path).chain(inline_paths(text));
            let files = paths.filter_map(|path| self.file(&self.absolute(module, &path)?));
            let others = files.filter(|file| !file.starts_with(module));
            (module.clone(), others.collect())
        };
        self.text.iter().map(needs).collect()
    }
}

fn read_folder(folder: &Path, module: &mut Name, into: &mut BTreeMap<Name, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            module.push(stem);
            read_folder(&path, module, into);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") && stem != "tests" {
            let is_own = matches!(stem.as_str(), "mod" | "lib" | "main");
            let name = module.iter().cloned().chain((!is_own).then_some(stem)).collect();
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let lines = code.lines().map(|line| line.split("//").next().unwrap());
            into.insert(name, lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// All `use` paths, one for each name, and whether the name is passed on.
fn uses(text: &str) -> Vec<(bool, Name)> {
    let mut all = Vec::new();
    for statement in text.split(';') {
        let Some(at) = statement.rfind("use ").filter(|at| {
            let before = statement[..*at].trim_end();
            let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
            before.is_empty() || word.starts_with("pub") || word.ends_with([']', '}', '{', ')'])
        }) else {
            continue;
        };
        let line = statement[..at].rsplit('\n').next().unwrap_or_default();
        let mut paths = Vec::new();
        expand(&[], &statement[at + 4..], &mut paths);
        all.extend(paths.into_iter().map(|path| (line.contains("pub"), path)));
    }
    all
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`; of `a as b` the `a`.
fn expand(prefix: &[String], tree: &str, into: &mut Vec<Name>) {
    let (head, branches) = match tree.split_once('{') {
        Some((head, rest)) => (head, rest.rsplit_once('}').map(|(inner, _)| inner)),
        None => (tree.split(" as ").next().unwrap_or_default(), None),
    };
    let parts = head.split("::").map(str::trim).filter(|part| !part.is_empty());
    let path: Name = prefix.iter().cloned().chain(parts.map(str::to_owned)).collect();
    let Some(branches) = branches else { return into.push(path) };
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in branches.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&path, &branches[start..at], into);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !branches[start..].trim().is_empty() {
        expand(&path, &branches[start..], into);
    }
}

/// Paths that begin with `crate::` or `super::` wherever they stand.
fn inline_paths(text: &str) -> Vec<Name> {
    let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':');
    let words = text.split(|letter| !is_word(letter));
    let paths = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    paths
        .map(|path| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect())
        .collect()
}

/// All that can be reached from a file.
fn reachable<'a>(from: &'a Name, needs: &'a BTreeMap<Name, BTreeSet<Name>>) -> BTreeSet<&'a Name> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        open.extend(needs.get(file).into_iter().flatten().filter(|next| seen.insert(*next)));
    }
    seen
}

/// The groups of files that need each other.
pub fn circles(source: &Source) -> Vec<Vec<String>> {
    let needs = source.needs();
    let reach: BTreeMap<_, _> = needs.keys().map(|file| (file, reachable(file, &needs))).collect();
    let mut groups = BTreeSet::new();
    for (file, reached) in &reach {
        if reached.contains(file) {
            let both = reached.iter().filter(|other| reach[*other].contains(file));
            groups.insert(both.map(|name| name.join("/")).collect::<Vec<_>>());
        }
    }
    groups.into_iter().collect()
}
