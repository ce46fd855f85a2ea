//! Rules: what must hold of a run (`p99.99<50us`), and how much worse a run may be (`p99>+10%`).

use super::distribution::Distribution;
use super::series::Series;
use super::unit::{Unit, parse_ns};

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// The value at a percentile, 0 to 100.
    Percentile(f64),
    /// The lowest value.
    Min,
    /// The mean.
    Mean,
    /// The highest value.
    Max,
    /// The number of values.
    Count,
    /// Values a second.
    Rate,
}

impl Metric {
    fn parse(text: &str) -> Result<Metric, String> {
        let percentile = |number: &str| {
            let number = number.parse::<f64>().ok();
            number.filter(|number| (0.0..=100.0).contains(number)).map(Metric::Percentile)
        };
        let metric = match text {
            "min" => Some(Metric::Min),
            "mean" => Some(Metric::Mean),
            "max" => Some(Metric::Max),
            "count" => Some(Metric::Count),
            "rate" => Some(Metric::Rate),
            _ => text.strip_prefix('p').or(text.strip_suffix('%')).and_then(percentile),
        };
        metric.ok_or_else(|| format!("`{text}`: expected p99.9, min, mean, max, count or rate"))
    }

    /// Its value in a series: nanoseconds, or a plain number for count and rate.
    #[must_use]
    pub fn of(self, series: &Series) -> f64 {
        match self {
            Metric::Percentile(percentile) => series.counts.percentile(percentile) as f64,
            Metric::Min => series.counts.min() as f64,
            Metric::Mean => series.counts.mean(),
            Metric::Max => series.counts.max() as f64,
            Metric::Count => series.counts.total() as f64,
            Metric::Rate => series.rate_per_s(),
        }
    }

    /// Whether it can be told of the series: one without values has no percentile.
    #[must_use]
    pub fn is_known(self, series: &Series) -> bool {
        !self.is_time() || series.counts.total() > 0
    }

    /// Whether its values are times.
    #[must_use]
    pub fn is_time(self) -> bool {
        !matches!(self, Metric::Count | Metric::Rate)
    }

    /// A value of this metric as text.
    #[must_use]
    pub fn text(self, value: f64, unit: Unit) -> String {
        if self.is_time() {
            format!("{} {}", unit.text(value), unit.name())
        } else {
            super::rate_text::rate_text(value)
        }
    }
}

/// How a value is compared with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Smaller.
    Below,
    /// Smaller or equal.
    AtMost,
    /// Larger.
    Above,
    /// Larger or equal.
    AtLeast,
}

impl Comparison {
    /// Whether it is so.
    #[must_use]
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Comparison::Below => value < limit,
            Comparison::AtMost => value <= limit,
            Comparison::Above => value > limit,
            Comparison::AtLeast => value >= limit,
        }
    }
}

/// What stands around the operator of a rule.
struct Parts<'a> {
    tag: Option<String>,
    metric: Metric,
    comparison: Comparison,
    limit: &'a str,
}

fn parts(text: &str) -> Result<Parts<'_>, String> {
    let Some(at) = text.find(['<', '>']) else {
        return Err(format!("`{text}`: expected `<` or `>`, as in p99.9<50us"));
    };
    let (left, right) = (text[..at].trim(), &text[at + 1..]);
    let (or_equal, limit) = match right.strip_prefix('=') {
        Some(limit) => (true, limit),
        None => (false, right),
    };
    let comparison = match (text.as_bytes()[at], or_equal) {
        (b'<', false) => Comparison::Below,
        (b'<', true) => Comparison::AtMost,
        (_, false) => Comparison::Above,
        (_, true) => Comparison::AtLeast,
    };
    // A tag may hold colons itself: the last one is ours.
    let (tag, metric) = match left.rsplit_once(':') {
        Some((tag, metric)) => (Some(tag.to_owned()), metric),
        None => (None, left),
    };
    Ok(Parts { tag, metric: Metric::parse(metric.trim())?, comparison, limit: limit.trim() })
}

/// What must hold of a series: `[TAG:]METRIC<LIMIT`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// As it was typed.
    pub text: String,
    /// The series, where the rule names one.
    pub tag: Option<String>,
    /// What it looks at.
    pub metric: Metric,
    /// How.
    pub comparison: Comparison,
    /// Nanoseconds, or a plain number for count and rate.
    pub limit: f64,
}

/// Parses a rule, for clap.
///
/// # Errors
/// One line that says what would be right.
pub fn parse_rule(text: &str) -> Result<Rule, String> {
    let Parts { tag, metric, comparison, limit } = parts(text)?;
    let limit = if metric.is_time() {
        parse_ns(limit)?
    } else {
        let number = limit.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| format!("`{limit}`: expected a number"))?
    };
    Ok(Rule { text: text.to_owned(), tag, metric, comparison, limit })
}

