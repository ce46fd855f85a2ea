//! The core plan as a table: thread, core, idle strategy, agents; and the memory of the lanes.

use std::fmt::Write;

use pitlane_engine::config::Config;
use pitlane_engine::runtime::{AgentRole, CorePlan, PlannedCore};
use pitlane_engine::{LaneFootprint, lane_footprints};

use crate::table::{count, render, table};

/// The plan for people, at most 100 columns wide.
#[must_use]
pub fn plan_text(config: &Config, plan: &CorePlan) -> String {
    let mut text = String::new();
    let profile = format!("{:?}", plan.profile).to_lowercase();
    let _infallible = writeln!(text, "Core plan, profile {profile}\n");
    text.push_str(&threads(config, plan));
    text.push('\n');
    text.push_str(&lanes(&lane_footprints(config, plan)));
    for note in &plan.notes {
        let _infallible = write!(text, "\nNote: {note}");
    }
    if !plan.notes.is_empty() {
        text.push('\n');
    }
    text
}

/// The plan and the lanes as one JSON object, with a line end.
#[must_use]
pub(crate) fn plan_json(config: &Config, plan: &CorePlan) -> String {
    let lanes = lane_footprints(config, plan);
    let bytes: usize = lanes.iter().map(LaneFootprint::bytes).sum();
    let object = serde_json::json!({ "plan": plan, "lanes": lanes, "lane_bytes": bytes });
    format!("{object}\n")
}

fn threads(config: &Config, plan: &CorePlan) -> String {
    let mut table = table(&["thread", ">core", "pinned", "idle", "agents"]);
    for core in &plan.cores {
        let agents: Vec<String> = agent_names(config, core);
        table.add_row([
            core.name.clone(),
            core.core.map_or("any".to_owned(), |id| id.to_string()),
            if core.core.is_some() { "yes" } else { "no" }.to_owned(),
            core.idle.name().to_owned(),
            agents.join(", "),
        ]);
    }
    let mut unpinned = "logs, dead letters, histograms".to_owned();
    if config.simulated.enabled {
        unpinned.push_str("; the simulated venue");
    }
    let core = plan.housekeeping.map_or("any".to_owned(), |id| id.to_string());
    table.add_row(["housekeeping", &core, "no", "sleep", &unpinned]);
    render(&table)
}

/// The agents of a thread in words; many consumers are only counted.
fn agent_names(config: &Config, core: &PlannedCore) -> Vec<String> {
    const NAMED_MAX: usize = 8;
    let venues = config.venue_names();
    let mut consumers = 0;
    let mut names = Vec::new();
    for agent in &core.agents {
        names.push(match agent {
            AgentRole::VenueMarket(venue) => format!("{} market", venues[*venue]),
            AgentRole::VenueOrders(venue) => format!("{} orders", venues[*venue]),
            AgentRole::Orchestrator => "orchestrator".into(),
            AgentRole::Dispatcher => "dispatcher".into(),
            AgentRole::Gateway => "gateway".into(),
            AgentRole::Consumer(consumer) => {
                consumers += 1;
                if consumers > NAMED_MAX {
                    continue;
                }
                config.consumers[*consumer].name.clone()
            }
        });
    }
    if consumers > NAMED_MAX {
        names.push(format!("and {} more", consumers - NAMED_MAX));
    }
    names
}

fn lanes(footprints: &[LaneFootprint]) -> String {
    let mut table = table(&["lane", ">lanes", ">slots", ">slot bytes", ">KiB"]);
    for footprint in footprints {
        table.add_row([
            footprint.lane.to_owned(),
            footprint.lanes.to_string(),
            count(footprint.slots as u64),
            count(footprint.slot_bytes as u64),
            kib(footprint.bytes()),
        ]);
    }
    let sum: usize = footprints.iter().map(LaneFootprint::bytes).sum();
    table.add_row(["sum", "", "", "", &kib(sum)]);
    render(&table)
}

fn kib(bytes: usize) -> String {
    count((bytes as u64).div_ceil(1_024))
}

#[cfg(test)]
mod tests {
    use pitlane_engine::config::ConsumerConfig;
    use pitlane_engine::runtime::HostCores;

    use super::*;

    fn text(config: &Config, cores: usize) -> String {
        plan_text(config, &CorePlan::make(config, &HostCores::of(0..cores)).unwrap())
    }

    #[test]
    fn it_names_every_thread_with_its_core_and_agents() {
        let text = text(&Config::default_run(), 2);
        let row = |start: &str| {
            let found = text.lines().find(|line| line.trim_start().starts_with(start));
            found.unwrap_or_else(|| panic!("no {start} in:\n{text}")).to_owned()
        };
        let dispatch = row("dispatch ");
        assert!(dispatch.contains("simulated orders, simulated market"), "{dispatch}");
        let consumers = row("consumers ");
        assert!(consumers.contains("noop, momentum, market_maker"), "{consumers}");
        assert!(row("Note: ").contains("balanced"));
        assert!(row("sum").trim_end().ends_with(|c: char| c.is_ascii_digit()));
    }

    #[test]
    fn fifty_consumers_on_one_core_stay_within_a_hundred_columns() {
        let consumer = |n| ConsumerConfig::of_strategy(&format!("a-strategy-with-a-long-name-{n}"));
        let consumers = (0..50).map(consumer).collect();
        let text = text(&Config { consumers, ..Config::default_run() }, 2);
        assert!(text.contains("and 42 more"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
