//! The control socket of an engine: where it listens, and what its desk works on.

use std::path::Path;
use std::sync::Arc;

use super::housekeeping::SteadyState;
use super::options::LaunchError;
use crate::config::Config;
use crate::control::{BoundSocket, PlannedThread, Reader, ReaderParts, Routes, SOCKET_NAME};
use crate::pipeline::{Builder, Readings};
use crate::runtime::{AgentRole, CorePlan};
use crate::telemetry::LastInterval;

/// Listens where the configuration says; `None` when it is switched off.
pub(super) fn bind(config: &Config, run_dir: &Path) -> Result<Option<BoundSocket>, LaunchError> {
    if !config.control.enabled {
        return Ok(None);
    }
    let own = || run_dir.join("control").join(SOCKET_NAME);
    let path = config.control.socket.clone().unwrap_or_else(own);
    Ok(Some(BoundSocket::bind(&path)?))
}

/// What the socket's reader is made of.
pub(super) struct ReaderSources<'a> {
    pub(super) config: &'a Config,
    pub(super) run_dir: &'a Path,
    pub(super) plan: &'a CorePlan,
    pub(super) readings: &'a Arc<Readings>,
    pub(super) routes: &'a Arc<Routes>,
    pub(super) last: LastInterval,
    pub(super) steady: &'a Arc<SteadyState>,
}

/// A reader of the engine.
pub(super) fn reader(sources: ReaderSources<'_>, builder: &Builder) -> Reader {
    let ReaderSources { config, run_dir, plan, .. } = sources;
    let venues = config.venue_names();
    let consumer = |index: usize| config.consumers.get(index).map(|entry| entry.name.clone());
    let named = |role: AgentRole| match role {
        AgentRole::VenueMarket(index) => format!("{}:market", venues[index]),
        AgentRole::VenueOrders(index) => format!("{}:orders", venues[index]),
        AgentRole::Orchestrator => "orchestrator".to_owned(),
        AgentRole::Dispatcher => "dispatcher".to_owned(),
        AgentRole::Gateway => "gateway".to_owned(),
        AgentRole::Consumer(index) => consumer(index).unwrap_or_else(|| index.to_string()),
    };
    let mut threads = PlannedThread::of_plan(plan, named);
    if !config.cores.pin {
        threads.iter_mut().for_each(PlannedThread::set_free);
    }
    let steady = Arc::clone(sources.steady);
    Reader::new(ReaderParts {
        run_dir: run_dir.to_owned(),
        config: config.origin.file(),
        profile: format!("{:?}", plan.profile).to_lowercase(),
        clock: builder.clock.clone(),
        readings: Arc::clone(sources.readings),
        threads,
        quarantine: builder.quarantine.clone(),
        switch: builder.switch.clone(),
        risk: Arc::clone(&builder.risk),
        routes: Arc::clone(sources.routes),
        last: sources.last,
        allocations: Box::new(move || steady.allocations()),
        venues,
    })
}
