//! Reading a strategy's `params` table.

use pitlane_engine::Params;

/// A whole number within `limits`, or `default` when the key is not there.
///
/// # Errors
/// One line that names the key, the value and what is allowed.
pub(crate) fn whole(
    params: &Params,
    key: &str,
    default: i64,
    limits: std::ops::RangeInclusive<i64>,
) -> Result<i64, String> {
    let Some(value) = params.get(key) else { return Ok(default) };
    match value.as_integer() {
        Some(number) if limits.contains(&number) => Ok(number),
        _ => Err(format!(
            "{key} = {value}: a whole number from {} to {}",
            limits.start(),
            limits.end()
        )),
    }
}

/// Refuses keys that no strategy parameter has.
///
/// # Errors
/// One line that names the first unknown key and the known ones.
pub(crate) fn only(params: &Params, known: &[&str]) -> Result<(), String> {
    match params.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) if known.is_empty() => Err(format!("unknown key {key}: there are no parameters")),
        Some(key) => Err(format!("unknown key {key}: one of {}", known.join(", "))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_and_unknown_keys_refused() {
        let params: Params = "spread = 3".parse().unwrap();
        assert_eq!(whole(&params, "spread", 1, 1..=10), Ok(3));
        assert_eq!(whole(&params, "other", 1, 1..=10), Ok(1));
        assert!(whole(&params, "spread", 1, 4..=10).unwrap_err().contains("from 4 to 10"));
        assert!(only(&params, &["spread"]).is_ok());
        assert!(only(&params, &["size"]).unwrap_err().contains("spread"));
    }
}
