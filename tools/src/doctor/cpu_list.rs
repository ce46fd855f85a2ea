//! Lists of cores as the kernel writes them: `0-3,8`, and with a stride on its command line:
//! `0-30:1/2`.

/// Ids end here; the largest kernels are built for 8,192.
const IDS: usize = 8_192;

/// The cores of `text`, ascending and each once; an empty text is an empty list. `None` for
/// anything else than a list, so that a garbled file is told from an empty one.
pub(crate) fn parse(text: &str) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for part in text.trim().split(',').map(str::trim) {
        if !part.is_empty() {
            append(part, &mut cores)?;
        } else if !text.trim().is_empty() {
            return None;
        }
    }
    cores.sort_unstable();
    cores.dedup();
    Some(cores)
}

fn append(part: &str, cores: &mut Vec<usize>) -> Option<()> {
    let (range, stride) = match part.split_once(':') {
        Some((range, stride)) => (range, Some(stride)),
        None => (part, None),
    };
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(range)?, number(range)?),
    };
    // The first `used` of each `group` cores.
    let (used, group) = match stride {
        Some(stride) => {
            let (used, group) = stride.split_once('/')?;
            (number(used)?, number(group)?)
        }
        None => (1, 1),
    };
    if first > last || used == 0 || used > group {
        return None;
    }
    cores.extend((first..=last).filter(|core| (core - first) % group < used));
    // A list that names a core over and over would grow for ever.
    if cores.len() > 4 * IDS { None } else { Some(()) }
}

fn number(text: &str) -> Option<usize> {
    // `parse` alone would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < IDS)
}

/// Runs of cores that follow each other, first and last.
fn runs(cores: &[usize]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for core in cores {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *core => *last = *core,
            _ => runs.push((*core, *core)),
        }
    }
    runs
}

/// The list as the kernel writes it; `none` when empty.
pub(crate) fn folded(cores: &[usize]) -> String {
    let one = |(first, last): (usize, usize)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    };
    match cores.is_empty() {
        true => "none".to_owned(),
        false => runs(cores).into_iter().map(one).collect::<Vec<_>>().join(","),
    }
}

/// The list as bash expands it inside a path: `{1..3}`, `{{1..3},8}`, or `1` alone.
pub(crate) fn braced(cores: &[usize]) -> String {
    let one = |(first, last): (usize, usize)| match last - first {
        0 => first.to_string(),
        _ => format!("{{{first}..{last}}}"),
    };
    let parts: Vec<String> = runs(cores).into_iter().map(one).collect();
    match parts.as_slice() {
        [alone] => alone.clone(),
        _ => format!("{{{}}}", parts.join(",")),
    }
}

/// The cores in `cores` that are also in `others`.
pub(crate) fn common(cores: &[usize], others: &[usize]) -> Vec<usize> {
    cores.iter().copied().filter(|core| others.contains(core)).collect()
}

/// The cores in `cores` that are not in `others`.
pub(crate) fn without(cores: &[usize], others: &[usize]) -> Vec<usize> {
    cores.iter().copied().filter(|core| !others.contains(core)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_are_read_as_the_kernel_means_them() {
        assert_eq!(parse(""), Some(vec![]));
        assert_eq!(parse("0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(parse("8,0-1,1"), Some(vec![0, 1, 8]));
        assert_eq!(parse("0-7:2/4"), Some(vec![0, 1, 4, 5]));
        for garbled in ["a", "1-", "-1", "3-1", "+1", "1,,2", "0-9:0/2", "0-9:3/2", "99999999999"] {
            assert_eq!(parse(garbled), None, "{garbled} was taken");
        }
    }

    #[test]
    fn lists_are_folded_for_people_and_for_bash() {
        assert_eq!(folded(&[]), "none");
        assert_eq!(folded(&[0, 1, 2, 8]), "0-2,8");
        assert_eq!(braced(&[4]), "4");
        assert_eq!(braced(&[1, 2, 3]), "{1..3}");
        assert_eq!(braced(&[1, 2, 3, 8]), "{{1..3},8}");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[-0-9,:/ \\n\u{0}-\u{ff}]{0,60}") {
            if let Some(cores) = parse(&text) {
                prop_assert!(cores.is_sorted() && cores.iter().all(|core| *core < IDS));
            }
        }

        #[test]
        fn what_was_folded_reads_back(
            cores in proptest::collection::btree_set(0_usize..300, 1..40),
        ) {
            let cores: Vec<usize> = cores.into_iter().collect();
            prop_assert_eq!(parse(&folded(&cores)), Some(cores));
        }
    }
}