/// Rules of a file: one a line, `#` starts a comment.
///
/// # Errors
/// What is wrong, with the number of the line.
pub fn parse_rules(text: &str) -> Result<Vec<Rule>, String> {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(index, line)| (index, line.split('#').next().unwrap_or("").trim()));
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| parse_rule(line).map_err(|what| format!("line {}: {what}", index + 1)))
        .collect()
}

/// When a run is too different from another: `[TAG:]METRIC>+10%`, `METRIC>+5us`, `rate<-1%`.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowance {
    /// As it was typed.
    pub text: String,
    /// The series, where it names one.
    pub tag: Option<String>,
    /// What it looks at.
    pub metric: Metric,
    /// Which side is too much.
    comparison: Comparison,
    limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    Percent(f64),
    Absolute(f64),
}

impl Allowance {
    /// Whether `new` differs from `base` by more than is allowed.
    #[must_use]
    pub fn broken(&self, base: f64, new: f64) -> bool {
        let delta = new - base;
        match self.limit {
            Limit::Absolute(limit) => self.comparison.holds(delta, limit),
            Limit::Percent(limit) => self.comparison.holds(delta * 100.0, limit * base),
        }
    }
}

/// Parses an allowance, for clap.
///
/// # Errors
/// One line that says what would be right.
pub fn parse_allowance(text: &str) -> Result<Allowance, String> {
    let Parts { tag, metric, comparison, limit } = parts(text)?;
    let (sign, number) = match limit.split_at_checked(1) {
        Some(("+", number)) => (1.0, number),
        Some(("-", number)) => (-1.0, number),
        _ => return Err(format!("`{limit}`: expected a difference with its sign, as in p99>+10%")),
    };
    let plain = |number: &str| {
        let parsed = number.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        parsed.ok_or_else(|| format!("`{limit}`: expected +10%, or +5us"))
    };
    let limit = match number.strip_suffix('%') {
        Some(percent) => Limit::Percent(sign * plain(percent)?),
        None if metric.is_time() => Limit::Absolute(sign * parse_ns(number)?),
        None => Limit::Absolute(sign * plain(number)?),
    };
    Ok(Allowance { text: text.to_owned(), tag, metric, comparison, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_a_metric_a_limit_and_perhaps_a_series() {
        let rule = parse_rule("p99.99<50us").unwrap();
        assert_eq!((rule.tag, rule.metric), (None, Metric::Percentile(99.99)));
        assert!(rule.comparison.holds(49_999.0, rule.limit));
        assert!(!rule.comparison.holds(50_000.0, rule.limit));
        let rule = parse_rule("queue:maker:max <= 1.5ms").unwrap();
        assert_eq!(rule.tag.as_deref(), Some("queue:maker"));
        assert_eq!(rule.metric, Metric::Max);
        assert!(rule.comparison.holds(1_500_000.0, rule.limit));
        assert_eq!(parse_rule("99.9%<1ms").unwrap().metric, Metric::Percentile(99.9));
        assert_eq!(parse_rule("count>=1000").unwrap().comparison, Comparison::AtLeast);
        for text in ["p99", "p99<50", "p101<1us", "q<1us", "count<1us", "", "<", "p99<+1us"] {
            assert!(parse_rule(text).is_err(), "{text} was taken");
        }
        let rules = parse_rules("# limits\np99<1ms # why\n\nmax<2s\n").unwrap();
        assert_eq!(rules.len(), 2);
        assert!(parse_rules("p99<1ms\nnonsense").unwrap_err().starts_with("line 2"));
    }

    #[test]
    fn allowances_are_differences() {
        let worse = parse_allowance("p99>+10%").unwrap();
        assert!(worse.broken(100.0, 111.0));
        assert!(!worse.broken(100.0, 110.0));
        assert!(worse.broken(0.0, 1.0));
        assert!(!worse.broken(0.0, 0.0));
        let absolute = parse_allowance("max>+5us").unwrap();
        assert!(absolute.broken(1_000.0, 6_001.0) && !absolute.broken(1_000.0, 6_000.0));
        let fewer = parse_allowance("rate<-1%").unwrap();
        assert!(fewer.broken(1_000.0, 989.0) && !fewer.broken(1_000.0, 991.0));
        for text in ["p99>10%", "p99>+", "p99>+x%", "p99>+10", "p99>+-1%"] {
            assert!(parse_allowance(text).is_err(), "{text} was taken");
        }
    }
}
