//! Which memory node the network cards hang on.

use super::finding::{Finding, Severity};
use super::host_files::Unread;
use super::scene::Scene;

const NET: &str = "/sys/class/net";

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    vec![card_node(scene)]
}

/// A card that carries traffic.
struct Card {
    path: String,
    name: String,
    /// `None` where the firmware does not say.
    node: Option<usize>,
}

fn card_node(scene: &Scene<'_>) -> Finding {
    const ID: &str = "net.node";
    let nodes_of = |cores: &[usize]| {
        let node = |core: &usize| scene.topology.cpu(*core).and_then(|cpu| cpu.node);
        let mut nodes: Vec<usize> = cores.iter().filter_map(node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    };
    if nodes_of(&scene.topology.ids()).len() < 2 {
        return Finding::fine(ID, "one memory node, so no card is far from it")
            .read("/sys/devices/system/node/node*/cpulist", "one node");
    }
    let cards = match cards(scene) {
        Ok(cards) => cards,
        Err(unread) => return Finding::unknown(ID, "memory node of the network cards", &unread),
    };
    let planned = nodes_of(scene.busy);
    let far = |card: &&Card| card.node.is_some_and(|node| !planned.contains(&node));
    if let Some(card) = cards.iter().find(far) {
        let node = card.node.unwrap_or_default();
        let title = format!("{} hangs on node {node}, the plan on node {planned:?}", card.name);
        return Finding::new(ID, Severity::Low, title)
            .read(&card.path, node.to_string())
            .costs("0.2 to 1 us more a packet, where this card carries the venues' traffic.")
            .mend("# start doctor and the engine on its node's cores (taskset), or move the card");
    }
    match cards.iter().find(|card| card.node.is_some()) {
        Some(card) => Finding::fine(ID, format!("{} is near the planned cores", card.name))
            .read(&card.path, card.node.unwrap_or_default().to_string()),
        None => {
            let unread =
                Unread::new(&format!("{NET}/*/device/numa_node"), "no card that is up says");
            Finding::unknown(ID, "memory node of the network cards", &unread)
        }
    }
}

/// The cards that are up; those without a device (loopback, bridges) are none.
fn cards(scene: &Scene<'_>) -> Result<Vec<Card>, Unread> {
    let names = scene.files.names(NET)?;
    let is_up = |name: &String| {
        let state = scene.files.text(&format!("{NET}/{name}/operstate"));
        state.is_ok_and(|state| state == "up")
    };
    let card = |name: String| {
        let path = format!("{NET}/{name}/device/numa_node");
        // The kernel writes -1 for "not told", which is no node.
        let node = scene.files.text(&path).ok()?.parse().ok();
        Some(Card { path, name, node })
    };
    Ok(names.into_iter().filter(is_up).filter_map(card).collect())
}
