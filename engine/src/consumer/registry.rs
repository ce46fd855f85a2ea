//! The strategies a binary has compiled in, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::consumer::Strategy;

/// What a constructor is given: the consumer's free table of the configuration.
pub type Params = toml::Table;

type Constructor = Arc<dyn Fn(&Params) -> Result<Box<dyn Strategy>, String> + Send + Sync>;

/// Strategies by name. The composition root registers them, the configuration names them. Cheap to
/// clone.
#[derive(Clone, Default)]
pub struct StrategyRegistry {
    constructors: BTreeMap<String, Constructor>,
}

impl StrategyRegistry {
    /// A registry without strategies.
    #[must_use]
    pub fn new() -> StrategyRegistry {
        StrategyRegistry::default()
    }

    /// Adds a strategy. `construct` gets the consumer's `params` and says in one line what is wrong
    /// with them. A second strategy of the same name replaces the first.
    #[must_use]
    pub fn with<S: Strategy>(
        mut self,
        name: &str,
        construct: impl Fn(&Params) -> Result<S, String> + Send + Sync + 'static,
    ) -> StrategyRegistry {
        let constructor: Constructor =
            Arc::new(move |params| Ok(Box::new(construct(params)?) as Box<dyn Strategy>));
        self.constructors.insert(name.to_owned(), constructor);
        self
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.constructors.keys().map(String::as_str)
    }

    /// Constructs the strategy `name`; `None` when there is none of that name.
    #[must_use]
    pub fn construct(
        &self,
        name: &str,
        params: &Params,
    ) -> Option<Result<Box<dyn Strategy>, String>> {
        self.constructors.get(name).map(|construct| construct(params))
    }
}
