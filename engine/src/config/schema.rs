//! What a key is: its name, meaning, default and limit, written once.
//!
//! [`section!`] makes three things of one definition: the struct that serde fills, its `Default`,
//! and the table of keys that checks a file and prints the example. So the docs, the limits, the
//! example and the code can't drift apart.

use std::ops::RangeInclusive;

/// One key of a section.
#[derive(Debug)]
pub struct KeySpec {
    /// The key as it stands in the file.
    pub name: &'static str,
    /// Its doc comment, line by line.
    pub doc: &'static [&'static str],
    /// What a value must satisfy.
    pub rule: Rule,
    /// A value for the example where the default is "not given".
    pub sample: Option<&'static str>,
}

/// What a value must satisfy.
#[derive(Debug)]
pub enum Rule {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole {
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// A power of two, in slots.
    Slots {
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
    },
    /// A core id.
    Core,
    /// A list of different core ids.
    CoreList,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A plain decimal number above 0, as text: floats are refused, since they round.
    Decimal,
    /// A name: 1 to 32 of `a-z 0-9 _ -`.
    Name,
    /// A list of some of these texts.
    SomeOf(&'static [&'static str]),
    /// A list of texts; what they may be is checked where they are looked up.
    Texts,
    /// Text that must not be empty.
    Text,
    /// An instrument's symbol, `BASE-QUOTE`.
    Symbol,
    /// A URL of one of these schemes.
    Url(&'static [&'static str]),
    /// A socket address on the loopback interface.
    Loopback,
    /// A table from venue name to text.
    NameMap,
    /// A table from what the text names to a table of these keys.
    Tables(&'static str, &'static [KeySpec]),
    /// A table of these keys.
    Table(&'static [KeySpec]),
    /// A table that belongs to the strategy; nothing in it is checked here.
    Free,
}

/// One section: `[name]`, or `[[name]]` where there may be several.
#[derive(Debug)]
pub struct Section {
    /// Its name in the file.
    pub name: &'static str,
    /// How many there may be; above 1 it is an array of tables.
    pub most: usize,
    /// Its doc comment, line by line.
    pub doc: &'static [&'static str],
    /// Its keys, in the order of the example.
    pub keys: &'static [KeySpec],
}

impl Section {
    /// Whether it is an array of tables.
    pub fn is_repeated(&self) -> bool {
        self.most > 1
    }

    /// The section's header in a file.
    pub fn header(&self) -> String {
        if self.is_repeated() { format!("[[{}]]", self.name) } else { format!("[{}]", self.name) }
    }
}

pub(super) const fn flag() -> Rule {
    Rule::Flag
}

pub(super) const fn whole(range: RangeInclusive<u64>, unit: &'static str) -> Rule {
    Rule::Whole { min: *range.start(), max: *range.end(), unit }
}

pub(super) const fn slots(range: RangeInclusive<u64>) -> Rule {
    Rule::Slots { min: *range.start(), max: *range.end() }
}

/// Defines a section; see the module's head.
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])+
        #[name = $section:literal, most = $most:literal]
        $(#[derive($($derive:ident),+)])?
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $kind:ty = $default:expr => $rule:expr $(, $sample:literal)?;
            )+
        }
    ) => {
        $(#[doc = $section_doc])+
        #[derive(Clone, serde::Serialize, serde::Deserialize $($(, $derive)+)?)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[doc = concat!(
                    "\n\nDefault: `", stringify!($default), "`. Rule: `", stringify!($rule), "`."
                )]
                pub $field: $kind,
            )+
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $($field: $default,)+ }
            }
        }

        impl $name {
            pub(super) const SECTION: $crate::config::schema::Section =
                $crate::config::schema::Section {
                    name: $section,
                    most: $most,
                    doc: &[$($section_doc),+],
                    keys: &[$(
                        $crate::config::schema::KeySpec {
                            name: stringify!($field),
                            doc: &[$($doc),+],
                            rule: $rule,
                            sample: $crate::config::schema::section!(@sample $($sample)?),
                        },
                    )+],
                };
        }
    };
    (@sample) => { None };
    (@sample $sample:literal) => { Some($sample) };
}

pub(super) use section;
