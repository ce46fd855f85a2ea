//! Limits of this process's control group and all groups around it: the smallest one holds.

use std::path::Path;

use crate::world::kernel_text;

/// The smallest limit that `read` finds in the folders of the process's groups: those of version 2,
/// and of version 1 where `controller` has a hierarchy of its own.
pub(super) fn smallest_limit(
    membership: &Path,
    root: &Path,
    controller: &str,
    read: impl Fn(&Path) -> Option<u64>,
) -> Option<u64> {
    let membership = kernel_text(membership).unwrap_or_default();
    let mut smallest: Option<u64> = None;
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let mount = match controllers {
            "" => root.to_owned(),
            _ if controllers.split(',').any(|name| name == controller) => root.join(controller),
            _ => continue,
        };
        let group = mount.join(group.trim_start_matches('/'));
        for folder in group.ancestors().take_while(|folder| folder.starts_with(&mount)) {
            smallest = [smallest, read(folder)].into_iter().flatten().min();
        }
    }
    smallest
}
