//! Whether files can be made in a folder of the system.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{Access, FsWord, PROC_SUPER_MAGIC, access, statfs};

/// The kernel's own file systems, by `statfs(2)`: `/proc` and `/sys`. Whether a folder may be made
/// there the rights of the super-user don't tell.
const NOBODY_MAKES_FILES_IN: [FsWord; 2] = [PROC_SUPER_MAGIC, 0x6265_6572];

pub(super) fn takes_new_files(folder: &Path) -> io::Result<()> {
    let whole = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let named = whole.ancestors().filter(|path| !path.as_os_str().is_empty());
    // The first that is there is the one that the others are made in. A link to nothing is there,
    // too, and in the way.
    let is_there = |path: &&Path| fs::symlink_metadata(path).is_ok();
    let Some(found) = named.chain([Path::new(".")]).find(is_there) else { return Ok(()) };
    if !fs::metadata(found)?.is_dir() {
        return Err(rustix::io::Errno::NOTDIR.into());
    }
    if NOBODY_MAKES_FILES_IN.contains(&statfs(found)?.f_type) {
        return Err(rustix::io::Errno::PERM.into());
    }
    Ok(access(found, Access::WRITE_OK | Access::EXEC_OK)?)
}
